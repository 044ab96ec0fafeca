r"""Regular expressions of routes, run by Python's `re`.

Those of Rust are translated from what they mean. Those of flavor traditional are PCRE, which
`re` understands but for spellings and a few rare constructs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from compiler.router import rust_parser
from compiler.router.regex_nodes import (
    Alternatives,
    Character,
    CharacterClass,
    Concat,
    Group,
    Look,
    Members,
    Node,
    Repeat,
    UnsupportedRegexError,
    members,
)
from compiler.router.rust_regex import path_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.router.patterns import Flavor

_POSTFIX = "uri_postfix"
_FLAGS = re.compile(r"\(\?([imsx]+)\)")
_LOOKS = {
    "start": r"\A",
    "end": r"\Z",
    "line-start": r"(?m:^)",
    "line-end": r"(?m:$)",
    "word": r"\b",
    "not-word": r"\B",
}


@dataclass(frozen=True, slots=True)
class PathMatch:
    """What matched; *text* is None where nothing is to be stripped."""

    text: str | None
    captures: Mapping[str, str] = field(default_factory=dict)


def match(regex: str, path: str, flavor: Flavor) -> PathMatch | None:
    """Return how *path* matches the path ``~regex`` of a route, or None."""
    if flavor == "traditional":
        return _match_traditional(regex, path)
    found = search(path_pattern(regex), path)
    if found is None:
        return None
    # Without groups Kong gives no captures, not even the whole.
    return PathMatch(found[0], _captures(found) if found.re.groups else {})


def search(regex: str, text: str) -> re.Match[str] | None:
    """Return what a regular expression of Rust's finds in *text*."""
    return _of_rust(regex).search(text)


def finds(regex: str, text: str, *, traditional: bool) -> bool:
    """Whether *regex* of a header finds something in *text*."""
    if not traditional:
        return search(regex, text) is not None
    return _of_pcre(regex).search(_bytes(text)) is not None


def _match_traditional(regex: str, path: str) -> PathMatch | None:
    """Match there, with everything after the match in a group of its own.

    That group belongs to the last alternative only; where another one matched nothing is
    stripped.
    """
    raw = _bytes(path)
    pattern = _of_pcre(f"{regex}(?P<{_POSTFIX}>.*)")
    found = pattern.match(raw)
    if found is None:
        return None
    captures = _captures(found)
    postfix = found[_POSTFIX]
    if postfix is None:
        return PathMatch(None, captures)
    for name in (_POSTFIX, str(pattern.groups)):
        captures.pop(name, None)
    if pattern.groups == 1:
        captures = {}
    return PathMatch(_text(raw[: len(raw) - len(postfix)]), captures)


def _captures(found: re.Match[str] | re.Match[bytes]) -> dict[str, str]:
    groups = {str(number): found[number] for number in range(found.re.groups + 1)}
    groups |= found.groupdict()
    return {name: _text(value) for name, value in groups.items() if value is not None}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=4096)
def _of_rust(regex: str) -> re.Pattern[str]:
    return re.compile(_written(rust_parser.parse(regex)))


@lru_cache(maxsize=4096)
def _of_pcre(regex: str) -> re.Pattern[bytes]:
    spelled = _scoped_flags(re.sub(r"\(\?<(?![=!])", "(?P<", regex.replace(r"\z", r"\Z")))
    try:
        return re.compile(_bytes(spelled))
    except re.error as error:
        raise UnsupportedRegexError(f"cannot be evaluated ({error})") from error


def _scoped_flags(pattern: str) -> str:
    """Return *pattern* with ``(?i)`` as a group up to the end: `re` wants that in front."""
    found = _FLAGS.search(pattern)
    if found is None:
        return pattern
    rest = _scoped_flags(pattern[found.end() :])
    return f"{pattern[: found.start()]}(?{found[1]}:{rest})"


def _written(node: Node) -> str:
    if isinstance(node, Alternatives):
        return f"(?:{'|'.join(map(_written, node.nodes))})"
    if isinstance(node, Concat):
        return f"(?:{''.join(map(_written, node.nodes))})"
    if isinstance(node, Repeat):
        high = "" if node.high is None else node.high
        return f"(?:{_written(node.node)}){{{node.low},{high}}}{'' if node.greedy else '?'}"
    if isinstance(node, Group):
        return f"({f'?P<{node.name}>' if node.name else ''}{_written(node.node)})"
    if isinstance(node, Look):
        return _LOOKS[node.kind]
    return _one_character(node)


def _one_character(node: Character | CharacterClass) -> str:
    item = (
        node.item
        if isinstance(node, CharacterClass)
        else Members(((node.code, node.code),), node.fold)
    )
    ranges = members(item, unicode=True)
    return (
        "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges) + "]"
        if ranges
        else "(?!)"
    )
