"""The path that an upstream receives: mostly a variable, else `rewrite` rules.

Most paths are put together of what all locations share: the request's path, or what is left of it
behind a prefix (`lower_left_maps`). What a regular expression takes away has rules of its own. A
location is found by the key of its table or route and the path behind it, up to the first slash
of which everything is ours; the rules take that away again.

Kong joins what is left of the request's path to the service's path with exactly one slash, and
drops a `.` or `..` that stripping leaves in front (kong/router/utils.lua). nginx rewrites the
decoded path and escapes it when it sends it. A path that it would decode too far is rewritten as
it was sent, and passed on so (`encoded`).

A service's path that nginx would decode too far is put in front of what it escapes, by a location
of its own: proxy_pass does so with what follows the name of its location (`behind_base`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from compiler.lower.maps import expression_map
from compiler.lower.paths import KONG_PATH, escaped
from compiler.model.nginx import Simple
from compiler.model.routing import Proxied
from compiler.model.uri_path import kept_escape
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.nginx import Map
    from compiler.model.plan import Plan

STRIPPED_PREFIX = "$stripped_prefix"
"""The variable that locations set to the prefix which they take off the path."""

_BREAK, _LAST = Literal("break"), Literal("last")
_DOTS = r"\.{0,2}"
_LEFT, _LEFT_OR_ROOT = "$path_left", "$path_left_or_root"
_UNLESS_ROOT = "$path_unless_root"
_PREFIX_AND_PATH = f"{STRIPPED_PREFIX}\n{KONG_PATH}"
# (?s): a path may hold a line feed, a prefix that is compared so does not. The slash at the end of
# a prefix is the first of what is left.
_BEHIND_PREFIX = r"~(?s)^([^\n]*?)/?\n\1"
_LEFT_MAPS = (
    expression_map(
        "the path behind a service's own, which the root adds nothing to",
        KONG_PATH,
        _UNLESS_ROOT,
        {"/": ""},
        default=KONG_PATH,
    ),
    expression_map(
        "the path behind what is taken off it: nothing, or a slash and more",
        _PREFIX_AND_PATH,
        _LEFT,
        {
            rf"{_BEHIND_PREFIX}{_DOTS}(?<path_behind>(?:/.*)?)\z": "$path_behind",
            rf"{_BEHIND_PREFIX}(?<path_behind>.*)": "/$path_behind",
        },
    ),
    expression_map(
        "likewise, for services without a path of their own: at least a slash",
        _PREFIX_AND_PATH,
        _LEFT_OR_ROOT,
        {rf"{_BEHIND_PREFIX}(?:{_DOTS}/|\.{{1,2}}\z)?(?<path_behind>.*)": "/$path_behind"},
    ),
)
"""What is left of a path, by the prefix that is taken off it: one expression for all."""


def rewrites(answer: Proxied, *, encoded: bool) -> tuple[Simple, ...]:
    """Return the rules for `strip_path` and the service's path, and against the location's key."""
    behind = _behind_base(answer)
    base = _base(answer, encoded=encoded)
    if behind is not None:
        return () if encoded else (_put(_joined(base, behind)),)
    return _matching(answer, base)


def keeps_escapes(answer: Proxied) -> bool:
    """Tell whether the service's path has to be sent as it is written."""
    return kept_escape(answer.service.path or "") is not None


def behind_base(answer: Proxied, key: Expression) -> tuple[Simple, ...]:
    """Return the rules that lead to the location *key*, with what follows the service's path."""
    base, behind = _base(answer, encoded=True), _behind_base(answer)
    if behind is not None:
        return (Simple("rewrite", (Literal("^"), Expression(f"{key}{behind}"), _LAST)),)
    before = expression(base_sent(answer))
    found = [
        Simple("rewrite", (matched, Expression(key + str(sent).removeprefix(before)), _LAST))
        for matched, sent, _ in (rule.args for rule in _matching(answer, base))
    ]
    # One of them matches whatever comes here; nothing else may answer.
    return (*found, Simple("return", (500,)))


