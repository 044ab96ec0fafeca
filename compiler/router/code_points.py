"""Sets of characters as sorted, disjoint ranges of code points."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Ranges = tuple[tuple[int, int], ...]
"""First and last code point of each range, ascending."""

LAST = 0x10FFFF
EVERYTHING: Ranges = ((0, LAST),)
ASCII: Ranges = ((0, 0x7F),)
NON_ASCII: Ranges = ((0x80, LAST),)

_FOLD_LIMIT = 0x1000
_PERL_ASCII: dict[str, Ranges] = {
    "d": ((0x30, 0x39),),
    "s": ((0x09, 0x0D), (0x20, 0x20)),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
}
POSIX: dict[str, Ranges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ASCII,
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": _PERL_ASCII["d"],
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": _PERL_ASCII["s"],
    "upper": ((0x41, 0x5A),),
    "word": _PERL_ASCII["w"],
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
"""Members of ``[:name:]``, which are ASCII in Rust as well."""

CATEGORIES = frozenset(
    major + minor
    for major, minors in {
        "C": "cfnos",
        "L": "lmotu",
        "M": "cen",
        "N": "dlo",
        "P": "cdefios",
        "S": "ckmo",
        "Z": "lps",
    }.items()
    for minor in ("", *minors)
)
"""The properties of Unicode that are known: general categories by their short names."""


def normal(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return *ranges* sorted, with those that touch made one."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """Return all other code points."""
    out: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            out.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        out.append((start, LAST))
    return tuple(out)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """Return what is in both."""
    return normal(
        (max(a, c), min(b, d)) for a, b in left for c, d in right if max(a, c) <= min(b, d)
    )


def with_cases(ranges: Ranges, *, unicode: bool) -> Ranges:
    """Return *ranges* with the other letter case of each letter.

    Without *unicode* an ASCII letter has no other case than the ASCII one.
    """
    found = list(ranges)
    for low, high in ranges:
        if high - low < _FOLD_LIMIT:
            for code in range(low, high + 1):
                found += [(other, other) for other in _cases(code, unicode=unicode)]
    return normal(found)


def _cases(code: int, *, unicode: bool) -> set[int]:
    character = chr(code)
    others = {character.lower(), character.upper(), character.lower().upper()}
    if unicode:
        # The Kelvin sign and the long s are letters of ASCII to whoever ignores case.
        others |= {"k": {"\u212a"}, "s": {"\u017f"}}.get(character.lower(), set())
        return {ord(other) for other in others if len(other) == 1}
    return {ord(o) for o in others if len(o) == 1 and (ord(o) < 0x80) == (code < 0x80)}


def perl_class(letter: str, *, unicode: bool) -> Ranges:
    r"""Return the members of ``\d``, ``\s`` or ``\w``."""
    return _UNICODE_CLASSES[letter]() if unicode else _PERL_ASCII[letter]


@lru_cache(maxsize=64)
def category(name: str, *, unicode: bool) -> Ranges:
    r"""Return the members of ``\p{name}``, or those of them that are ASCII."""
    last = LAST if unicode else 0x7F
    return _where(lambda c: unicodedata.category(c).startswith(name), last)


@lru_cache(maxsize=1)
def _digits() -> Ranges:
    return category("Nd", unicode=True)


@lru_cache(maxsize=1)
def _white_space() -> Ranges:
    # str.isspace() has the separators U+001C to U+001F too, which are no White_Space.
    return _where(lambda c: c.isspace() and not "\x1c" <= c <= "\x1f", 0xFFFF)


@lru_cache(maxsize=1)
def _word() -> Ranges:
    def is_word(character: str) -> bool:
        return (
            character.isalnum()
            or character in "\u200c\u200d"
            or unicodedata.category(character) in {"Mn", "Mc", "Me", "Pc", "Nl"}
        ) and unicodedata.category(character) != "No"

    return _where(is_word, LAST)


_UNICODE_CLASSES = {"d": _digits, "s": _white_space, "w": _word}


def _where(test: Callable[[str], bool], last: int) -> Ranges:
    return normal((code, code) for code in range(last + 1) if test(chr(code)))


def utf8_sequences(ranges: Ranges) -> list[list[tuple[int, int]]]:
    """Return *ranges* as sequences of byte ranges: what UTF-8 encodes them to."""
    sequences: list[list[tuple[int, int]]] = []
    for low, high in ranges:
        for start, end in ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, LAST)):
            if low <= end and high >= start:
                first, final = max(low, start), min(high, end)
                sequences += _of_one_length(_encode(first), _encode(final))
    return sequences


def _encode(code: int) -> bytes:
    return chr(code).encode("utf-8", "surrogatepass")


def _of_one_length(low: bytes, high: bytes) -> list[list[tuple[int, int]]]:
    """Split the range from *low* to *high* until each byte is independent of those before."""
    if len(low) == 1 or low[0] == high[0]:
        rest = _of_one_length(low[1:], high[1:]) if len(low) > 1 else [[]]
        return [[(low[0], high[0]), *tail] for tail in rest]
    size = len(low) - 1
    least, most = b"\x80" * size, b"\xbf" * size
    out: list[list[tuple[int, int]]] = []
    first, last = low[0], high[0]
    if low[1:] != least:
        out += [[(first, first), *tail] for tail in _of_one_length(low[1:], most)]
        first += 1
    tail_part: list[list[tuple[int, int]]] = []
    if high[1:] != most:
        tail_part = [[(last, last), *tail] for tail in _of_one_length(least, high[1:])]
        last -= 1
    if first <= last:
        out.append([(first, last), *[(0x80, 0xBF)] * size])
    return out + tail_part


def byte_length_of(ranges: Ranges) -> int | None:
    """Return how many bytes each of *ranges* takes in UTF-8; None if not all take as many."""
    lengths = {len(_encode(code)) for pair in ranges for code in pair}
    return lengths.pop() if len(lengths) == 1 else None
