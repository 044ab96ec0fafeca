"""Marks: how a line of the output is traced to the entity it comes from.

A template prints a mark where an entity's lines begin and end. Marks begin with a control
character, which other text spells as `KEPT`; they are taken out before anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from compiler.model.nginx import Source

START = "\x01"
_END = "\x02"
_CLOSES = "-1"
_IS_TEXT = "="
KEPT = f"{START}{_IS_TEXT}{_END}"
"""How text of users spells `START`, so that it is no mark."""


@value()
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
        return f"{START}{len(self._sources)}{_END}"

    def end(self, source: Source | None) -> str:
        """Return the mark to print in its last line."""
        return "" if source is None else f"{START}{_CLOSES}{_END}"

    def strip(self, text: str) -> tuple[str, list[Span]]:
        """Return *text* without marks, and which lines came from what."""
        if not self._sources:
            return text.replace(KEPT, START), []
        spans: list[Span] = []
        open_marks: list[tuple[int, int]] = []
        before, *marked = text.split(START)
        parts = [before]
        line = 1 + before.count("\n")
        for part in marked:
            mark, _, rest = part.partition(_END)
            if mark == _CLOSES:
                index, first = open_marks.pop()
                spans.append(Span(first, line, self._sources[index - 1]))
            elif mark == _IS_TEXT:
                parts.append(START)
            else:
                open_marks.append((int(mark), line))
            parts.append(rest)
            line += rest.count("\n")
        spans.sort(key=lambda span: (span.first, -span.last))
        return "".join(parts), spans