def base_sent(answer: Proxied) -> str:
    """Return the service's path as it is written; what follows begins with the slash at its end."""
    return _base(answer, encoded=True).removesuffix("/")


def sent_behind(answer: Proxied) -> Simple:
    """Return the rule of such a location for a path that is passed on as it was sent."""
    return _rewrite("/(.*)", base_sent(answer), "$1")


def passed_on(answer: Proxied) -> str:
    """Return the path and query of a request that is passed on as it was sent."""
    behind = _behind_base(answer)
    if behind is None:
        return "$uri$sent_query"
    return _joined(_base(answer, encoded=True), _with_query(behind))


def as_it_came() -> tuple[Simple, ...]:
    """Return the rule against the location's key alone."""
    return (_put(KONG_PATH),)


def lower_left_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps that work out what follows services' paths, those that are used."""
    proxied = (answer for answer in plan.answers if isinstance(answer, Proxied))
    joined = [answer for answer in proxied if not answer.destination.speaks_grpc]
    used = {_behind_base(answer) for answer in joined}
    with_query = {_behind_base(answer) for answer in joined if not keeps_escapes(answer)}
    return (
        *(found for found in _LEFT_MAPS if found.variable in used),
        *(_query_map(behind) for behind in sorted(filter(None, with_query))),
    )


def _with_query(behind: str) -> str:
    """Return the variable for *behind* and the query: each variable in a location costs memory."""
    return f"{behind}_and_query"


def _query_map(behind: str) -> Map:
    return expression_map(
        f"{behind[1:].replace('_', ' ')} with the query, where it is passed on as it was sent",
        "$sent_query",
        _with_query(behind),
        {},
        default=f"{behind}$sent_query",
    )


def _behind_base(answer: Proxied) -> str | None:
    """Return the variable that follows the service's path, None where there is no such."""
    base = answer.service.path or "/"
    if answer.joins_literally and (answer.strips or base != "/"):
        return None
    if not answer.strips:
        return _whole(base)
    path = answer.path or ""
    if answer.regex is not None or escaped(path) != path:
        return None
    return _LEFT_OR_ROOT if base == "/" else _LEFT


def _whole(base: str) -> str:
    """Return what follows *base* where nothing is stripped."""
    return KONG_PATH if base.endswith("/") else _UNLESS_ROOT


def _matching(answer: Proxied, base: str) -> tuple[Simple, ...]:
    """Return the rules for what no variable holds."""
    if not answer.strips:
        return (_rewrite("/(.*)", base, "$1"),)
    return (*_stripped(answer, base), *(_kept(answer, base) if answer.may_keep else ()))


def _joined(base: str, behind: str) -> Expression:
    return Expression(expression(base.removesuffix("/")) + behind)


def _put(path: Expression) -> Simple:
    return Simple("rewrite", (Literal("^"), path, _BREAK))


def _kept(answer: Proxied, base: str) -> tuple[Simple, ...]:
    """Return the rule for what the route's regular expression leaves alone."""
    if answer.joins_literally and base != "/":
        return (_rewrite("/(.*)", base, "$1"),)
    return (_put(_joined(base, _whole(base))),)


def _stripped(answer: Proxied, base: str) -> tuple[Simple, ...]:
    taken = _pattern(answer.path or "") if answer.regex is None else _match(answer)
    if answer.joins_literally:
        return (_literally(taken, base),)
    if answer.regex is not None:
        return _without_match(taken, base)
    return _without_prefix(answer.path or "", taken, base.removesuffix("/"))


def _literally(taken: str, base: str) -> Simple:
    """Put *base* in place of what *taken* matches, with at most one slash between."""
    dots = _DOTS if base.endswith("/") else r"\.{1,2}"
    return _rewrite(rf"{taken}(?:{dots}/|\.{{1,2}}\z)?(?<rest_of_path>.*)", base, "$rest_of_path")


def _base(answer: Proxied, *, encoded: bool) -> str:
    path = answer.service.path or "/"
    return path if encoded else unquote(path, errors="surrogateescape")


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
