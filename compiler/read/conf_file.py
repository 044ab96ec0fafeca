"""kong.conf to names, values and places, exactly as Kong reads it.

Kong uses a general-purpose reader with habits of its own: lines may be continued with a
backslash, quotes mean nothing, every character of a name that is no letter or digit counts as
`_`, and what looks like a number is printed anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.catalog import read_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.number import lua_number, lua_number_text
from compiler.model.place import Place
from compiler.model.settings import ConfEntry, ConfFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.diagnostic import Report
    from compiler.model.inputs import SourceText

# The blanks of the C locale; str.strip() without an argument knows many more.
_BLANKS = " \t\n\v\f\r"
_EQUALS = re.compile(r"[ \t\n\v\f\r]*=[ \t\n\v\f\r]*")
_CONTINUED = re.compile(r"\\[ \t\n\v\f\r]*\Z")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9]")
_COMMENT = re.compile(r"[ \t\n\v\f\r]*(?<!\\)#.*\Z", re.DOTALL)
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its continuations joined, and the number of the first of them."""

    number: int
    text: str


def read_conf(source: SourceText, report: Report) -> ConfFile:
    """Read kong.conf; of a name that is set twice the last one stays.

    Lines that Kong passes over in silence are reported as warnings, what it could not read
    or nginx could not take (bytes that are no text) as errors.
    """
    text = source.data.decode("utf-8", "surrogateescape")
    physical = text.split("\n")
    _check_text(source.name, physical, report)
    entries: dict[str, ConfEntry] = {}
    for line in _properties(source.name, _logical_lines(source.name, physical, report), report):
        entry = _entry(source.name, line, report)
        if entry is not None:
            _keep(entries, entry, report)
    return ConfFile(source.name, entries)


def _check_text(file: str, lines: list[str], report: Report) -> None:
    if lines[0].startswith(_BYTE_ORDER_MARK):
        report.add(rules.CONF_BYTE_ORDER_MARK, Place(file, 1, 1))
    for number, line in enumerate(lines, start=1):
        column = next((i for i, c in enumerate(line, start=1) if "\udc80" <= c <= "\udcff"), 0)
        if column:
            report.add(rules.CONF_NOT_UTF8, Place(file, number, column))
        if "\0" in line:
            report.add(rules.CONF_NUL_BYTE, Place(file, number, line.index("\0") + 1))


def _logical_lines(file: str, lines: list[str], report: Report) -> Iterator[_Line]:
    """Yield the lines that say something, with continued ones joined.

    Blank and comment lines between a line and its continuation are passed over.
    """
    begun: _Line | None = None
    for number, text in enumerate(lines, start=1):
        stripped = text.strip(_BLANKS)
        if not stripped or stripped[0] in ";#":
            continue
        continued = _CONTINUED.search(text)
        own = text[: continued.start()] if continued else text
        line = _Line(begun.number, begun.text + own) if begun else _Line(number, own)
        begun = line if continued else None
        if not continued:
            yield line
    if begun is not None:
        report.add(rules.CONF_UNFINISHED_LINE, Place(file, begun.number, 1))


def _properties(file: str, lines: Iterable[_Line], report: Report) -> Iterator[_Line]:
    """Yield the lines above the first section: the rest is no property to Kong."""
    for line in lines:
        if not line.text.startswith("["):
            yield line
            continue
        place = Place(file, line.number, 1)
        report.add(
            rules.CONF_SECTION if "]" in line.text[2:] else rules.CONF_SECTION_UNCLOSED, place
        )
        return


def _entry(file: str, line: _Line, report: Report) -> ConfEntry | None:
    text = line.text.lstrip(_BLANKS)
    place = Place(file, line.number, len(line.text) - len(text) + 1)
    equals = _EQUALS.search(text)
    if equals is None:
        report.add(rules.CONF_LINE_WITHOUT_EQUALS, place)
        return None
    # A character outside ASCII is several bytes to Kong, and each becomes one '_'.
    name = _NOT_IN_NAME.sub(
        lambda found: "_" * len(found[0].encode("utf-8", "surrogateescape")),
        text[: equals.start()],
    )
    value = text[equals.end() :]
    written = _without_comment(value.strip(_BLANKS))
    return ConfEntry(name, _as_kong_prints(value, written), place, written)


def _without_comment(value: str) -> str:
    return _COMMENT.sub("", value, count=1).replace("\\#", "#")


def _as_kong_prints(value: str, written: str) -> str:
    """Return *written*, or the number it is as Kong prints it.

    Kong looks at the value before it takes the comment away, so a comment behind a number
    keeps the number as it is written.
    """
    if value[:1] not in "+-0123456789" or not value:
        return written
    number = lua_number(value)
    if number is None and value.endswith(" kB"):
        number = lua_number(value.replace(" kB", ""))
    return written if number is None else lua_number_text(number)


def _keep(entries: dict[str, ConfEntry], entry: ConfEntry, report: Report) -> None:
    """Put *entry* last, where the file has it, and report the one that it replaces."""
    earlier = entries.pop(entry.name, None)
    if earlier is not None:
        report.add(
            rules.CONF_DUPLICATE_KEY,
            entry.place,
            related=[Related("first set here, and not in force", earlier.place)],
            name=entry.name,
        )
    entries[entry.name] = entry
