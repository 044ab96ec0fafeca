"""The text that every path matching a regular expression begins with."""

from __future__ import annotations

_META = frozenset("^$.*+?()[]{}|\\")
_OPTIONAL = frozenset("*?{")
_ROOT = "/"


def literal_prefix(regex: str) -> str:
    """Return a prefix that all paths matched by *regex* share, `/` where nothing more is known.

    *regex* is as Kong holds it: anchored at the start, its alternatives not grouped, so that
    those behind the first may match anywhere.
    """
    if has_alternatives(regex):
        return _ROOT
    found = ""
    position = 0
    while position < len(regex):
        character = regex[position]
        position += 1
        if character == "\\" and position < len(regex) and not regex[position].isalnum():
            character = regex[position]
            position += 1
        elif character in _META:
            break
        if regex[position : position + 1] in _OPTIONAL:
            break
        found += character
    return found if found.startswith(_ROOT) else _ROOT


def has_alternatives(regex: str) -> bool:
    """Tell whether *regex* has alternatives that no group holds together."""
    return len(split_alternatives(regex)) > 1


def split_alternatives(regex: str) -> list[str]:
    """Return the alternatives of *regex* that no group holds together."""
    found = [""]
    depth = 0
    position = 0
    while position < len(regex):
        piece = _piece(regex, position)
        position += len(piece)
        if piece == "|" and depth == 0:
            found.append("")
            continue
        depth += {"(": 1, ")": -1}.get(piece, 0)
        found[-1] += piece
    return found


def _piece(regex: str, position: int) -> str:
    """Return the character at *position*, with what it escapes, or the whole of a class."""
    if regex[position] == "\\":
        return regex[position : position + 2]
    if regex[position] != "[":
        return regex[position]
    end = position + 1
    # A bracket that closes at once is a member of the class.
    end += regex.startswith("^", end)
    end += regex.startswith("]", end)
    depth = 1
    while end < len(regex) and depth:
        if regex[end] == "\\":
            end += 1
        depth += {"[": 1, "]": -1}.get(regex[end : end + 1], 0)
        end += 1
    return regex[position:end]
