"""What a second process does ahead of the pipeline: it reads certificates and matches the pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.model.document import MappingNode, SequenceNode
from compiler.read.pieces import find_cut
from compiler.read.yaml_document import Piece, read_piece
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
        self._piece: Piece | None = None

    @classmethod
    def begin(cls, sources: Sequence[SourceText], second: SecondProcess) -> Ahead | None:
        """Start *second* and the reading, where both are worth it."""
        cut = find_cut(sources)
        if cut is None or not can_start():
            return None
        second.start()
        return cls(cut, second.ask(_read_and_match, cut.source.name, cut.data, cut.line))

    @property
    def cut(self) -> tuple[Cut, Callable[[], Piece | None]]:
        """Return what is read ahead, and the function that gives it."""
        return self._cut, self._read

    def _read(self) -> Piece | None:
        try:
            self._piece = next(self._answers)
        except DiedError:
            return None
        return self._piece

    def matches(self) -> Matches:
        """Return what became of the pairs."""
        if self._piece is None:
            return {}
        try:
            rows = next(self._answers)
        except DiedError:
            return {}
        pairs = _pairs(self._piece.root)
        return {pair: match_of(row, *pair) for pair, row in zip(pairs, rows, strict=True)}


def _read_and_match(name: str, data: bytes, line: int) -> Iterator[Any]:
    piece = read_piece(name, data, line)
    yield piece
    if piece is not None:
        yield [match_row(*pair) for pair in _pairs(piece.root)]


def _pairs(root: MappingNode) -> Iterator[tuple[str, str]]:
    """Yield the texts of every certificate and its key, as far as they are texts."""
    found = root.get("certificates")
    for entity in found if isinstance(found, SequenceNode) else ():
        if isinstance(entity, MappingNode):
            certificate, key = entity.get("cert"), entity.get("key")
            if isinstance(certificate, str) and isinstance(key, str):
                yield certificate, key
