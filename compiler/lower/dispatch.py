"""Paths at which a request's method, headers or server name decide: rules that lead to locations.

What decides for a path alone stands in its location; what decides for all paths below some other,
in a map.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.paths import KONG_PATH
from compiler.model.nginx import Map, Simple, Source
from compiler.model.routing import NoService
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.entities import Route
    from compiler.model.routing import Answer, Choice, Conditions, HeaderTest, NameTest

NO_ROUTE = "no-route"
ROUTE = "route="
LET_IN = "@let-in="

_ANY = r"[^\n]*"
_SCHEME = "$scheme:$ssl_server_name"


class Dispatcher:
    """Turns choices into rules and maps.

    Keeps those, and the answers that they lead to in one server.
    """

    def __init__(self) -> None:
        self._targets: dict[str, Answer] = {}
        self._gated: dict[str, Answer] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._maps: dict[str, Map] = {}
        self._tests: dict[str, Map] = {}

    @property
    def maps(self) -> tuple[Map, ...]:
        """Return the maps by name, so that one more moves no other."""
        tests = sorted(self._tests.items())
        return tuple(found for _, found in (*tests, *sorted(self._maps.items())))

    def collect(self) -> tuple[dict[str, Answer], dict[str, Answer]]:
        """Return where answers are collected from now on, by the keys of their locations.

        The second are those behind a gate.
        """
        self._targets, self._gated = {}, {}
        return self._targets, self._gated

    def decide(self, choices: Iterable[Choice], otherwise: str) -> tuple[Simple, ...]:
        """Return what a location does to go on where the first of *choices* that holds leads.

        *otherwise* is the key to go on with where none does.
        """
        rows = list(choices)
        if rows and rows[-1].conditions.always_hold:
            otherwise = self.target(rows.pop().answer)
        if not rows:
            return (go_on(expression(otherwise)),)
        if any(row.inherited for row in rows):
            return self._by_map(rows, otherwise)
        return self._in_turn(rows, otherwise)

    def _in_turn(self, rows: list[Choice], otherwise: str) -> tuple[Simple, ...]:
        """Return rules that hold what is compared against one choice after the other.

        What a single location decides needs no variable, which would cost every request memory.
        """
        source, regexes = self._in_path([row.conditions for row in rows])
        leads: dict[str, Simple] = {}
        for regex, row in zip(regexes, rows, strict=True):
            leads.setdefault(regex, go_on(expression(self.target(row.answer)), regex))
        return (
            Simple("rewrite", (Literal("^"), Expression(source))),
            *leads.values(),
            go_on(expression(otherwise)),
        )

    def _by_map(self, rows: list[Choice], otherwise: str) -> tuple[Simple, ...]:
        """Return what looks at a map that all paths below some other share."""
        found = self._map([row.conditions for row in rows])
        targets = [self.target(row.answer) for row in rows]
        return (
            Simple("set", (Expression("$otherwise"), expression(otherwise))),
            *(
                Simple("set", (Expression(_choice(index)), expression(target)))
                for index, target in enumerate(targets)
            ),
            go_on(Expression(found.variable)),
        )

    def target(self, answer: Answer) -> str:
        """Return the key of the location that gives *answer*."""
        key = self._key(ROUTE, answer)
        self._targets.setdefault(key, answer)
        return key

    def behind_gate(self, answer: Answer) -> str:
        """Return the name of the location that gives *answer* to those who were let in."""
        key = self._key(LET_IN, answer)
        self._gated.setdefault(key, answer)
        return key

    def _key(self, kind: str, answer: Answer) -> str:
        name, parts = target_name(answer)
        key = f"{kind}{name}"
        if self._owners.setdefault(key, parts) != parts:
            key = f"{key}.{_digest(*parts, length=64)}"
        return key

    def _map(self, conditions: list[Conditions]) -> Map:
        source, rows = self._compared(conditions)
        by = ", ".join(_all_kinds(conditions))
        variable = self._name("$decided_", source, *(f"{key}\n{i}" for key, i in rows.items()))
        self._maps[variable] = Map(
            why=f"decided by {by}",
            source=Expression(source),
            variable=variable,
            default=Expression("$otherwise"),
            # A request may pass two locations that decide alike, and lead elsewhere.
            options=("volatile",),
            entries=tuple((Literal(key), Expression(_choice(i))) for key, i in rows.items()),
        )
        return self._maps[variable]

    def _compared(self, conditions: list[Conditions]) -> tuple[str, dict[str, int]]:
        """Return what the map looks at, and its keys with the number of the condition they mean.

        Of equal keys the first counts.
        """
        if _all_kinds(conditions).keys() == {"method"}:
            return "$request_method", _first(c.methods for c in conditions)
        if _all_kinds(conditions).keys() == {"path"}:
            return str(KONG_PATH), _first((f"~^{c.path}",) for c in conditions)
        source, regexes = self._lines(conditions)
        return source, _first((f"~^{regex}$",) for regex in regexes)

    def _in_path(self, conditions: list[Conditions]) -> tuple[str, list[str]]:
        """Return what takes the path's place, and for each condition what that must match."""
        if _all_kinds(conditions).keys() == {"path"}:
            return str(KONG_PATH), [f"^{c.path}" for c in conditions]
        source, regexes = self._lines(conditions)
        # nginx takes what begins with $scheme for a redirect, and no path is empty.
        return f"/{source}", [f"^/{regex}$" for regex in regexes]

    def _lines(self, conditions: list[Conditions]) -> tuple[str, list[str]]:
        """Return what is compared, a line each, and for each condition what these must match."""
        fields = [list(self._fields(c)) for c in conditions]
        sources = list(dict.fromkeys(source for found in fields for source, _ in found))
        regexes = []
        for found in fields:
            by_source = dict(found)
            regexes.append(r"\n".join(by_source.get(source, _ANY) for source in sources))
        return "\n".join(sources), regexes

    def _fields(self, conditions: Conditions) -> Iterator[tuple[str, str]]:
        """Yield what is compared for *conditions*, and with which pattern."""
        if conditions.methods:
            yield "$request_method", f"(?:{'|'.join(map(re.escape, conditions.methods))})"
        if conditions.names or conditions.schemes:
            yield _SCHEME, _scheme(conditions)
        for header in conditions.headers:
            if header.regexes:
                yield self._header_test(header), "1"
            else:
                yield f"$http_{header.name}", _listed(header)
        if conditions.path is not None:
            yield self._path_test(conditions.path), "1"

    def _header_test(self, header: HeaderTest) -> str:
        tilde = "~" if header.exact_case else "~*"
        entries = [f"{tilde}{regex}" for regex in header.regexes]
        if header.values:
            entries.append(f"~^{_listed(header)}$")
        return self._test(f"header {header.name}", f"$http_{header.name}", tuple(entries))

    def _path_test(self, regex: str) -> str:
        return self._test("the path", str(KONG_PATH), (f"~^{regex}",))

    def _name(self, kind: str, *parts: str) -> str:
        """Return a name that is that of *parts* alone."""
        short = f"{kind}{_digest(*parts)}"
        if self._owners.setdefault(short, parts) == parts:
            return short
        return f"{kind}{_digest(*parts, length=64)}"

    def _test(self, what: str, source: str, entries: tuple[str, ...]) -> str:
        variable = self._name("$matches_", source, *entries)
        self._tests[variable] = Map(
            why=f"whether {what} matches a regular expression",
            source=Expression(source),
            variable=variable,
            default=Literal("0"),
            entries=tuple((Literal(entry), Literal("1")) for entry in entries),
        )
        return variable


