"""Many conditions at one path: rows in the order in which they are tried, cut into parts.

What a row compares stands on lines of one text, which is a word of nginx's language: it cannot grow
without end, and each row would have to pass over all that the others compare. So each part compares
what its own rows need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.comparisons import ANY
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_LINES = 32
"""Lines of a part: what few conditions compare stands in one."""

LONGEST = 2000
"""Bytes of a part's text, and of a row, at which nginx's limit of 4095 is far away."""


@value()
class Part:
    """Rows, from the one numbered `first`: what they look at, and the key of each in a map."""

    first: int
    source: str
    keys: tuple[str, ...]


def fits_one(rows: Sequence[Mapping[str, str]]) -> bool:
    """Tell whether *rows*, each of which has patterns for what it compares, need no parts."""
    sources = {source for row in rows for source in row}
    patterns = max(sum(map(len, row.values())) for row in rows)
    return _fit(sources) and patterns + len(sources) * len(rf"{ANY}\n") <= LONGEST


def parts_of(rows: Sequence[Mapping[str, str]]) -> Iterator[Part]:
    """Yield the parts of *rows* in their order."""
    first = 0
    sources: dict[str, None] = {}
    for index, row in enumerate(rows):
        wider = sources | dict.fromkeys(row)
        if index > first and not _fit(wider):
            yield _part(first, sources, rows[first:index])
            first, wider = index, dict.fromkeys(row)
        sources = wider
    yield _part(first, sources, rows[first:])


def _fit(sources: Mapping[str, None] | set[str]) -> bool:
    return len(sources) <= MOST_LINES and sum(len(source) + 2 for source in sources) <= LONGEST


def _part(first: int, sources: Mapping[str, None], rows: Sequence[Mapping[str, str]]) -> Part:
    lines = {source: line for line, source in enumerate(sources)}
    return Part(first, "\n".join(sources), tuple(_key(row, lines) for row in rows))


def _key(row: Mapping[str, str], lines: Mapping[str, int]) -> str:
    """Return the key of a row, which says nothing of lines behind the last that it compares."""
    found = "~^"
    next_line = 0
    for line, pattern in sorted((lines[source], pattern) for source, pattern in row.items()):
        found += f"{_passed_over(line - next_line)}{pattern}"
        next_line = line + 1
        found += "$" if next_line == len(lines) else r"\n"
    return found


def _passed_over(lines: int) -> str:
    if lines < 2:
        return rf"{ANY}\n" * lines
    return rf"(?:{ANY}\n){{{lines}}}"
