"""Rules about entities: fields (K23x), combinations (K24x), references (K25x), limits (K26x)."""

from __future__ import annotations

from compiler.model.diagnostic import Rule, Severity

FORMAT_VERSION = Rule(
    code="K230",
    name="format-version",
    severity=Severity.ERROR,
    message="_format_version {problem}",
    hint='write _format_version: "3.0", with the quotes ("1.1" and "2.1" are read as well)',
)
UNKNOWN_KIND = Rule(
    code="K231",
    name="unknown-kind",
    severity=Severity.ERROR,
    message="Kong knows no kind of entity called {name!r}",
    hint="{suggestion}",
)
UNKNOWN_FIELD = Rule(
    code="K232",
    name="unknown-field",
    severity=Severity.ERROR,
    message="{owner} has no field {field!r}",
    hint="{suggestion}",
)
WRONG_TYPE = Rule(
    code="K233",
    name="field-type",
    severity=Severity.ERROR,
    message="{field} must be {expected}, not {actual}",
    hint="{suggestion}",
)
OUT_OF_RANGE = Rule(
    code="K234",
    name="field-out-of-range",
    severity=Severity.ERROR,
    message="{field} is {value}, but must be between {low} and {high}",
    hint="choose a value within these bounds",
)
UNKNOWN_VALUE = Rule(
    code="K235",
    name="unknown-value",
    severity=Severity.ERROR,
    message="{field} can't be {value}",
    hint="{suggestion}",
)
EMPTY_VALUE = Rule(
    code="K236",
    name="field-empty",
    severity=Severity.ERROR,
    message="{field} must not be empty",
    hint="give it a value, or remove the field",
)
INVALID_VALUE = Rule(
    code="K237",
    name="invalid-value",
    severity=Severity.ERROR,
    message="{field}: {problem}",
    hint="{suggestion}",
)
MISSING_FIELD = Rule(
    code="K238",
    name="missing-field",
    severity=Severity.ERROR,
    message="{owner} needs the field {field!r}{reason}",
    hint="add it",
)
FIELD_NOT_ALLOWED = Rule(
    code="K240",
    name="field-not-allowed",
    severity=Severity.ERROR,
    message="{field} can't be set {reason}",
    hint="remove the field, or change what it depends on",
)
PROTOCOLS_MIXED = Rule(
    code="K241",
    name="protocols-mixed",
    severity=Severity.ERROR,
    message="the protocols {found} can't stand in one route",
    hint="make one route for each of: http and https; tcp, tls and udp; tls_passthrough; "
    "grpc and grpcs; ws and wss",
)
NOTHING_TO_MATCH = Rule(
    code="K242",
    name="nothing-to-match",
    severity=Severity.ERROR,
    message="{owner} must set at least one of {fields} {reason}",
    hint="add one of them",
)
FIELDS_INCOMPLETE = Rule(
    code="K243",
    name="fields-incomplete",
    severity=Severity.ERROR,
    message="{owner} sets {given} without {missing}",
    hint="set both or neither",
)
FIELDS_EQUAL = Rule(
    code="K244",
    name="fields-equal",
    severity=Severity.ERROR,
    message="{first} and {second} must differ",
    hint="the fallback of a hash must be something else than the hash",
)
NESTED_REFERENCE_IGNORED = Rule(
    code="K250",
    name="nested-reference-ignored",
    severity=Severity.WARNING,
    message="{field} names {name!r}, but the entity stands inside another one, which counts",
    hint="remove the field, or move the entity to the top level",
)
UNKNOWN_REFERENCE = Rule(
    code="K251",
    name="unknown-reference",
    severity=Severity.ERROR,
    message="{field} names {name!r}, but there is no such entity in {kind}",
    hint="{suggestion}",
)
DUPLICATE_ENTITY = Rule(
    code="K252",
    name="duplicate-entity",
    severity=Severity.ERROR,
    message="{kind} has two entities with the same {field}{value}",
    hint="remove or rename one of them; all files are merged",
)
DUPLICATE_SNI = Rule(
    code="K253",
    name="duplicate-sni",
    severity=Severity.ERROR,
    message="the SNI {name!r} is the same name as {other!r}",
    hint="names differ neither by letter case nor by a dot at their end; keep one of them",
)
TRAILING_DOT = Rule(
    code="K254",
    name="sni-trailing-dot",
    severity=Severity.WARNING,
    message="the SNI {name!r} is taken without the dot at its end",
    hint="TLS clients send names without it; remove the dot",
)
VAULT_REFERENCE = Rule(
    code="K260",
    name="pem-vault-reference-not-compiled",
    severity=Severity.ERROR,
    message="{field} is a vault reference, which can't be resolved when compiling",
    hint="put the PEM text there, fetched from the vault before compiling",
)
FIELD_NOT_COMPILED = Rule(
    code="K261",
    name="field-not-compiled",
    severity=Severity.ERROR,
    message="{field} has no counterpart in nginx and is not compiled",
    hint="remove the field",
)
ANY_ORIGIN_WITH_CREDENTIALS = Rule(
    code="K262",
    name="any-origin-with-credentials",
    severity=Severity.WARNING,
    message="config.credentials is on for every origin: any site may use what its visitors can",
    hint="list the sites that may in config.origins, or switch config.credentials off",
)

RULES = (
    FORMAT_VERSION,
    UNKNOWN_KIND,
    UNKNOWN_FIELD,
    WRONG_TYPE,
    OUT_OF_RANGE,
    UNKNOWN_VALUE,
    EMPTY_VALUE,
    INVALID_VALUE,
    MISSING_FIELD,
    FIELD_NOT_ALLOWED,
    PROTOCOLS_MIXED,
    NOTHING_TO_MATCH,
    FIELDS_INCOMPLETE,
    FIELDS_EQUAL,
    NESTED_REFERENCE_IGNORED,
    UNKNOWN_REFERENCE,
    DUPLICATE_ENTITY,
    DUPLICATE_SNI,
    TRAILING_DOT,
    VAULT_REFERENCE,
    FIELD_NOT_COMPILED,
    ANY_ORIGIN_WITH_CREDENTIALS,
)
