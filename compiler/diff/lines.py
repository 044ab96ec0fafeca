"""A unified diff that stays fast on files of a million lines.

Lines that both texts have exactly once anchor it (a server's name, a location's comment); what
lies between two anchors is compared the usual way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from difflib import Match, SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Block = tuple[int, int, int]

_CONTEXT = 3
_LARGE = 2_000
"""Lines without an anchor that are not compared but taken for replaced."""


class _Anchored(SequenceMatcher[str]):
    """difflib's matcher with other matches, for its hunks."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new, autojunk=False)
        blocks = _joined(_blocks(old, new, 0, 0), len(old), len(new))
        self._found = [Match(*block) for block in blocks]

    def get_matching_blocks(self) -> list[Match]:
        """Return the matches between the anchors."""
        return self._found


def unified(old: Sequence[str], new: Sequence[str], names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff; none where the texts are equal."""
    if old == new:
        return
    yield from (f"--- {names[0]}", f"+++ {names[1]}")
    matcher = _Anchored(old, new)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        (_, old_from, _, new_from, _), (_, _, old_to, _, new_to) = group[0], group[-1]
        yield f"@@ -{_span(old_from, old_to)} +{_span(new_from, new_to)} @@"
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[old_from:old_to])
                continue
            yield from (f"-{line}" for line in old[old_from:old_to])
            yield from (f"+{line}" for line in new[new_from:new_to])


def _span(start: int, stop: int) -> str:
    length = stop - start
    # As diff has it: the line before an empty span, no length where it is one.
    return f"{start + 1}" if length == 1 else f"{start + bool(length)},{length}"


def _blocks(old: Sequence[str], new: Sequence[str], at_old: int, at_new: int) -> Iterator[Block]:
    """Yield (line in old, line in new, length) of equal lines, in order."""
    head = _common(old, new)
    if head:
        yield at_old, at_new, head
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    at_old, at_new = at_old + head, at_new + head
    if middle_old and middle_new:
        yield from _between(middle_old, middle_new, at_old, at_new)
    if tail:
        yield at_old + len(middle_old), at_new + len(middle_new), tail


def _between(old: Sequence[str], new: Sequence[str], at_old: int, at_new: int) -> Iterator[Block]:
    anchors = _anchors(old, new)
    if not anchors:
        if len(old) < _LARGE and len(new) < _LARGE:
            matcher = SequenceMatcher(None, old, new, autojunk=False)
            for start, there, length in matcher.get_matching_blocks():
                if length:
                    yield at_old + start, at_new + there, length
        return
    done_old = done_new = 0
    for mark_old, mark_new in [*anchors, (len(old), len(new))]:
        gap = old[done_old:mark_old], new[done_new:mark_new]
        yield from _blocks(*gap, at_old + done_old, at_new + done_new)
        if mark_old < len(old):
            yield at_old + mark_old, at_new + mark_new, 1
        done_old, done_new = mark_old + 1, mark_new + 1


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of lines that both have once, as many as are in the same order."""
    once_old, once_new = ({line for line, n in Counter(t).items() if n == 1} for t in (old, new))
    there = {line: place for place, line in enumerate(new) if line in once_new}
    places = [(i, there[line]) for i, line in enumerate(old) if line in once_old and line in there]
    return _rising(places)


def _rising(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest run in which the second place rises too."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(places):
        length = bisect_left(ends, place)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [index]
        before.append(last[length - 1] if length else -1)
    found = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(places[index])
        index = before[index]
    return found[::-1]


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines at the beginning are equal."""
    pairs = zip(old, new, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))


def _joined(blocks: Iterator[Block], end_old: int, end_new: int) -> list[Block]:
    """Join adjacent blocks and add the empty one at the end, as difflib has them."""
    found: list[Block] = []
    for start, there, length in blocks:
        if found and (found[-1][0] + found[-1][2], found[-1][1] + found[-1][2]) == (start, there):
            found[-1] = (found[-1][0], found[-1][1], found[-1][2] + length)
        else:
            found.append((start, there, length))
    return [*found, (end_old, end_new, 0)]
