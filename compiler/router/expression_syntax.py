"""The syntax of Kong's expression language: from text to a tree, with positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

Value = str | int | IPv4Network | IPv6Network


class ExpressionError(ValueError):
    """An expression is refused; *position* counts characters from 0."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} (at character {position + 1})")
        self.reason = reason
        self.position = position


class ExpressionSyntaxError(ExpressionError):
    """The text is no expression."""


class CannotDecideError(ExpressionError):
    """The expression asks for something that candidates cannot express."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A field compared with a value; *functions* are those around the field."""

    field: str
    functions: frozenset[str]
    operator: str
    value: Value
    is_cidr: bool
    position: int


@dataclass(frozen=True, slots=True)
class Logical:
    """Two expressions of which both or one has to hold."""

    operator: Literal["&&", "||"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Not:
    """An expression that must not hold."""

    inner: Expression


Expression = Predicate | Logical | Not

_TOKENS = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<raw>r\#"(?P<raw_text>.*?)"\#)
  | (?P<string>"(?P<text>(?:[^"\\]|\\["\\nrt])*)")
  | (?P<ip>[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?
      |(?::|[0-9A-Fa-f]{1,4}):[0-9A-Fa-f:]*(?:/[0-9]{1,3})?)
  | (?P<int>-?(?:0x[0-9A-Fa-f]+|[0-9]+))
  | (?P<name>[A-Za-z][A-Za-z0-9_.]*)
  | (?P<sign>&&|\|\||==|!=|\^=|=\^|>=|<=|[~<>!()])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
_OPERATORS = frozenset({"==", "!=", "~", "^=", "=^", ">=", ">", "<=", "<", "in", "contains"})
_FUNCTIONS = frozenset({"lower", "any"})
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    value: Value = ""


def parse(text: str) -> Expression:
    """Return the tree of an expression.

    :raises ExpressionSyntaxError: if *text* is none
    :raises CannotDecideError: if its meaning depends on the version of Kong
    """
    return _Parser(_tokens(text)).parse()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise ExpressionSyntaxError(f"unexpected {text[at : at + 10]!r}", at)
        kind = match.lastgroup or ""
        kind = {"raw_text": "raw", "text": "string"}.get(kind, kind)
        if kind != "space":
            found.append(_Token(kind, match[0], at, _value(kind, match)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


def _value(kind: str, match: re.Match[str]) -> Value:
    if kind == "raw":
        return match["raw_text"]
    if kind == "string":
        return re.sub(r"\\.", lambda escape: _ESCAPES[escape[0]], match["text"])
    if kind == "int":
        return _integer(match)
    if kind == "ip":
        try:
            return ip_network(match[0])
        except ValueError as error:
            raise ExpressionSyntaxError(
                f"{match[0]} is no address: {error}", match.start()
            ) from None
    return ""


def _integer(match: re.Match[str]) -> int:
    digits = match[0].lstrip("-")
    sign = -1 if match[0] != digits else 1
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") and digits != "0" else 10
    try:
        return sign * int(digits, base)
    except ValueError:
        raise ExpressionSyntaxError(f"{match[0]} is no number", match.start()) from None


@dataclass(slots=True)
class _Parser:
    tokens: list[_Token]
    at: int = 0
    depth: int = 0

    def parse(self) -> Expression:
        expression = self._expression()
        self._expect("end", "the end")
        return expression

    @property
    def _next(self) -> _Token:
        return self.tokens[self.at]

    def _take(self, text: str) -> bool:
        found = self._next.kind in {"sign", "name"} and self._next.text == text
        self.at += found
        return found

    def _expect(self, kind: str, what: str) -> _Token:
        token = self._next
        if token.kind != kind:
            shown = repr(token.text) if token.text else "the end"
            raise ExpressionSyntaxError(f"expected {what}, not {shown}", token.position)
        self.at += 1
        return token

    def _expression(self) -> Expression:
        left = self._term()
        after_and = False
        while True:
            token = self._next
            if self._take("&&"):
                after_and = True
                left = Logical("&&", left, self._term())
            elif self._take("||"):
                if after_and:
                    # From the left up to Kong 3.5, || first from then on.
                    raise CannotDecideError(
                        "'||' after '&&' without parentheses means different things to different"
                        " versions of Kong",
                        token.position,
                    )
                left = Logical("||", left, self._term())
            else:
                return left

    def _term(self) -> Expression:
        negated = self._take("!")
        if negated or (self._next.kind == "sign" and self._next.text == "("):
            self._parenthesis("(")
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise ExpressionSyntaxError("too many parentheses", self._next.position)
            inner = self._expression()
            self.depth -= 1
            self._parenthesis(")")
            return Not(inner) if negated else inner
        return self._predicate()

    def _parenthesis(self, text: str) -> None:
        if not self._take(text):
            shown = repr(self._next.text) if self._next.text else "the end"
            raise ExpressionSyntaxError(f"expected {text!r}, not {shown}", self._next.position)

    def _predicate(self) -> Predicate:
        position = self._next.position
        functions: set[str] = set()
        name = self._expect("name", "a field")
        opened = 0
        while self._take("("):
            if name.text not in _FUNCTIONS:
                raise ExpressionSyntaxError(f"unknown function {name.text!r}", name.position)
            functions.add(name.text)
            opened += 1
            name = self._expect("name", "a field")
        for _ in range(opened):
            self._parenthesis(")")
        operator = self._operator()
        value = self._next
        if value.kind not in {"raw", "string", "int", "ip"}:
            raise ExpressionSyntaxError("expected a value", value.position)
        self.at += 1
        is_cidr = value.kind == "ip" and "/" in value.text
        return Predicate(name.text, frozenset(functions), operator, value.value, is_cidr, position)

    def _operator(self) -> str:
        token = self._next
        if self._take("not"):
            if not self._take("in"):
                raise ExpressionSyntaxError("expected 'in' after 'not'", self._next.position)
            return "not in"
        if token.text not in _OPERATORS or token.kind not in {"sign", "name"}:
            raise ExpressionSyntaxError("expected an operator", token.position)
        self.at += 1
        return token.text
