"""Environment files: `NAME=VALUE` lines that stand in for the process environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import read_rules as rules
from compiler.model.place import Place

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.model.inputs import SourceText

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL)


def parse_env_file(source: SourceText, report: Report) -> dict[str, str]:
    """Return the variables that an environment file sets; of two of one name, the last.

    Blank lines and lines that begin with `#` are passed over, `export` before a name is
    allowed. A value is everything behind the first `=`, to the end of the line: no quotes are
    taken off, nothing is expanded, and `#` begins no comment there. That is how `docker
    --env-file` reads such files, so one file serves both.
    """
    variables: dict[str, str] = {}
    text = source.data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r").lstrip(" \t")
        if line and not line.startswith("#"):
            _read_line(line, Place(source.name, number, 1), variables, report)
    return variables


def _read_line(line: str, place: Place, variables: dict[str, str], report: Report) -> None:
    if "\0" in line or any("\udc80" <= c <= "\udcff" for c in line):
        report.add(rules.ENV_FILE_NOT_UTF8, place)
        return
    found = _ASSIGNMENT.match(line)
    if found is None:
        report.add(rules.ENV_FILE_BAD_LINE, place)
        return
    variable, value = found.groups()
    if variable in variables:
        report.add(rules.ENV_FILE_DUPLICATE, place, variable=variable)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        report.add(rules.ENV_FILE_QUOTED_VALUE, place, variable=variable)
    variables[variable] = value