def _first(keys: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Return each key with the number of the first group that holds it."""
    found: dict[str, int] = {}
    for index, group in enumerate(keys):
        for key in group:
            found.setdefault(key, index)
    return found


def go_on(key: Expression, regex: str = "^") -> Simple:
    """Return the directive that goes on with the location of *key* and the path.

    It does so where *regex* matches what stands in the path's place.
    """
    return Simple("rewrite", (Literal(regex), Expression(f"{key}{KONG_PATH}"), Literal("last")))


def _choice(index: int) -> str:
    return f"$choice_{index + 1}"


def route_source(route: Route) -> Source:
    """Return what lines that a route brings come from."""
    return Source("route", route.id, route.name, route.source)


def target_name(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """Return a name for the location of *answer*, and what makes it different from others."""
    route = answer.route
    name = route.label
    parts = [route.id]
    if isinstance(answer, NoService):
        return name, tuple(parts)
    if len(route.paths) > 1 or (
        route.expression is not None and (answer.strips or answer.captures)
    ):
        matched = (answer.path or "", answer.regex or "")
        name += f".{_digest(*matched)}"
        parts += matched
    if answer.tls_name is not None and route.preserve_host:
        name += f"@{answer.tls_name}"
        parts.append(answer.tls_name)
    return name, tuple(parts)


def _kinds(conditions: Conditions) -> Iterator[str]:
    if conditions.methods:
        yield "method"
    if conditions.schemes:
        yield "scheme"
    if conditions.names:
        yield "server name"
    for header in conditions.headers:
        yield f"header {header.name}"
    if conditions.path is not None:
        yield "path"


def _all_kinds(conditions: Iterable[Conditions]) -> dict[str, None]:
    """Return what decides, in the order in which it is looked at."""
    return dict.fromkeys(word for c in conditions for word in _kinds(c))


def _scheme(conditions: Conditions) -> str:
    """Return a pattern for scheme and server name; without TLS no name is asked for."""
    ways = []
    if "http" in (conditions.schemes or ("http",)):
        ways.append(f"http:{_ANY}")
    if "https" in (conditions.schemes or ("https",)):
        ways.append(f"https:{_names(conditions.names) if conditions.names else _ANY}")
    return f"(?:{'|'.join(ways)})"


def _listed(header: HeaderTest) -> str:
    """Return a pattern for one of a header's values, alone or in a list.

    nginx (from 1.23) joins the values of a repeated header to one.
    """
    flag = "?" if header.exact_case else "?i"
    either = f"({flag}:{'|'.join(map(re.escape, header.values))})"
    if header.every:
        return f"{either}(?:, {either})*"
    return rf"(?:{_ANY}, )?{either}(?:, {_ANY})?"


def _names(names: tuple[NameTest, ...]) -> str:
    parts = []
    for name in names:
        text = re.escape(name.text)
        around = {"exact": text, "suffix": f"{_ANY}{text}", "prefix": f"{text}{_ANY}"}
        parts.append(around[name.kind])
    return f"(?i:{'|'.join(parts)})"


def _digest(*parts: str, length: int = 8) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:length]
