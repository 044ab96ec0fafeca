"""Rules about the syntax of declarative files (K12x)."""

from __future__ import annotations

from compiler.model.diagnostic import Rule, Severity

DOCUMENT_SYNTAX = Rule(
    code="K120",
    name="document-syntax",
    severity=Severity.ERROR,
    message="the file is not valid {language}: {problem}",
    hint="{hint}",
)
DOCUMENT_ENCODING = Rule(
    code="K121",
    name="document-encoding",
    severity=Severity.ERROR,
    message="the file has bytes or characters that {language} does not allow: {problem}",
    hint="save the file as UTF-8 text; write control characters as escapes in double quotes",
)
DUPLICATE_KEY = Rule(
    code="K122",
    name="duplicate-key",
    severity=Severity.ERROR,
    message="the key {key!r} is written twice in one mapping",
    hint="keep one of the two: a reader would silently take the last",
)
DOCUMENT_TOO_DEEP = Rule(
    code="K123",
    name="document-too-deep",
    severity=Severity.ERROR,
    message="the file nests deeper than {limit} levels",
    hint="no Kong entity is that deep; look for brackets that are never closed",
)
DOCUMENT_TOO_LARGE = Rule(
    code="K124",
    name="document-too-large",
    severity=Severity.ERROR,
    message="the file {problem}",
    hint="split it into several files, which are merged; write out aliases that multiply",
)
SEVERAL_DOCUMENTS = Rule(
    code="K125",
    name="several-documents",
    severity=Severity.ERROR,
    message="the file holds more than one YAML document",
    hint="remove the line '---' or move what follows it to a file of its own",
)
ALIAS_UNKNOWN = Rule(
    code="K126",
    name="alias-unknown",
    severity=Severity.ERROR,
    message="the alias *{alias} {problem}",
    hint="an alias stands for a node that is marked &{alias} and complete before it",
)
ROOT_NOT_MAPPING = Rule(
    code="K127",
    name="root-not-mapping",
    severity=Severity.ERROR,
    message="the file must hold a mapping at its top level, not {actual}",
    hint='a declarative file begins with _format_version: "3.0"',
)
BAD_KEY = Rule(
    code="K128",
    name="bad-key",
    severity=Severity.ERROR,
    message="a key of a mapping must be a plain text, not {actual}",
    hint="put it in quotes, or remove the '?'",
)
BAD_MERGE = Rule(
    code="K129",
    name="bad-merge",
    severity=Severity.ERROR,
    message="'<<' needs a mapping or a list of mappings, not {actual}",
    hint="give it an alias of a mapping, as in '<<: *defaults'",
)

RULES = (
    DOCUMENT_SYNTAX,
    DOCUMENT_ENCODING,
    DUPLICATE_KEY,
    DOCUMENT_TOO_DEEP,
    DOCUMENT_TOO_LARGE,
    SEVERAL_DOCUMENTS,
    ALIAS_UNKNOWN,
    ROOT_NOT_MAPPING,
    BAD_KEY,
    BAD_MERGE,
)
