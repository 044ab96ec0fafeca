"""Documents: YAML or JSON as read, every key and item with its position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.model.place import Place

Position = tuple[int, int]
"""Line and column, both from 1."""


class MappingNode(dict[str, Any]):
    """A mapping as read: keys in order, values plain scalars, `MappingNode` or `SequenceNode`.

    `position` is where the mapping begins, `keys_at` where each key is written.
    Equality is that of dict: positions do not count.
    """

    __slots__ = ("file", "keys_at", "position")

    def __init__(self, file: str, position: Position) -> None:
        self.file = file
        self.position = position
        self.keys_at: dict[str, Position] = {}

    def place(self, key: str | None = None) -> Place:
        """Return where *key* is written, or where the mapping begins if it is not."""
        line, column = self.keys_at.get(key, self.position) if key is not None else self.position
        return Place(self.file, line, column)


class SequenceNode(list[Any]):
    """A sequence as read; `items_at` holds each item's position."""

    __slots__ = ("file", "items_at", "position")

    def __init__(self, file: str, position: Position) -> None:
        self.file = file
        self.position = position
        self.items_at: list[Position] = []

    def place(self, index: int | None = None) -> Place:
        """Return where the item at *index* (from 0) is written, or where the sequence begins."""
        line, column = self.position if index is None else self.items_at[index]
        return Place(self.file, line, column)


@dataclass(frozen=True, slots=True)
class Document:
    """One declarative file: its name as given and its top-level mapping."""

    file: str
    root: MappingNode
