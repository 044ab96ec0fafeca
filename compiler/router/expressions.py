"""What an expression of a route means: alternatives, each a conjunction of conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from compiler.router.conditions import Conditions, UndecidedError, both, merged
from compiler.router.expression_fields import conditions_of
from compiler.router.expression_syntax import (
    CannotDecideError,
    Expression,
    ExpressionError,
    ExpressionSyntaxError,
    Logical,
    Not,
    Predicate,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "CannotDecideError",
    "ExpressionError",
    "ExpressionSyntaxError",
    "alternatives",
    "schemes_of",
]

_MAX_ALTERNATIVES = 256
_SCHEMES = {
    "grpc": "http",
    "grpcs": "https",
    "tls_passthrough": "tcp",
    "ws": "http",
    "wss": "https",
}
_UNCHECKED = (("https",), ("tls",), ("tls_passthrough",))


def schemes_of(protocols: Sequence[str]) -> frozenset[str]:
    """Return the schemes that flavor expressions lets reach a route; none if it checks none.

    Alone, https matches plaintext too (to redirect it), tls and tls_passthrough match tcp.
    """
    if tuple(protocols) in _UNCHECKED:
        return frozenset()
    return frozenset(_SCHEMES.get(protocol, protocol) for protocol in protocols)


def alternatives(
    text: str, subsystem: Literal["http", "stream"], *, strip: bool
) -> tuple[Conditions, ...]:
    """Return the alternatives of the expression *text* in the order in which Kong tries them.

    *strip* tells whether the part of the path that matches is taken off (`strip_path`).

    :raises ExpressionSyntaxError: if *text* is no expression
    :raises CannotDecideError: if it asks for what cannot be expressed
    """
    found = merged(_Reader(subsystem, strip).read(parse(text), negated=False))
    if strip:
        _check_stripping(found)
    return tuple(found)


class _Reader:
    """Brings expressions into disjunctive normal form."""

    def __init__(self, subsystem: Literal["http", "stream"], strip: bool) -> None:  # noqa: FBT001
        self._subsystem = subsystem
        self._strip = strip

    def read(self, node: Expression, *, negated: bool) -> list[Conditions]:
        if isinstance(node, Predicate):
            return conditions_of(node, self._subsystem, negated=negated, strip=self._strip)
        if isinstance(node, Not):
            return self.read(node.inner, negated=not negated)
        left = self.read(node.left, negated=negated)
        right = self.read(node.right, negated=negated)
        if (node.operator == "||") != negated:
            return self._limited(merged(left + right), node)
        return self._limited(self._product(left, right, node), node)

    def _product(
        self, left: Iterable[Conditions], right: Sequence[Conditions], node: Logical
    ) -> list[Conditions]:
        try:
            pairs = [both(a, b) for a in left for b in right]
        except UndecidedError as error:
            raise CannotDecideError(f"{error}", _position(node.right)) from None
        return [conditions for conditions in pairs if conditions is not None]

    def _limited(self, found: list[Conditions], node: Logical) -> list[Conditions]:
        if len(found) > _MAX_ALTERNATIVES:
            raise CannotDecideError(f"more than {_MAX_ALTERNATIVES} alternatives", _position(node))
        return found


def _position(node: Expression) -> int:
    if isinstance(node, Predicate):
        return node.position
    return _position(node.inner if isinstance(node, Not) else node.left)


def _check_stripping(found: Sequence[Conditions]) -> None:
    """Refuse what strips a part of the path that an alternative did not ask for.

    Kong remembers the part that an earlier alternative matched although that one failed.
    """
    seen = False
    for conditions in found:
        if seen and not conditions.has_path:
            raise CannotDecideError(
                "http.path in some of the alternatives only, while strip_path is on", 0
            )
        seen = seen or conditions.has_path
