"""Cutting the certificates out of a large YAML file, to be read beside the rest of it.

A cut is a guess: that a line is a field of the top level when it looks like one. It is right when
each piece, read alone, is a mapping of whole fields, all begin in the first column, and nothing
at all is wrong with any; the parser would then have been in the same state in the whole file.
Otherwise the file is read as if it had never been cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.read.yaml_document import MAX_NODES, Piece, read_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from compiler.model.document import MappingNode
    from compiler.model.inputs import SourceText

WORTHWHILE = 500_000
"""The bytes of certificates that make a cut worth its trouble: those of some hundred pairs."""

_FIELD = b"\ncertificates:\n"
_NEXT_FIELD = re.compile(rb"\n[A-Za-z_]")


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the certificates of *source* begin and end, and the line (from 0) they begin at."""

    source: SourceText
    begin: int
    end: int
    line: int

    @property
    def data(self) -> bytes:
        """Return the certificates' text."""
        return self.source.data[self.begin : self.end]


def find_cut(sources: Sequence[SourceText]) -> Cut | None:
    """Return where the certificates of the first file with many of them stand."""
    for source in sources:
        found = source.data.find(_FIELD)
        if found < 0 or source.name.lower().endswith(".json"):
            continue
        begin = found + 1
        following = _NEXT_FIELD.search(source.data, begin)
        end = len(source.data) if following is None else following.start() + 1
        if end - begin >= WORTHWHILE:
            return Cut(source, begin, end, source.data.count(b"\n", 0, begin))
    return None


def read_around(cut: Cut, certificates: Callable[[], Piece | None]) -> MappingNode | None:
    """Read the document but for its certificates, which *certificates* gives; None if it fails."""
    name, data = cut.source.name, cut.source.data
    pieces = [read_piece(name, data[: cut.begin], 0)]
    if cut.end < len(data):
        last = read_piece(name, data[cut.end :], cut.line + cut.data.count(b"\n"))
    pieces.append(certificates())
    if cut.end < len(data):
        pieces.append(last)
    return _joined([piece for piece in pieces if piece is not None], cut, len(pieces))


def _joined(pieces: list[Piece], cut: Cut, count: int) -> MappingNode | None:
    if len(pieces) < count or sum(piece.nodes for piece in pieces) > MAX_NODES:
        return None
    root = pieces[0].root
    lines = [cut.line, cut.line + cut.data.count(b"\n")]
    # The parser knows more ends of lines than we looked for.
    if any(piece.line != line for piece, line in zip(pieces, lines, strict=False)):
        return None
    for piece in pieces[1:]:
        if not root.keys().isdisjoint(piece.root):
            return None
        root.update(piece.root)
        root.keys_at.update(piece.root.keys_at)
    return root
