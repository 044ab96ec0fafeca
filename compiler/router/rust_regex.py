r"""Regular expressions of Kong's router, which are Rust's, as PCRE for nginx.

nginx compares bytes. A character that is not ASCII becomes its bytes in UTF-8, and a class with
such characters matches whole sequences of bytes, so that ``.`` stays one character. Two things
are the ASCII ones that are Unicode in Rust: the classes ``\d \s \w \b \p`` with their
complements (which take in every other character), and the letter case of ``k`` and ``s``;
`is_exact` tells. Subjects have to be UTF-8: Kong refuses others before it compares.

``(?P<n>…)`` becomes a plain group: to nginx a name is a variable. Where Rust's engine takes linear
time, PCRE may take longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from compiler.router import rust_parser
from compiler.router.code_points import (
    NON_ASCII,
    Ranges,
    complement,
    intersection,
    utf8_sequences,
)
from compiler.router.regex_nodes import (
    Alternatives,
    Character,
    CharacterClass,
    ClassItem,
    Concat,
    Group,
    Look,
    Members,
    Named,
    Negated,
    Node,
    Repeat,
    SetOf,
    UnsupportedRegexError,
    members,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UnsupportedRegexError", "is_exact", "path_pattern", "path_to_pcre", "to_pcre"]

_SPECIAL = frozenset("\\^$.|?*+()[]{}")
_LOOKS = {
    "start": "^",
    "end": r"\z",
    "line-start": r"(?<![^\n])",
    "line-end": r"(?![^\n])",
    "word": r"\b",
    "not-word": r"\B",
}
_START_OF_VALUE = "(?:^|(?<=, ))"
_END_OF_VALUE = r"(?:\z|(?=, ))"
_LOOKS_IN_LIST = _LOOKS | {
    "start": _START_OF_VALUE,
    "end": _END_OF_VALUE,
    "line-start": _START_OF_VALUE,
    "line-end": _END_OF_VALUE,
}
_MAX_SEQUENCES = 40
# A first byte and all that continue it; the subject is known to be UTF-8.
_ANY_NON_ASCII = r"[\xc2-\xf4][\x80-\xbf]++"


def path_pattern(text: str) -> str:
    """Return the expression that Kong makes of a path ``~text``.

    It is anchored without a group, so that ``/a|/b`` matches ``/b`` anywhere; and each ``?<``
    becomes ``?P<``, wherever it stands.
    """
    return "^" + text.replace("?<", "?P<")


def path_to_pcre(text: str, *, capture: bool = True) -> str:
    """Return the PCRE pattern for a path ``~text`` of a route, anchored as Kong anchors it."""
    return to_pcre(path_pattern(text), capture=capture)


def to_pcre(text: str, *, capture: bool = True, in_list: bool = False) -> str:
    """Return the PCRE pattern that finds in bytes of UTF-8 what *text* finds for Rust.

    Without *capture* no group captures. With *in_list*, the subject is one or more values with
    `, ` between them, and the ends of each are those of a text; no value may hold a newline.

    :raises UnsupportedRegexError: if *text* is refused by Rust, or has no counterpart
    """
    looks = _LOOKS_IN_LIST if in_list else _LOOKS
    return _Writer(capture, looks).write(rust_parser.parse(text))


@lru_cache(maxsize=1024)
def is_exact(text: str) -> bool:
    """Whether `to_pcre` agrees for all subjects, not only for those in ASCII."""
    return _node_is_exact(rust_parser.parse(text))


@dataclass(frozen=True, slots=True)
class _Writer:
    capture: bool
    looks: Mapping[str, str]

    def write(self, node: Node) -> str:
        """Return *node* as a whole pattern or group."""
        return self._write(node, follow=True)

    def _write(self, node: Node, *, follow: bool) -> str:
        """Write *node*; *follow* tells that what comes after it never begins inside a character.

        Then a class that takes in all characters outside ASCII may be repeated byte by byte.
        """
        if isinstance(node, Alternatives):
            return "|".join(self._write(branch, follow=follow) for branch in node.nodes)
        if isinstance(node, Concat):
            return self._concat(node, follow=follow)
        if isinstance(node, Repeat):
            return self._repeat(node, follow=follow)
        if isinstance(node, Group):
            inner = self._write(node.node, follow=follow)
            return f"({inner})" if self.capture else f"(?:{inner})"
        if isinstance(node, Look):
            return self.looks[node.kind]
        return _one_character(node)

    def _concat(self, node: Concat, *, follow: bool) -> str:
        written: list[str] = []
        for part in reversed(node.nodes):
            written.append(self._part(part, follow=follow))
            follow = not _may_begin_inside(part) and (follow or not _may_be_empty(part))
        return "".join(reversed(written))

    def _part(self, node: Node, *, follow: bool) -> str:
        text = self._write(node, follow=follow)
        # A Concat in a Concat is a group that captures nothing; it may hold alternatives.
        return f"(?:{text})" if isinstance(node, Alternatives | Concat) else text

    def _repeat(self, node: Repeat, *, follow: bool) -> str:
        ranges = _byte_wise(node)
        if ranges is not None and follow:
            atom = _byte_class(ranges, beyond_ascii=True)
        else:
            atom = self._atom(node.node)
        return atom + _count(node)

    def _atom(self, node: Node) -> str:
        """Write what is repeated: what follows it may be itself."""
        text = self._write(node, follow=not _may_begin_inside(node))
        single = isinstance(node, Group) or (
            isinstance(node, Character | CharacterClass) and _is_one_unit(text)
        )
        return text if single else f"(?:{text})"


def _count(node: Repeat) -> str:
    signs = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    sign = signs.get((node.low, node.high))
    if sign is None:
        high = "" if node.high is None else str(node.high)
        sign = f"{{{node.low}}}" if node.low == node.high else f"{{{node.low},{high}}}"
    return sign if node.greedy else sign + "?"


def _byte_wise(node: Repeat) -> Ranges | None:
    """Return the class that *node* repeats without end, if all characters but ASCII are in it.

    A lazy repetition would stop inside a character.
    """
    if node.high is not None or node.low > 1 or not node.greedy:
        return None
    if not isinstance(node.node, CharacterClass):
        return None
    ranges = members(node.node.item, unicode=False)
    return ranges if intersection(ranges, NON_ASCII) == NON_ASCII else None


def _may_begin_inside(node: Node) -> bool:
    """Whether the pattern written for *node* may begin with any byte of a character."""
    if isinstance(node, Repeat):
        return _byte_wise(node) is not None or _may_begin_inside(node.node)
    if isinstance(node, Group):
        return _may_begin_inside(node.node)
    if isinstance(node, Alternatives | Concat):
        # For a Concat this is more than need be.
        return any(map(_may_begin_inside, node.nodes))
    return isinstance(node, Look) and node.kind == "not-word"


def _may_be_empty(node: Node) -> bool:
    if isinstance(node, Repeat):
        return node.low == 0 or _may_be_empty(node.node)
    if isinstance(node, Group):
        return _may_be_empty(node.node)
    if isinstance(node, Concat):
        return all(map(_may_be_empty, node.nodes))
    if isinstance(node, Alternatives):
        return any(map(_may_be_empty, node.nodes))
    return isinstance(node, Look)


def _one_character(node: Character | CharacterClass) -> str:
    if isinstance(node, Character) and not node.fold:
        return _literal(node.code)
    item = (
        node.item
        if isinstance(node, CharacterClass)
        else Members(((node.code, node.code),), fold=True)
    )
    ranges = members(item, unicode=False)
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _literal(ranges[0][0])
    return _written_class(ranges)


def _written_class(ranges: Ranges) -> str:
    beyond = intersection(ranges, NON_ASCII)
    ascii_part = intersection(ranges, ((0, 0x7F),))
    if not beyond:
        return _byte_class(ascii_part, beyond_ascii=False)
    parts = [_byte_class(ascii_part, beyond_ascii=False)] if ascii_part else []
    if beyond == NON_ASCII:
        parts.append(_ANY_NON_ASCII)
    else:
        sequences = utf8_sequences(beyond)
        if len(sequences) > _MAX_SEQUENCES:
            raise UnsupportedRegexError("has a class of too many characters outside of ASCII")
        parts += ["".join(_byte_range(*pair) for pair in sequence) for sequence in sequences]
    return f"(?:{'|'.join(parts)})"


def _byte_class(ranges: Ranges, *, beyond_ascii: bool) -> str:
    """Return a class of ASCII characters, with all other bytes if *beyond_ascii*."""
    ranges = intersection(ranges, ((0, 0x7F),))
    if not ranges and not beyond_ascii:
        return "(?!)"
    if beyond_ascii:
        outside = _complement_in_ascii(ranges)
        return rf"[^{_spelled(outside)}]" if outside else r"[\x00-\xff]"
    return f"[{_spelled(ranges)}]"


def _complement_in_ascii(ranges: Ranges) -> Ranges:
    return intersection(complement(ranges), ((0, 0x7F),))


def _spelled(ranges: Ranges) -> str:
    return "".join(
        _in_class(low)
        if low == high
        else f"{_in_class(low)}{'-' if high > low + 1 else ''}{_in_class(high)}"
        for low, high in ranges
    )


def _in_class(code: int) -> str:
    if chr(code) in "\\]^[-":
        return "\\" + chr(code)
    return chr(code) if 0x20 <= code < 0x7F else f"\\x{code:02x}"


def _byte_range(low: int, high: int) -> str:
    return f"\\x{low:02x}" if low == high else f"[\\x{low:02x}-\\x{high:02x}]"


def _literal(code: int) -> str:
    character = chr(code)
    if character in _SPECIAL:
        return "\\" + character
    return character if 0x20 <= code != 0x7F else f"\\x{code:02x}"


def _is_one_unit(text: str) -> bool:
    """Whether a quantifier after *text* takes all of it."""
    return len(text.encode()) == 1 or text.startswith(("[", "(", "\\"))


def _node_is_exact(node: Node) -> bool:
    if isinstance(node, Character):
        return not (node.fold and chr(node.code) in "kKsS")
    if isinstance(node, CharacterClass):
        return _item_is_exact(node.item)
    if isinstance(node, Look):
        return node.kind not in {"word", "not-word"}
    if isinstance(node, Repeat | Group):
        return _node_is_exact(node.node)
    return all(map(_node_is_exact, node.nodes))


def _item_is_exact(item: ClassItem) -> bool:
    if isinstance(item, Named):
        return (item.kind == "posix" and not item.fold) or item.ascii_only
    if isinstance(item, Negated):
        return _item_is_exact(item.item)
    if isinstance(item, SetOf):
        return all(map(_item_is_exact, item.parts))
    return not (
        item.fold and any(low <= ord(c) <= high for c in "kKsS" for low, high in item.ranges)
    )
