r"""Escapes and character classes of Rust's regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from compiler.router.code_points import CATEGORIES, LAST, POSIX
from compiler.router.regex_nodes import (
    Character,
    CharacterClass,
    ClassItem,
    Look,
    Members,
    Named,
    Negated,
    Node,
    SetOf,
    UnsupportedRegexError,
)

_CONTROLS = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_LOOKS: dict[str, Look] = {
    "A": Look("start"),
    "z": Look("end"),
    "b": Look("word"),
    "B": Look("not-word"),
}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9A-Fa-f]+")
_POSIX = re.compile(r"\[:(\^?)([a-z]+):\]")
_PROPERTY = re.compile(r"\{(\^?)([^}]*)\}|()([A-Z])")
_OPERATORS = ("&&", "--", "~~")


@dataclass(slots=True)
class Escapes:
    """A reader at one place of a pattern."""

    text: str
    at: int = 0

    def peek(self) -> str:
        """Return the next character, or nothing at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, text: str) -> bool:
        """Whether *text* comes next; go past it."""
        found = self.text.startswith(text, self.at)
        self.at += len(text) * found
        return found

    def escape(self, *, fold: bool, ascii_only: bool) -> Node:
        """Read an escape outside of a class."""
        look = _LOOKS.get(self.text[self.at + 1 : self.at + 2])
        if look is not None:
            self.at += 2
            if self.peek() == "{" and look.kind in {"word", "not-word"}:
                raise UnsupportedRegexError("has half a word boundary, which has no counterpart")
            return look
        found = self._escaped(fold=fold, ascii_only=ascii_only)
        return Character(found, fold) if isinstance(found, int) else CharacterClass(found)

    def bracketed(self, *, fold: bool, ascii_only: bool, verbose: bool) -> ClassItem:
        """Read a class in brackets."""
        self.at += 1
        negated = self.take("^")
        items: list[ClassItem] = []
        while self.take("-") or (not items and self.take("]")):
            before = self.text[self.at - 1]
            items.append(Members(((ord(before), ord(before)),)))
        result: ClassItem | None = None
        operator = ""
        while True:
            if self.at >= len(self.text):
                raise UnsupportedRegexError("has a '[' that is never closed")
            following = self.text[self.at : self.at + 2]
            if self.peek() == "]" or following in _OPERATORS:
                result = _applied(result, operator, items)
                items = []
                operator = following
                if self.take("]"):
                    return Negated(result) if negated else result
                self.at += 2
            elif verbose and self.peek().isspace():
                self.at += 1
            else:
                items.append(self._item(fold=fold, ascii_only=ascii_only, verbose=verbose))

    def _item(self, *, fold: bool, ascii_only: bool, verbose: bool) -> ClassItem:
        posix = _POSIX.match(self.text, self.at)
        if posix is not None and posix[2] in POSIX:
            self.at = posix.end()
            named = Named("posix", posix[2], fold)
            return Negated(named) if posix[1] else named
        if self.peek() == "[":
            return self.bracketed(fold=fold, ascii_only=ascii_only, verbose=verbose)
        low = self._class_character(fold=fold, ascii_only=ascii_only)
        if not isinstance(low, int):
            return low
        following = self.text[self.at + 1 : self.at + 2]
        if self.peek() != "-" or following in {"", "]", "-"}:
            return Members(((low, low),), fold)
        self.at += 1
        high = self._class_character(fold=fold, ascii_only=ascii_only)
        if not isinstance(high, int) or low > high:
            raise UnsupportedRegexError("has a range of characters that is none")
        return Members(((low, high),), fold)

    def _class_character(self, *, fold: bool, ascii_only: bool) -> int | ClassItem:
        if self.peek() == "\\":
            return self._escaped(fold=fold, ascii_only=ascii_only)
        self.at += 1
        return ord(self.text[self.at - 1])

    def _escaped(self, *, fold: bool, ascii_only: bool) -> int | ClassItem:
        letter = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if not letter:
            raise UnsupportedRegexError("ends with a lone backslash")
        if letter.lower() in "dsw":
            named = Named("perl", letter.lower(), ascii_only=ascii_only)
            return Negated(named) if letter.isupper() else named
        if letter in "pP":
            return self._property(fold=fold, negated=letter == "P")
        if letter in _HEX_DIGITS:
            return self._hex(_HEX_DIGITS[letter])
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isdigit() or letter in "gk":
            raise UnsupportedRegexError(
                "has a back-reference, which this router flavor does not support"
            )
        if not letter.isascii() or letter.isalnum() or letter in "<>":
            raise UnsupportedRegexError(
                f"has \\{letter}, which this router flavor does not support"
            )
        return ord(letter)

    def _hex(self, digits: int) -> int:
        if self.take("{"):
            text, closed, _ = self.text[self.at :].partition("}")
            self.at += len(text) + len(closed)
        else:
            text, closed = self.text[self.at : self.at + digits], "}"
            self.at += digits
            closed = closed if len(text) == digits else ""
        code = int(text, 16) if _HEX.fullmatch(text) and closed else LAST + 1
        if code > LAST or 0xD800 <= code <= 0xDFFF:
            raise UnsupportedRegexError("names a character by a number that none has")
        return code

    def _property(self, *, fold: bool, negated: bool) -> ClassItem:
        found = _PROPERTY.match(self.text, self.at)
        name = "" if found is None else found[2] or found[4] or ""
        if found is None or name not in CATEGORIES:
            raise UnsupportedRegexError(f"asks for the property {name!r} of Unicode")
        self.at = found.end()
        item = Named("category", name, fold)
        return Negated(item) if negated != bool(found[1]) else item


def _applied(left: ClassItem | None, operator: str, items: list[ClassItem]) -> ClassItem:
    right = items[0] if len(items) == 1 else SetOf("union", (Members(()), *items))
    if left is None:
        return right
    return SetOf(cast("Literal['&&', '--', '~~']", operator), (left, right))
