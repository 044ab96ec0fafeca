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
    depth = 0
    in_class = 0
    position = 0
    while position < len(regex):
        character = regex[position]
        if character == "\\":
            position += 1
        elif in_class:
            in_class += {"[": 1, "]": -1}.get(character, 0)
        elif character == "[":
            in_class = 1
            # A bracket that closes at once is a member of the class.
            position += regex.startswith(("]", "^]"), position + 1) + regex.startswith(
                "^]", position + 1
            )
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            return True
        position += 1
    return False
