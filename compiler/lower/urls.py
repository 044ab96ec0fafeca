"""The path that an upstream receives, as `rewrite` rules.

A location is found by the key of its table or route and the path behind it, up to the first
slash of which everything is ours; the rules take that away again.

Kong joins what is left of the request's path to the service's path with exactly one slash, and
drops a `.` or `..` that stripping leaves in front (kong/router/utils.lua). nginx rewrites the
decoded path and escapes it when it sends it. A path that it would decode too far is rewritten as
it was sent, and passed on so (`encoded`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from compiler.lower.paths import KONG_PATH, escaped
from compiler.model.nginx import Simple
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.plan import Proxied

_BREAK = Literal("break")
_AS_IT_IS = (Simple("rewrite", (Literal("^"), KONG_PATH, _BREAK)),)
_DOTS = r"\.{0,2}"


def rewrites(answer: Proxied, *, encoded: bool) -> tuple[Simple, ...]:
    """Return the rules for `strip_path` and the service's path, and against the location's key."""
    base = _base(answer, encoded=encoded)
    if answer.strips:
        kept = _unstripped(answer, base, encoded=encoded) if answer.may_keep else ()
        return (*_stripped(answer, base), *kept)
    return _unstripped(answer, base, encoded=encoded)


def _stripped(answer: Proxied, base: str) -> tuple[Simple, ...]:
    taken = _pattern(answer.path or "") if answer.regex is None else _match(answer)
    if answer.joins_literally:
        return (_literally(taken, base),)
    if answer.regex is not None:
        return _without_match(taken, base)
    return _without_prefix(answer.path or "", taken, base.removesuffix("/"))


def _unstripped(answer: Proxied, base: str, *, encoded: bool) -> tuple[Simple, ...]:
    if base == "/":
        return () if encoded and not answer.may_keep else _AS_IT_IS
    if answer.joins_literally:
        return (_rewrite("/(.*)", base, "$1"),)
    return _joined(base)


def as_it_came() -> tuple[Simple, ...]:
    """Return the rule against the location's key alone."""
    return _AS_IT_IS


def _literally(taken: str, base: str) -> Simple:
    """Put *base* in place of what *taken* matches, with at most one slash between."""
    dots = _DOTS if base.endswith("/") else r"\.{1,2}"
    return _rewrite(rf"{taken}(?:{dots}/|\.{{1,2}}\z)?(?<rest_of_path>.*)", base, "$rest_of_path")


def passed_on(answer: Proxied) -> str:
    """Return the path and query of a request that is passed on as it was sent."""
    unchanged = not answer.strips and _base(answer, encoded=True) == "/"
    return f"{KONG_PATH if unchanged else '$uri'}$sent_query"


def _base(answer: Proxied, *, encoded: bool) -> str:
    path = answer.service.path or "/"
    return path if encoded else unquote(path, errors="surrogateescape")


def _joined(base: str) -> tuple[Simple, ...]:
    """Put *base* in front of the whole path."""
    if base.endswith("/"):
        return (_rewrite("/(.*)", base.removesuffix("/"), "/$1"),)
    return (_rewrite("(?:/|(/.+))", base, "$1"),)


def _without_prefix(path: str, prefix: str, base: str) -> tuple[Simple, ...]:
    """Take *path*, which *prefix* matches, away and put *base* in its place."""
    if path.endswith("/"):
        return (_rewrite(f"{prefix}(.*)", base, "/$1"),)
    if base == "":
        return (_rewrite(rf"{prefix}(?:{_DOTS}/|\.{{1,2}}\z)?(.*)", base, "/$1"),)
    return (
        _rewrite(rf"{prefix}{_DOTS}", base, ""),
        _rewrite(rf"{prefix}(?:{_DOTS}/)?(.*)", base, "/$1"),
    )


def _match(answer: Proxied) -> str:
    """Return a pattern that takes exactly what the route's regular expression matches."""
    if answer.stripped_width is not None:
        return f"(?<stripped_prefix>.{{{answer.stripped_width}}})"
    # Atomic: what follows must not make it give up what it matched. (?-s): its dots are its own.
    return f"(?<stripped_prefix>(?>(?-s:{answer.regex})))"


def _without_match(match: str, base: str) -> tuple[Simple, ...]:
    """Take what *match* matches away and put *base* in its place."""
    rest = "$rest_of_path"
    kept = base.removesuffix("/")
    # Where nothing is left, a slash at the end stays; that of the path `/` is the base's own.
    slash = r"(?=.*/\z)" if base.endswith("/") else r"(?=/.*/\z)"
    found = [_rewrite(f"{slash}{match}", kept, "/")] if kept else []
    found.append(_rewrite(rf"{match}{_DOTS}", kept, ""))
    if not match.endswith(r"\z)))"):  # else nothing is left of the path
        found.append(_rewrite(rf"{match}(?:{_DOTS}/)?(?<rest_of_path>.*)", kept, f"/{rest}"))
    return tuple(found)


def _rewrite(pattern: str, base: str, rest: str) -> Simple:
    # (?s) and \z: a decoded line feed in the path must not end the match.
    matched = Literal(rf"(?s)^[^/]*{pattern}\z")
    return Simple("rewrite", (matched, Expression(expression(base) + rest or "/"), _BREAK))


def _pattern(path: str) -> str:
    """Return a regular expression for *path*, as little escaped as PCRE needs."""
    own, sent = _quoted(path), _quoted(escaped(path))
    return own if own == sent else f"(?:{own}|{sent})"


def _quoted(text: str) -> str:
    return re.sub(r"[.^$*+?()\[\]{}|\\#\s]", lambda match: f"\\{match.group(0)}", text)
