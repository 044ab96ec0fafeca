"""A shortcut for YAML as tools write it: one field or item on a line, in plain or quoted words.

Nearly all lines of large files are `name: value`, `- name: value` or `- value`, or belong to a
text after `|`; most of them stand there again and again. These mean one thing only, whatever is
around them, and are read in less than half of the time that the parser's events take. Everything
else, mistakes included, is left to the parser: at the first line of another form nothing has been
read.
"""

from __future__ import annotations

import re
from sys import intern
from typing import Any

from compiler.model.document import MappingNode, SequenceNode
from compiler.read.scalars import SPECIAL_STARTS, plain_scalar

_USUAL = bytes([0x0A, *range(0x20, 0x7F)])

_DEEPEST = 50
"""How many open collections are followed; the parser has a limit, and words of its own for it."""

_MOST_KNOWN = 4096
"""How many lines are remembered, in case that they stand there again."""

# Inside a plain word, colons and blanks need something after them, which is no comment.
_LINE = re.compile(
    r"""(?P<indent>\ *) (?P<dash>-\ )?
    (?:(?P<key>[A-Za-z_][A-Za-z0-9_.-]{0,99}):(?:\ |\Z))?
    (?:(?P<plain>
          (?:[$(+./0-9;<=A-Z\\^_a-z~\xa0-\U0010ffff]|-(?!\ |\Z)) [^ :]*
          (?:(?:\ +[^ :\#]|:+[^ :])[^ :]*)*)
      |"(?P<double>[^"\\]*)"|'(?P<single>[^']*)'|(?P<text>\|-?))?""",
    re.VERBOSE,
)

_Line = tuple[int, bool, str | None, Any, str | None]
"""How far a line is indented, whether it begins an item, its key and its value.

The last is None, or how a value begins that follows in the next lines: `|`, `|-` or nothing.
"""


def read_regular(name: str, data: bytes) -> tuple[MappingNode | SequenceNode, int] | None:
    """Return the root of what *data* holds and the number of its nodes.

    None where it takes a parser to read it.
    """
    if b" \n" in data or not data.endswith(b"\n"):
        return None
    try:
        # Unusual are controls, among them other ends of lines, and marks that nobody sees.
        if not data.translate(None, _USUAL).decode().isprintable():
            return None
        rows = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    # The last row is an empty one, which ends any text.
    root, nodes = _read(name, rows) or (None, 0)
    return None if root is None or root.position[1] > 1 else (root, nodes)


def _read(name: str, rows: list[str]) -> tuple[Any, int] | None:  # noqa: C901, PLR0912, PLR0915 - the hot loop
    """Return the root of what stands in *rows*, and the number of its nodes."""
    known: dict[str, _Line] = {}
    # Around the root stands a mapping whose only key waits for it.
    outermost = MappingNode(name, (0, 0))
    container: Any = outermost
    column, in_mapping = -1, True
    waiting: str | None = ""
    stack: list[tuple[Any, int, bool]] = []
    # The root; each key and its value, each item.
    nodes = 1
    index = int(rows[0] == "---")
    end = len(rows) - 1
    while index < end:
        row = rows[index]
        index += 1
        parsed = known.get(row)
        if parsed is None:
            parsed = _parsed(row)
            if parsed is None:
                if not row or row.lstrip(" ").startswith("#"):
                    continue
                return None
            if len(known) < _MOST_KNOWN:
                known[row] = parsed
        start, is_item, key, value, follows = parsed
        if start != column or is_item or waiting is not None or not in_mapping:
            if waiting is not None:
                if start > column or (is_item and start == column):
                    stack.append((container, column, True))
                    in_mapping = not is_item
                    kind = MappingNode if in_mapping else SequenceNode
                    node = kind(name, (index, start + 1))
                    container[waiting] = node
                    container, column = node, start
                    if len(stack) > _DEEPEST:
                        return None
                else:
                    container[waiting] = None
                waiting = None
            while start < column or (start == column and not (is_item or in_mapping)):
                container, column, in_mapping = stack.pop()
            if start != column or in_mapping is is_item:
                return None
            if is_item:
                nodes += 1
                position = (index, start + 3)
                container.items_at.append(position)
                if key is not None:
                    stack.append((container, column, False))
                    node = MappingNode(name, position)
                    container.append(node)
                    container, column, in_mapping = node, start + 2, True
        if key is not None:
            if key in container:
                return None
            nodes += 2
            container.keys_at[key] = (index, column + 1)
        if follows is not None:
            if follows == "":
                waiting = key
                continue
            first = index
            margin = _margin(rows[index])
            if len(margin) <= column:
                return None
            while rows[index].startswith(margin):
                index += 1
            text = "\n".join(rows[first:index])[len(margin) :].replace("\n" + margin, "\n")
            value = text + "\n" if follows == "|" else text
        if in_mapping:
            container[key] = value
        else:
            container.append(value)
    if waiting is not None:
        container[waiting] = None
    return outermost[""], nodes


def _parsed(row: str) -> _Line | None:
    """Return what *row* says, or None if it is of another form."""
    found = _LINE.fullmatch(row)
    if found is None:
        return None
    indent, dash, key, plain, double, single, text = found.groups()
    value: Any = None
    follows = None
    if plain is not None:
        value = plain_scalar(plain) if plain[0] in SPECIAL_STARTS else plain
    elif double is not None or single is not None:
        value = single if double is None else double
    else:
        follows = text or ""
    if key is None and (dash is None or follows == ""):
        return None
    return len(indent), dash is not None, key and intern(key), value, follows


def _margin(row: str) -> str:
    return row[: len(row) - len(row.lstrip(" "))]
