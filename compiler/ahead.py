"""What a second process does ahead of the pipeline: it reads certificates and matches the pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.model.document import MappingNode, SequenceNode
from compiler.read.pieces import Elsewhere, Part, find_cut, read_elsewhere
from compiler.resolve.matches import match_of, match_row
from compiler.second_process import DiedError, can_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from compiler.model.inputs import SourceText
    from compiler.read.pieces import Cut
    from compiler.resolve.matches import Matches
    from compiler.second_process import Answers, SecondProcess


class Ahead:
    """The certificates of a large file, read and matched in the second process.

    Whatever it cannot give is left to the pipeline, which comes to the same result.
    """

    def __init__(self, cut: Cut, answers: Answers) -> None:
        self._cut = cut
        self._answers = answers
        self._read: Elsewhere | None = None

    @classmethod
    def begin(cls, sources: Sequence[SourceText], second: SecondProcess) -> Ahead | None:
        """Start *second* and the reading, where both are worth it."""
        cut = find_cut(sources)
        if cut is None or not can_start():
            return None
        second.start()
        name = cut.source.name
        return cls(cut, second.ask(_read_and_match, name, cut.items, cut.certificates))

    @property
    def cut(self) -> tuple[Cut, Callable[[], Elsewhere]]:
        """Return the file's parts, and the function that gives those that are read ahead."""
        return self._cut, self._elsewhere

    def _elsewhere(self) -> Elsewhere:
        try:
            self._read = next(self._answers)
        except DiedError:
            return None, None
        return self._read

    def matches(self) -> Matches:
        """Return what became of the pairs."""
        if self._read is None:
            return {}
        try:
            rows = next(self._answers)
        except DiedError:
            return {}
        pairs = _pairs(self._read)
        return {pair: match_of(row, *pair) for pair, row in zip(pairs, rows, strict=True)}


def _read_and_match(name: str, items: Part, certificates: Part) -> Iterator[Any]:
    found = read_elsewhere(name, items, certificates)
    yield found
    yield [match_row(*pair) for pair in _pairs(found)]


def _pairs(read: Elsewhere) -> Iterator[tuple[str, str]]:
    """Yield the texts of every certificate and its key, as far as they are texts."""
    root = None if read[1] is None else read[1].root
    found = root.get("certificates") if isinstance(root, MappingNode) else None
    for entity in found if isinstance(found, SequenceNode) else ():
        if isinstance(entity, MappingNode):
            certificate, key = entity.get("cert"), entity.get("key")
            if isinstance(certificate, str) and isinstance(key, str):
                yield certificate, key
