"""Rules about the values of kong.conf properties, from the file or the environment (K20x, K21x)."""

from __future__ import annotations

from compiler.model.diagnostic import Rule, Severity

UNKNOWN_PROPERTY = Rule(
    code="K200",
    name="unknown-property",
    severity=Severity.WARNING,
    message="{name} is no property of kong.conf, and Kong ignores it",
    hint="{advice}",
)
PROPERTY_NOT_IN_VERSION = Rule(
    code="K201",
    name="property-not-in-version",
    severity=Severity.WARNING,
    message="Kong {version} has no property {name}, and ignores it",
    hint="{name} exists {span}; name the version of your Kong with --kong-version",
)
VARIABLE_NOT_UPPER_CASE = Rule(
    code="K202",
    name="variable-not-upper-case",
    severity=Severity.WARNING,
    message="{variable} is not in upper case, and Kong {effect}",
    hint="rename it to {spelling}",
)
INVALID_CHOICE = Rule(
    code="K203",
    name="invalid-choice",
    severity=Severity.ERROR,
    message="{name} cannot be {value}",
    hint="use one of: {choices}; quotes are a part of a value, never around it",
)
NOT_A_NUMBER = Rule(
    code="K204",
    name="not-a-number",
    severity=Severity.ERROR,
    message="{name} must be {expected}, and {value} is not",
    hint="write the digits alone, without a unit or quotes",
)
READ_AS_OFF = Rule(
    code="K205",
    name="read-as-off",
    severity=Severity.WARNING,
    message="{name} is off: Kong takes {value} for off, as it does everything but 'on' and 'true'",
    hint="write on or off",
)
SWITCH_COPIED = Rule(
    code="K206",
    name="switch-copied-as-written",
    severity=Severity.WARNING,
    message="{name} is copied into nginx as {value}, where only 'on' and 'off' are understood",
    hint="write on or off",
)
NUMBER_REWRITTEN = Rule(
    code="K207",
    name="number-rewritten",
    severity=Severity.WARNING,
    message="{name} becomes {value}: Kong takes {written} in the file for a number and prints it "
    "anew",
    hint="set {variable} in the environment instead, where values stay as they are written",
)
EMPTY_VALUE = Rule(
    code="K208",
    name="empty-value",
    severity=Severity.ERROR,
    message="{name} must not be empty",
    hint="give it a value, or remove the line or variable to have the default",
)
SETTING_WITHOUT_EFFECT = Rule(
    code="K209",
    name="setting-without-effect",
    severity=Severity.WARNING,
    message="{loser} has no effect{scope}: {winner} is in force",
    hint="{advice}",
)
INVALID_LISTENER = Rule(
    code="K210",
    name="invalid-listener",
    severity=Severity.ERROR,
    message="{name}: {entry} is no address to listen on: {problem}",
    hint="write off, or <ip>:<port> and any of: {flags}; entries are separated by commas",
)
OUT_OF_RANGE = Rule(
    code="K211",
    name="out-of-range",
    severity=Severity.ERROR,
    message="{name} must be {expected}, not {value}",
    hint="change it, or remove it to have the default",
)
CERTIFICATE_KEY_COUNT = Rule(
    code="K212",
    name="certificate-and-key-counts-differ",
    severity=Severity.ERROR,
    message="{cert} names {certs} and {key} names {keys}: each certificate needs its key",
    hint="name as many certificates as keys, in the same order",
)
INVALID_ENTRY = Rule(
    code="K213",
    name="invalid-entry",
    severity=Severity.ERROR,
    message="{name}: {entry} is not {expected}",
    hint="{advice}",
)
SETTINGS_CONFLICT = Rule(
    code="K214",
    name="settings-conflict",
    severity=Severity.ERROR,
    message="{problem}",
    hint="{advice}",
)
VAULT_NOT_COMPILED = Rule(
    code="K215",
    name="vault-reference-not-compiled",
    severity=Severity.ERROR,
    message="{name} refers to the vault {vault}, whose secrets cannot be read while compiling",
    hint="use the vault env, as in {{vault://env/my-secret}}, and set MY_SECRET while compiling",
)
VAULT_UNRESOLVED = Rule(
    code="K216",
    name="vault-reference-unresolved",
    severity=Severity.ERROR,
    message="{name} refers to a secret that cannot be read: {problem}",
    hint="set the variable, or correct the reference: {{vault://env/<name>[/<key of its JSON>]}}",
)
PROXY_TLS_VERIFY = Rule(
    code="K217",
    name="misnamed-verify-directive",
    severity=Severity.WARNING,
    message="{name} injects proxy_tls_verify, which nginx does not know; proxy_ssl_verify is taken "
    "to be meant",
    hint="rename it to {spelling}; Kong's documentation has had the name wrong",
)
VERIFICATION_CONTRADICTED = Rule(
    code="K218",
    name="verification-contradicted",
    severity=Severity.ERROR,
    message="{name} switches verification of upstreams off, but {policy} demands it",
    hint="remove {name}, or set tls_certificate_verify = off if upstreams may go unverified",
)
VALUE_NOT_TEXT = Rule(
    code="K219",
    name="variable-not-utf8",
    severity=Severity.ERROR,
    message="the value of {variable} is not valid UTF-8",
    hint="set it to text",
)
INJECTED_NOT_WHOLE = Rule(
    code="K220",
    name="injected-text-not-whole",
    severity=Severity.ERROR,
    message="{name} injects a text that nginx would read beyond its end: {reason}",
    hint="mend the value; of a # or \\ that is meant as such, put the word in quotes",
)
INJECTED_NOT_READ = Rule(
    code="K221",
    name="injected-text-not-read",
    severity=Severity.WARNING,
    message="{name} brings {what} into nginx's configuration; nobody looks at what that says",
    hint=(
        "inject directives by their names: those are looked at. A file or a block may switch "
        "verification off, or let in whom a plugin refuses"
    ),
)

RULES = (
    UNKNOWN_PROPERTY,
    PROPERTY_NOT_IN_VERSION,
    VARIABLE_NOT_UPPER_CASE,
    INVALID_CHOICE,
    NOT_A_NUMBER,
    READ_AS_OFF,
    SWITCH_COPIED,
    NUMBER_REWRITTEN,
    EMPTY_VALUE,
    SETTING_WITHOUT_EFFECT,
    INVALID_LISTENER,
    OUT_OF_RANGE,
    CERTIFICATE_KEY_COUNT,
    INVALID_ENTRY,
    SETTINGS_CONFLICT,
    VAULT_NOT_COMPILED,
    VAULT_UNRESOLVED,
    PROXY_TLS_VERIFY,
    VERIFICATION_CONTRADICTED,
    VALUE_NOT_TEXT,
    INJECTED_NOT_WHOLE,
    INJECTED_NOT_READ,
)
"""Every rule of this file."""
