"""Regular expressions of routes: what PCRE, and where it applies Rust's regex, refuse.

Not a parser of either language: it finds unbalanced brackets, repetitions of nothing, and
what the router of flavor traditional_compatible can't do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COUNT = re.compile(r"\{([0-9]{1,6})(?:,([0-9]{0,6}))?\}")
_CLASS_NAME = re.compile(r"\[:\^?[a-z]+:\]")
_BRACED = re.compile(r"\{[^}]*\}|<[^>]*>")
_COMPAT_GROUP = re.compile(r"\?(?:P?<[A-Za-z_][A-Za-z0-9_.\[\]]*>|[imsUuxR-]*[:)])")
_LOOK_AROUND = ("?=", "?!", "?<=", "?<!")
_MAX_COUNT = 65535


class _BadRegexError(ValueError):
    """The pattern is refused; the message completes "the regular expression …"."""


@dataclass(slots=True)
class _Scanner:
    pattern: str
    compat: bool
    at: int = 0
    depth: int = 0
    repeatable: bool = False

    def scan(self) -> None:
        steps = {
            "\\": self._escape,
            "[": self._character_class,
            "(": self._open,
            ")": self._close,
            "|": self._alternative,
            "*": self._repeat,
            "+": self._repeat,
            "?": self._repeat,
            "{": self._brace,
        }
        while self.at < len(self.pattern):
            step = steps.get(self.pattern[self.at])
            if step is None:
                self.at += 1
                self.repeatable = True
            else:
                step()
        if self.depth:
            raise _BadRegexError("has a '(' that is never closed")

    def _escape(self) -> None:
        following = self.pattern[self.at + 1 : self.at + 2]
        if not following:
            raise _BadRegexError("ends with a lone backslash")
        if self.compat and following in "123456789gk":
            raise _BadRegexError("has a back-reference, which this router flavor does not support")
        if self.compat and following in "QEKRXGhHNCZ":
            raise _BadRegexError(f"has \\{following}, which this router flavor does not support")
        self.at += 2
        self.repeatable = True
        if following == "Q":
            end = self.pattern.find("\\E", self.at)
            self.at = len(self.pattern) if end < 0 else end + 2
        elif following in "xuUpPogk":
            braced = _BRACED.match(self.pattern, self.at)
            self.at = braced.end() if braced else self.at

    def _character_class(self) -> None:
        pattern, at = self.pattern, self.at + 1
        at += pattern.startswith("^", at)
        at += pattern.startswith("]", at)
        depth = 1
        while depth:
            if at >= len(pattern):
                raise _BadRegexError("has a '[' that is never closed")
            name = _CLASS_NAME.match(pattern, at)
            if name:
                at = name.end()
            elif pattern[at] == "\\":
                at += 2
            else:
                depth += (pattern[at] == "[") * self.compat - (pattern[at] == "]")
                self._check_range(at)
                at += 1
        self.at = at
        self.repeatable = True

    def _check_range(self, at: int) -> None:
        low, dash, high = (self.pattern[at + n : at + n + 1] for n in range(3))
        if dash == "-" and high not in {"", "]", "[", "\\"} and low not in "[]-" and low > high:
            raise _BadRegexError(f"has the range {low}-{high} in the wrong order")

    def _open(self) -> None:
        rest = self.pattern[self.at + 1 : self.at + 80]
        if self.compat and rest.startswith(_LOOK_AROUND):
            raise _BadRegexError("looks ahead or behind, which this router flavor does not support")
        if self.compat and rest.startswith("?") and not _COMPAT_GROUP.match(rest):
            raise _BadRegexError("has a kind of group that this router flavor does not support")
        if rest.startswith("*") and (self.compat or not rest[1:2].isupper()):
            raise _BadRegexError("repeats nothing after '('")
        self.depth += 1
        self.at += 1
        if rest.startswith(("?", "*")):
            self.at += 1
            flags = re.compile(r"[^():<>'=!#]*").match(self.pattern, self.at)
            self.at = flags.end() if flags else self.at
            self.at += self.pattern.startswith((":", "=", "!", "<", ">"), self.at)
        self.repeatable = False

    def _close(self) -> None:
        if not self.depth:
            raise _BadRegexError("has a ')' without '('")
        self.depth -= 1
        self.at += 1
        self.repeatable = True

    def _alternative(self) -> None:
        self.at += 1
        self.repeatable = False

    def _brace(self) -> None:
        count = _COUNT.match(self.pattern, self.at)
        if count is None:
            if self.compat:
                raise _BadRegexError("has a '{' that is not the beginning of a repetition")
            self.at += 1
            self.repeatable = True
            return
        low, high = int(count[1]), int(count[2] or count[1])
        if high < low or max(low, high) > _MAX_COUNT:
            raise _BadRegexError(f"has the impossible repetition {count[0]}")
        self._repeat(len(count[0]))

    def _repeat(self, length: int = 1) -> None:
        if not self.repeatable:
            raise _BadRegexError(f"repeats nothing at {self.pattern[self.at :][:10]!r}")
        self.at += length
        # Lazy or possessive; PCRE takes no further repetition after that.
        self.at += self.pattern.startswith(("?", "+"), self.at)
        self.repeatable = False


def regex_problem(pattern: str, *, compat: bool) -> str | None:
    """Return why *pattern* is refused (completing "the regular expression …"), or None.

    *compat* adds the limits of Rust's regex, which the flavors other than traditional use.
    """
    try:
        _Scanner(pattern, compat=compat).scan()
    except _BadRegexError as error:
        return str(error)
    return None
