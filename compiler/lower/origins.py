"""What browsers are told of requests by pages of other sites (cors).

A location says whose rules hold (`$cross_origin`); headers that stand once, in the server, look
there. Where no rules hold, an upstream's own headers of that name are sent.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.maps import expression_map
from compiler.lower.site_maps import (
    CREDENTIALS_IF_NAMED,
    PRIVATE_NETWORK,
    VARY_IF_NAMED,
    allowed_site,
    site_maps,
    upstreams_own,
)
from compiler.model.nginx import If, Map, Simple
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.access import CrossOrigin
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer
    from compiler.model.words import Word

PREFLIGHT = 594
"""The code that stands for the answer to a question whether a request may be made: 200."""

_RULES = "$cross_origin"
_CASE = "$cross_origin_case"
_IS_PREFLIGHT = "$is_preflight"
_ASKED = "asked"
"""What stands behind the name of the rules where it is asked whether a request may be made."""

_ORIGIN = "Access-Control-Allow-Origin"
_CREDENTIALS = "Access-Control-Allow-Credentials"
_EXPOSED = "Access-Control-Expose-Headers"
_REPLACED = (_ORIGIN, _CREDENTIALS, _EXPOSED)
"""What upstreams say, too: where no rules tell of it, that is sent."""


def rules_of(plan: Plan) -> dict[str, CrossOrigin]:
    """Return all rules by their names."""
    accesses = {id(answer.access): answer.access for answer in plan.answers}.values()
    found = (access.cross_origin for access in accesses if access.cross_origin is not None)
    return dict(sorted((_name(rules), rules) for rules in found))


def remembered_rules(answer: Answer) -> tuple[Simple, ...]:
    """Remember whose rules hold."""
    rules = answer.access.cross_origin
    return () if rules is None else (Simple("set", (Expression(_RULES), Literal(_name(rules)))),)


def preflights(answer: Answer) -> tuple[If, ...]:
    """Return what answers the question whether a request may be made."""
    rules = answer.access.cross_origin
    if rules is None or not rules.answers_preflights:
        return ()
    return (If(variable=_IS_PREFLIGHT, directives=(Simple("return", (PREFLIGHT,)),)),)


def answers_preflights(plan: Plan) -> bool:
    """Tell whether any route does so."""
    return any(rules.answers_preflights for rules in rules_of(plan).values())


def cross_origin_headers(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the headers of answers, with their values."""
    if rules_of(plan):
        for header in _headers(plan):
            yield header, _variable(header)


def replaced_headers(plan: Plan) -> tuple[str, ...]:
    """Return the headers of upstreams' answers that those replace."""
    return tuple(name for name in _REPLACED if name in _headers(plan))


def cross_origin_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind all that."""
    found = rules_of(plan)
    if not found:
        return ()
    return (
        expression_map(
            "whether a browser asks if a page of another site may make a request",
            "$request_method\n$http_origin\n$http_access_control_request_method",
            _IS_PREFLIGHT,
            {r"~^OPTIONS\n[^\n]+\n.": "1"},
        ),
        Map(
            why="whose rules of other sites' pages hold, if any, and whether it is only asked",
            source=Expression(f"{_RULES}:{_IS_PREFLIGHT}:$http_origin"),
            variable=_CASE,
            default=None,
            entries=tuple(row for name, rules in found.items() for row in _cases(name, rules)),
        ),
        *site_maps(found.values()),
        *(_map(header, found) for header in _headers(plan)),
    )


def cross_origin_texts(plan: Plan) -> Iterator[str]:
    """Yield the texts of users that stand in expressions."""
    for rules in rules_of(plan).values():
        yield from (rules.origins.only or "", rules.headers or "", rules.exposed or "")


def _cases(name: str, rules: CrossOrigin) -> Iterator[tuple[Word, Word]]:
    asked = f"{name}:{_ASKED}" if rules.answers_preflights else ""
    yield Literal(f"~^{name}:1:"), Literal(asked)
    if not rules.told_without_origin:
        yield Literal(f"~^{name}::$"), Literal("")
    yield Literal(f"~^{name}:"), Literal(name)


def _headers(plan: Plan) -> tuple[str, ...]:
    """Return the headers of which some rules tell."""
    told = [_told(r, asked=asked) for r in rules_of(plan).values() for asked in (False, True)]
    return tuple(dict.fromkeys(header for headers in told for header in headers))


def _told(rules: CrossOrigin, *, asked: bool) -> dict[str, Word]:
    """Return the headers of an answer by *rules*, with their values; others are not touched.

    *asked* tells that it is the answer to the question whether a request may be made.
    """
    told: dict[str, Word] = {_ORIGIN: allowed_site(rules)}
    if rules.origins.listed or rules.origins.only is not None:
        told["Vary"] = Literal("Origin")
    elif rules.credentials:
        told["Vary"] = Expression(VARY_IF_NAMED)
    if rules.credentials:
        any_site = rules.origins.any_site
        told[_CREDENTIALS] = Expression(CREDENTIALS_IF_NAMED) if any_site else Literal("true")
    if not asked:
        return told if rules.exposed is None else {**told, _EXPOSED: expression(rules.exposed)}
    wanted = Expression("$http_access_control_request_headers")
    told["Access-Control-Allow-Headers"] = (
        wanted if rules.headers is None else expression(rules.headers)
    )
    told["Access-Control-Allow-Methods"] = expression(rules.methods)
    if rules.max_age is not None:
        told["Access-Control-Max-Age"] = Literal(rules.max_age)
    if rules.private_network:
        told["Access-Control-Allow-Private-Network"] = Expression(PRIVATE_NETWORK)
    return told


def _map(header: str, found: dict[str, CrossOrigin]) -> Map:
    return Map(
        why=f"{header}, by the rules that hold",
        source=Expression(_CASE),
        variable=_variable(header),
        default=Expression(upstreams_own(header)) if header in _REPLACED else Literal(""),
        entries=tuple(_rows(header, found)),
    )


def _rows(header: str, found: dict[str, CrossOrigin]) -> Iterator[tuple[Word, Word]]:
    for name, rules in found.items():
        for asked in (False, True) if rules.answers_preflights else (False,):
            told = _told(rules, asked=asked)
            if header in told:
                yield Literal(f"{name}:{_ASKED}" if asked else name), told[header]


def _variable(header: str) -> str:
    name = header.lower().removeprefix("access-control-").replace("-", "_")
    return f"$cross_origin_{name}"


def _name(rules: CrossOrigin) -> str:
    values = (
        rules.origins, rules.methods, rules.headers, rules.exposed, rules.max_age,
        rules.credentials, rules.private_network, rules.answers_preflights,
        rules.told_without_origin,
    )  # fmt: skip
    return sha256(repr(values).encode("utf-8", "surrogateescape")).hexdigest()[:8]
