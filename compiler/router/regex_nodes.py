"""What a regular expression of Rust's `regex` consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.router.code_points import (
    POSIX,
    Ranges,
    category,
    complement,
    intersection,
    normal,
    perl_class,
    with_cases,
)


class UnsupportedRegexError(ValueError):
    """The expression cannot be had; *reason* completes "the regular expression …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Members:
    """Characters by range."""

    ranges: Ranges
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A class with a name: one of Perl, of POSIX or of Unicode."""

    kind: Literal["perl", "posix", "category"]
    name: str
    fold: bool = False
    ascii_only: bool = False


@dataclass(frozen=True, slots=True)
class SetOf:
    """Classes combined: all of them, the common part, the rest of the first, what only one has."""

    operator: Literal["union", "&&", "--", "~~"]
    parts: tuple[ClassItem, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """All characters but those of a class."""

    item: ClassItem


ClassItem = Members | Named | SetOf | Negated


@dataclass(frozen=True, slots=True)
class Character:
    """One character; *fold* takes its other letter case too."""

    code: int
    fold: bool = False


@dataclass(frozen=True, slots=True)
class CharacterClass:
    """One character out of a class."""

    item: ClassItem


@dataclass(frozen=True, slots=True)
class Look:
    """A place in the text."""

    kind: Literal["start", "end", "line-start", "line-end", "word", "not-word"]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A repetition; *high* None is without end."""

    node: Node
    low: int
    high: int | None
    greedy: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group that captures."""

    node: Node
    name: str | None


@dataclass(frozen=True, slots=True)
class Concat:
    """One after the other."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The first that leads to a match."""

    nodes: tuple[Node, ...]


Node = Character | CharacterClass | Look | Repeat | Group | Concat | Alternatives


def members(item: ClassItem, *, unicode: bool) -> Ranges:
    r"""Return the characters of a class.

    Without *unicode* the classes of Perl and Unicode have their ASCII members only; what is not
    in them (``\D``, ``\PL``) takes in all other characters.
    """
    if isinstance(item, Members):
        return with_cases(item.ranges, unicode=unicode) if item.fold else item.ranges
    if isinstance(item, Named):
        return _named(item, unicode=unicode and not item.ascii_only)
    if isinstance(item, Negated):
        return complement(members(item.item, unicode=unicode))
    return _combined(item, unicode=unicode)


def _named(item: Named, *, unicode: bool) -> Ranges:
    if item.kind == "perl":
        return perl_class(item.name, unicode=unicode)
    found = POSIX[item.name] if item.kind == "posix" else category(item.name, unicode=unicode)
    return with_cases(found, unicode=unicode) if item.fold else found


def _combined(item: SetOf, *, unicode: bool) -> Ranges:
    result, *others = (members(part, unicode=unicode) for part in item.parts)
    for other in others:
        if item.operator == "union":
            result = normal((*result, *other))
        elif item.operator == "&&":
            result = intersection(result, other)
        elif item.operator == "--":
            result = intersection(result, complement(other))
        else:
            both = intersection(result, other)
            result = intersection(normal((*result, *other)), complement(both))
    return result
