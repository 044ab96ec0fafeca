"""How long the text is that a regular expression matches."""

from __future__ import annotations

from compiler.router import rust_parser
from compiler.router.code_points import byte_length_of
from compiler.router.regex_nodes import (
    Alternatives,
    Character,
    CharacterClass,
    Group,
    Look,
    Members,
    Node,
    Repeat,
    members,
)
from compiler.router.rust_regex import path_pattern


def path_widths(text: str) -> tuple[int | None, ...]:
    """Return for each top-level alternative of a path ``~text`` how many bytes it matches.

    None stands for one that matches texts of several lengths. The first alternative is the one
    that Kong anchors.
    """
    node = rust_parser.parse(path_pattern(text))
    branches = node.nodes if isinstance(node, Alternatives) else (node,)
    return tuple(map(_width, branches))


def _width(node: Node) -> int | None:
    if isinstance(node, Look):
        return 0
    if isinstance(node, Character | CharacterClass):
        item = (
            node.item
            if isinstance(node, CharacterClass)
            else Members(((node.code, node.code),), node.fold)
        )
        return byte_length_of(members(item, unicode=True))
    if isinstance(node, Repeat):
        width = _width(node.node)
        fixed = node.low == node.high or width == 0
        return width * node.low if fixed and width is not None else None
    if isinstance(node, Group):
        return _width(node.node)
    widths = set(map(_width, node.nodes))
    if isinstance(node, Alternatives):
        return widths.pop() if len(widths) == 1 else None
    return None if None in widths else sum(width or 0 for width in map(_width, node.nodes))
