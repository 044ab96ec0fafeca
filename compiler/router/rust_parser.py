"""A parser of the regular expressions of Rust's `regex` crate, version 1."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from compiler.router.code_points import EVERYTHING
from compiler.router.regex_escapes import Escapes
from compiler.router.regex_nodes import (
    Alternatives,
    Character,
    CharacterClass,
    Concat,
    Group,
    Look,
    Members,
    Negated,
    Node,
    Repeat,
    UnsupportedRegexError,
)

_COUNT = re.compile(r"\{\s*([0-9]{1,5})\s*(?:(,)\s*([0-9]{0,5})\s*)?\}")
_GROUP_NAME = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_.\[\]]*)>")
_GROUP_FLAGS = re.compile(r"\?([imsUuxR-]*)([:)])")
_LOOK_AROUND = ("?=", "?!", "?<=", "?<!")
_NEWLINE = ((0x0A, 0x0A),)
_MAX_DEPTH = 100
_MAX_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Flags:
    """What ``(?…)`` switches."""

    i: bool = False
    m: bool = False
    s: bool = False
    swap: bool = False
    unicode: bool = True
    x: bool = False


@dataclass(slots=True)
class _Parser(Escapes):
    names: set[str] = field(default_factory=set)
    depth: int = 0

    def parse(self) -> Node:
        node = self._alternatives(Flags())
        if self.at < len(self.text):
            raise UnsupportedRegexError("has a ')' without '('")
        return node

    def _alternatives(self, flags: Flags) -> Node:
        """Read up to the end of the group; flags that are set inside last as long."""
        found: list[Node] = []
        while True:
            node, flags = self._concat(flags)
            found.append(node)
            if not self.take("|"):
                return found[0] if len(found) == 1 else Alternatives(tuple(found))

    def _concat(self, flags: Flags) -> tuple[Node, Flags]:
        nodes: list[Node] = []
        while self.at < len(self.text) and self.peek() not in {"|", ")"}:
            if flags.x and self._skip_comment():
                continue
            if self.peek() in {"*", "+", "?", "{"}:
                self._repeat(nodes, flags)
                continue
            atom = self._atom(flags)
            if isinstance(atom, Flags):
                flags = atom
            else:
                nodes.append(atom)
        return (nodes[0] if len(nodes) == 1 else Concat(tuple(nodes))), flags

    def _skip_comment(self) -> bool:
        if self.peek().isspace():
            self.at += 1
            return True
        if not self.take("#"):
            return False
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end
        return True

    def _repeat(self, nodes: list[Node], flags: Flags) -> None:
        if not nodes:
            raise UnsupportedRegexError(f"repeats nothing at {self.text[self.at :][:10]!r}")
        low, high = self._count()
        greedy = self.take("?") == flags.swap
        if (high or low) > _MAX_SIZE:
            raise UnsupportedRegexError(f"repeats more than {_MAX_SIZE} times")
        nodes[-1] = Repeat(nodes[-1], low, high, greedy)

    def _count(self) -> tuple[int, int | None]:
        sign = self.peek()
        if sign != "{":
            self.at += 1
            return int(sign == "+"), 1 if sign == "?" else None
        found = _COUNT.match(self.text, self.at)
        if found is None:
            raise UnsupportedRegexError("has a '{' that is not the beginning of a repetition")
        self.at = found.end()
        low = int(found[1])
        high = low if found[2] is None else int(found[3]) if found[3] else None
        if high is not None and high < low:
            raise UnsupportedRegexError(f"has the impossible repetition {found[0]}")
        return low, high

    def _atom(self, flags: Flags) -> Node | Flags:
        character = self.peek()
        if character == "(":
            return self._group(flags)
        if character == "[":
            item = self.bracketed(fold=flags.i, ascii_only=not flags.unicode, verbose=flags.x)
            return CharacterClass(item)
        if character == "\\":
            return self.escape(fold=flags.i, ascii_only=not flags.unicode)
        self.at += 1
        return _sign(character, flags) or Character(ord(character), flags.i)

    def _group(self, flags: Flags) -> Node | Flags:
        self.at += 1
        if self.text.startswith(_LOOK_AROUND, self.at):
            raise UnsupportedRegexError("looks ahead or behind, which this router flavor cannot")
        name = None
        if self.peek() == "?":
            named = _GROUP_NAME.match(self.text, self.at)
            if named is None:
                return self._flags_or_group(flags)
            name = self._new_name(named[1])
            self.at = named.end()
        return Group(self._inside(flags), name)

    def _new_name(self, name: str) -> str:
        if name in self.names:
            raise UnsupportedRegexError(f"has two groups named {name!r}")
        self.names.add(name)
        return name

    def _flags_or_group(self, flags: Flags) -> Node | Flags:
        found = _GROUP_FLAGS.match(self.text, self.at)
        if found is None or found[0] == "?)":
            raise UnsupportedRegexError("has a kind of group that this router flavor lacks")
        self.at = found.end()
        flags = _changed(flags, found[1])
        return flags if found[2] == ")" else self._inside(flags)

    def _inside(self, flags: Flags) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise UnsupportedRegexError("has too many groups inside each other")
        node = self._alternatives(flags)
        if not self.take(")"):
            raise UnsupportedRegexError("has a '(' that is never closed")
        self.depth -= 1
        # So that a repetition after it repeats all of it.
        return Concat((node,))


def _sign(character: str, flags: Flags) -> Node | None:
    if character == ".":
        return CharacterClass(Members(EVERYTHING) if flags.s else Negated(Members(_NEWLINE)))
    if character == "^":
        return Look("line-start" if flags.m else "start")
    if character == "$":
        return Look("line-end" if flags.m else "end")
    return None


def _changed(flags: Flags, letters: str) -> Flags:
    on, _, off = letters.partition("-")
    if "R" in letters:
        raise UnsupportedRegexError("uses the flag R, which has no counterpart")
    names = {"U": "swap", "u": "unicode"}
    for letter in on + off:
        flags = replace(flags, **{names.get(letter, letter): letter in on})
    return flags


def parse(text: str) -> Node:
    """Return what *text* means to Rust's `regex`.

    :raises UnsupportedRegexError: if it is no such expression, or has no counterpart
    """
    return _Parser(text).parse()
