"""Cutting a large YAML file into pieces, some of which are read in another process.

A cut is a guess: that a line begins a field of the top level, or an item of its list, because it
looks like one. It is right when each piece, read alone, is what it was taken for, all begin in
the first column, and nothing at all is wrong with any; the parser would then have been in the
same state in the whole file. Otherwise the file is read as if it had never been cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.model.document import MappingNode, SequenceNode
from compiler.read.yaml_document import MAX_NODES, Piece, read_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from compiler.model.inputs import SourceText

WORTHWHILE = 500_000
"""The bytes of certificates that make cuts worth their trouble: those of some hundred pairs."""

_FIELD = b"\ncertificates:\n"
_NEXT_FIELD = re.compile(rb"\n[A-Za-z_]")
_ITEM = b"\n- "

_KEPT = 0.78
"""The share of the fields before that is read here, while items and certificates are elsewhere:
so that both are done at about the same time where there is a certificate for each service."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file, from *line* (from 0) on."""

    data: bytes
    line: int

    @property
    def end(self) -> int:
        """Return the line after the last."""
        return self.line + self.data.count(b"\n")


@dataclass(frozen=True, slots=True)
class Cut:
    """The parts of *source*: fields, more items of the last of them, certificates, more fields."""

    source: SourceText
    fields: Part
    items: Part
    certificates: Part
    rest: Part


def find_cut(sources: Sequence[SourceText]) -> Cut | None:
    """Return the parts of the first file with many certificates."""
    for source in sources:
        data = source.data
        begin = data.find(_FIELD) + 1
        if begin == 0 or source.name.lower().endswith(".json"):
            continue
        following = _NEXT_FIELD.search(data, begin)
        end = len(data) if following is None else following.start() + 1
        if end - begin >= WORTHWHILE:
            item = data.find(_ITEM, int(begin * _KEPT), begin) + 1
            return _cut(source, item or begin, begin, end)
    return None


def _cut(source: SourceText, *offsets: int) -> Cut:
    parts, begin, line = [], 0, 0
    for end in (*offsets, len(source.data)):
        parts.append(Part(source.data[begin:end], line))
        begin, line = end, parts[-1].end
    return Cut(source, *parts)


Elsewhere = tuple[Piece | None, Piece | None]
"""What was read in another process: items and certificates."""


def read_elsewhere(name: str, items: Part, certificates: Part) -> Elsewhere:
    """Read what another process reads."""
    return _read(name, items), _read(name, certificates)


def read_around(cut: Cut, elsewhere: Callable[[], Elsewhere]) -> MappingNode | None:
    """Read the document but for what *elsewhere* gives; None if it has to be read as a whole."""
    name = cut.source.name
    fields, rest = _read(name, cut.fields), _read(name, cut.rest)
    items, certificates = elsewhere()
    parts = (cut.fields, cut.items, cut.certificates, cut.rest)
    pieces = (fields, items, certificates, rest)
    if fields is None or not all(map(_is_whole, parts, pieces)):
        return None
    if sum(piece.nodes for piece in pieces if piece is not None) > MAX_NODES:
        return None
    root = fields.root
    if not isinstance(root, MappingNode) or (items and not _add_items(root, items, cut.fields)):
        return None
    return root if _add_fields(root, certificates) and _add_fields(root, rest) else None


def _read(name: str, part: Part) -> Piece | None:
    return read_piece(name, part.data, part.line) if part.data else None


def _is_whole(part: Part, piece: Piece | None) -> bool:
    """Tell whether a part was read; the parser knows more ends of lines than we looked for."""
    if piece is None:
        return not part.data
    return piece.line == part.end or not part.data.endswith(b"\n")


def _add_fields(root: MappingNode, piece: Piece | None) -> bool:
    if piece is None:
        return True
    added = piece.root
    if not isinstance(added, MappingNode) or not root.keys().isdisjoint(added):
        return False
    root.update(added)
    root.keys_at.update(added.keys_at)
    return True


def _add_items(root: MappingNode, piece: Piece, before: Part) -> bool:
    """Add items to the last field, if that is a list whose items begin in the first column."""
    name = next(reversed(root), "")
    items, added = root.get(name), piece.root
    if not isinstance(items, SequenceNode) or not isinstance(added, SequenceNode):
        return False
    begins = before.data.rfind(name.encode("utf-8", "replace") + b":" + _ITEM)
    if begins < 0 or before.data.count(b"\n", 0, begins) + 1 != root.keys_at[name][0]:
        return False
    items.extend(added)
    items.items_at.extend(added.items_at)
    return True
