"""Rules about the form of kong.conf, the environment and environment files (K10x)."""

from __future__ import annotations

from compiler.model.diagnostic import Rule, Severity

CONF_NOT_UTF8 = Rule(
    code="K100",
    name="conf-not-utf8",
    severity=Severity.ERROR,
    message="this line is not valid UTF-8",
    hint="save the file as UTF-8",
)
CONF_NUL_BYTE = Rule(
    code="K101",
    name="conf-nul-byte",
    severity=Severity.ERROR,
    message="this line holds a NUL byte, which nginx cannot read",
    hint="remove the byte; files saved as UTF-16 are full of them: save this one as UTF-8",
)
CONF_BYTE_ORDER_MARK = Rule(
    code="K102",
    name="conf-byte-order-mark",
    severity=Severity.WARNING,
    message="the file begins with a byte order mark, which Kong takes for a part of its first line",
    hint="save the file as UTF-8 without a byte order mark",
)
CONF_LINE_WITHOUT_EQUALS = Rule(
    code="K103",
    name="conf-line-without-equals",
    severity=Severity.WARNING,
    message="Kong ignores this line: it has no '='",
    hint="write 'name = value', or begin the line with '#' if it is a comment",
)
CONF_SECTION = Rule(
    code="K104",
    name="conf-section",
    severity=Severity.WARNING,
    message="Kong ignores every property below this line: kong.conf has no [sections]",
    hint="remove the line with the bracket",
)
CONF_DUPLICATE_KEY = Rule(
    code="K105",
    name="conf-duplicate-key",
    severity=Severity.WARNING,
    message="{name} is set more than once in this file; the last one is in force",
    hint="keep one of the lines",
)
CONF_UNFINISHED_LINE = Rule(
    code="K106",
    name="conf-unfinished-line",
    severity=Severity.WARNING,
    message="Kong ignores this line: it ends in a backslash and nothing follows to continue it",
    hint="remove the backslash at the end of the line",
)
CONF_SECTION_UNCLOSED = Rule(
    code="K107",
    name="conf-section-unclosed",
    severity=Severity.ERROR,
    message="a line that begins with '[' has no ']': Kong cannot read the file",
    hint="remove the line; kong.conf has no [sections]",
)
ENV_FILE_NOT_UTF8 = Rule(
    code="K108",
    name="env-file-not-utf8",
    severity=Severity.ERROR,
    message="this line of the environment file is not valid UTF-8 or holds a NUL byte",
    hint="save the file as UTF-8",
)
ENV_FILE_BAD_LINE = Rule(
    code="K109",
    name="env-file-bad-line",
    severity=Severity.ERROR,
    message="this line of the environment file is not of the form NAME=VALUE",
    hint="write NAME=VALUE; values are taken as they stand, and lines that begin with '#' are "
    "comments",
)
ENV_FILE_DUPLICATE = Rule(
    code="K110",
    name="env-file-duplicate",
    severity=Severity.WARNING,
    message="{variable} is set more than once in the environment file; the last one is in force",
    hint="keep one of the lines",
)
ENV_FILE_QUOTED_VALUE = Rule(
    code="K111",
    name="env-file-quoted-value",
    severity=Severity.WARNING,
    message="the value of {variable} stands in quotes, and the quotes are a part of it",
    hint="remove the quotes: values are taken as they stand, to the end of the line",
)

RULES = (
    CONF_NOT_UTF8,
    CONF_NUL_BYTE,
    CONF_BYTE_ORDER_MARK,
    CONF_LINE_WITHOUT_EQUALS,
    CONF_SECTION,
    CONF_DUPLICATE_KEY,
    CONF_UNFINISHED_LINE,
    CONF_SECTION_UNCLOSED,
    ENV_FILE_NOT_UTF8,
    ENV_FILE_BAD_LINE,
    ENV_FILE_DUPLICATE,
    ENV_FILE_QUOTED_VALUE,
)
"""Every rule of this file."""
