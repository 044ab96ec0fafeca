"""The words of nginx's language: what a value means decides how it is spelt."""

from __future__ import annotations


class Literal(str):
    """Text that nginx takes as it is: directives that know no variables."""

    __slots__ = ()


class Expression(str):
    """Text in which `$name` is a variable on purpose; made by the compiler, not by users."""

    __slots__ = ()


class Raw(str):
    """nginx configuration by definition: what `nginx_*` settings inject."""

    __slots__ = ()


class Code(str):
    """Lua of the compiler's own, as the last word of a directive whose name ends in `_block`."""

    __slots__ = ()


Word = Literal | Expression | Raw | Code | int | bool

DOLLAR = "${literal_dollar}"
"""How a user's `$` is spelt inside an expression: nginx has no escape for it."""


def expression(text: str) -> Expression:
    """Return user text for a directive that expands variables, so that it stays that text."""
    return Expression(text.replace("$", DOLLAR))
