"""Marks: how a line of the output is traced to the entity it comes from.

A template prints a mark where an entity's lines begin and end. Marks begin with a control
character, which other text spells as `KEPT`; they are taken out before anything is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.nginx import Source

START = "\x01"
KEPT = "\x01=\x02"
"""How text of users spells `START`, so that it is no mark."""

_MARK = re.compile(r"\x01(-?\d+)\x02")


@dataclass(frozen=True, slots=True)
class Span:
    """Lines *first* to *last* (from 1) that come from *source*."""

    first: int
    last: int
    source: Source


class Marker:
    """Numbers the sources of one file while it is rendered."""

    def __init__(self) -> None:
        self._sources: list[Source] = []

    def begin(self, source: Source | None) -> str:
        """Return the mark to print in the first line of *source*."""
        if source is None:
            return ""
        self._sources.append(source)
        return f"\x01{len(self._sources)}\x02"

    def end(self, source: Source | None) -> str:
        """Return the mark to print in its last line."""
        return "" if source is None else "\x01-1\x02"

    def strip(self, text: str) -> tuple[str, list[Span]]:
        """Return *text* without marks, and which lines came from what."""
        if not self._sources:
            return _restored(text), []
        spans: list[Span] = []
        open_marks: list[tuple[int, int]] = []
        line, position = 1, 0
        for found in _MARK.finditer(text):
            line += text.count("\n", position, found.start())
            position = found.start()
            if found[1] == "-1":
                index, first = open_marks.pop()
                spans.append(Span(first, line, self._sources[index - 1]))
            else:
                open_marks.append((int(found[1]), line))
        spans.sort(key=lambda span: (span.first, -span.last))
        return _restored(_MARK.sub("", text)), spans


def _restored(text: str) -> str:
    return text.replace(KEPT, START)
