"""The path that an upstream receives, as `rewrite` rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from compiler.model.nginx import Simple
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.plan import Proxied

_BREAK = Literal("break")


def lower_rewrites(answer: Proxied) -> tuple[Simple, ...]:
    """Return the rewrites for `strip_path` and the service's path; none: sent as it came.

    Kong joins what is left of the request's path to the service's path with exactly one slash,
    and drops a `.` or `..` that stripping leaves in front (kong/router/utils.lua); nginx matches
    and rewrites the decoded path and escapes it again.
    """
    service = unquote(answer.service.path or "/", errors="surrogateescape")
    base = service.removesuffix("/")
    if answer.strips and answer.path is not None:
        return _stripped(answer.path, base)
    return _joined(base, trailing=service.endswith("/"))


def _joined(base: str, *, trailing: bool) -> tuple[Simple, ...]:
    """Put *base* in front of the whole path."""
    if base == "":
        return ()
    if trailing:
        return (_rewrite("/(.*)", base, "/$1"),)
    return (_rewrite("(?:/|(/.+))", base, "$1"),)


def _stripped(path: str, base: str) -> tuple[Simple, ...]:
    """Take *path* away and put *base* in its place."""
    prefix = _pattern(path)
    if path.endswith("/"):
        return (_rewrite(f"{prefix}(.*)", base, "/$1"),)
    if base == "":
        return (_rewrite(rf"{prefix}(?:\.{{0,2}}/|\.{{1,2}}\z)?(.*)", base, "/$1"),)
    return (
        _rewrite(rf"{prefix}\.{{0,2}}", base, ""),
        _rewrite(rf"{prefix}(?:\.{{0,2}}/)?(.*)", base, "/$1"),
    )


def _rewrite(pattern: str, base: str, rest: str) -> Simple:
    # (?s) and \z: a decoded line feed in the path must not end the match.
    matched = Literal(rf"(?s)^{pattern}\z")
    return Simple("rewrite", (matched, Expression(expression(base) + rest or "/"), _BREAK))


def _pattern(path: str) -> str:
    """Return a regular expression for *path*, as little escaped as PCRE needs."""
    return re.sub(r"[.^$*+?()\[\]{}|\\#\s]", lambda match: f"\\{match.group(0)}", path)
