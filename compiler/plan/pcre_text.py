"""Regular expressions of flavor traditional as parts of nginx's: it is PCRE in both.

nginx makes a variable of every named group, and puts text and groups of ours around what
`strip_path` takes away. What would then mean something else is refused.
"""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""\\Q.*?(?:\\E|\Z)
      | \\.
      | \[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]
      | \(\?(?:P?<(?![=!])|')
      | \(\?\#[^)]*\)
      | \([*?]\(?[^()]{0,12}
      | .""",
    re.VERBOSE | re.DOTALL,
)
_NAMED = re.compile(r"\(\?(?:P?<|')")
_NAME = re.compile(r"\w*[>']")
_REFERENCE = re.compile(r"\\[gk]|\(\?(?:P[=>]|&|R|[+-]?\d|\()")
_NUMBER = re.compile(r"\\[1-9]")
_STARTS = frozenset({"^", r"\A"})
_ENDS = frozenset({"$", r"\z", r"\Z"})
_SEES_OTHERS = re.compile(r"\\G|\(\?(?:[=!>]|<[=!])|[*+?}]\+")
"""What looks beyond what is matched, or would not give back what belongs to another value."""

_BLANKS = re.compile(r"\(\?[a-zA-Z^-]*x[a-zA-Z-]*[:)]?")


def without_names(regex: str) -> str:
    """Return *regex* with its named groups as plain ones: their numbers stay."""
    found = ""
    position = 0
    while position < len(regex):
        piece = _piece(regex, position)
        position += len(piece)
        if _NAMED.fullmatch(piece):
            name = _NAME.match(regex, position)
            position = name.end() if name else position
            piece = "("
        found += piece
    return found


def in_list(regex: str) -> str | None:
    """Return *regex* for one or more values with `, ` between them, so that it matches any.

    The ends of each value are those of a text then. None where that cannot be had.
    """
    found = ""
    position = 0
    while position < len(regex):
        piece = _piece(regex, position)
        if _BLANKS.match(regex, position) or _SEES_OTHERS.match(regex, position):
            return None
        position += len(piece)
        if piece in _STARTS:
            piece = "(?:^|(?<=, ))"
        elif piece in _ENDS:
            piece = r"(?:\z|(?=, ))"
        found += piece
    return found


def pcre_problem(regex: str, *, strips: bool) -> str | None:
    """Return why *regex* cannot be part of a larger one, None if it can.

    *strips* tells that there are groups of ours before its own.
    """
    position = 0
    ignores_blanks = False
    while position < len(regex):
        piece = _piece(regex, position)
        position += len(piece)
        ignores_blanks = ignores_blanks or bool(_BLANKS.match(piece))
        if _REFERENCE.match(piece) or (strips and _NUMBER.match(piece)):
            return f"refers to a group by {piece}"
        if piece.startswith("(*"):
            return f"has the verb {piece}"
        if piece.startswith("\\Q") and not piece.endswith("\\E"):
            return "quotes what follows it"
        if piece == "#" and ignores_blanks:
            return "has a comment that what follows would belong to"
    return None


def _piece(regex: str, position: int) -> str:
    """Return the character at *position*, or as much as belongs to it."""
    found = _PIECE.match(regex, position)
    return regex[position] if found is None else found[0]
