"""The groups of a regular expression that capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.router import rust_parser
from compiler.router.regex_nodes import Alternatives, Concat, Group, Repeat
from compiler.router.rust_regex import path_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.router.regex_nodes import Node


def path_groups(text: str) -> tuple[str | None, ...]:
    """Return the names of the groups of a path ``~text``, in order; None for one without."""
    return tuple(_groups(rust_parser.parse(path_pattern(text))))


def group_number(text: str, capture: str) -> int | None:
    """Return the number of the group that *capture* (a name or a number) means, None if none."""
    names = path_groups(text)
    if capture in names:
        return names.index(capture) + 1
    if capture.isascii() and capture.isdigit() and 1 <= int(capture) <= len(names):
        return int(capture)
    return None


def _groups(node: Node) -> Iterator[str | None]:
    if isinstance(node, Group):
        yield node.name
        yield from _groups(node.node)
    elif isinstance(node, Repeat):
        yield from _groups(node.node)
    elif isinstance(node, Concat | Alternatives):
        for inner in node.nodes:
            yield from _groups(inner)
