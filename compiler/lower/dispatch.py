"""Paths at which a request's method, headers or server name decide: rules that lead to locations.

What decides for a path alone stands in its location; what decides for all paths below some other,
in a map. Where very many conditions decide, a chain of maps does (`parts`): what one has no row for
the next is asked, and nginx looks at none before it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.lower.comparisons import ANY, Comparisons, all_kinds
from compiler.lower.names import Names, digest
from compiler.lower.parts import LONGEST, fits_one, parts_of
from compiler.lower.paths import KONG_PATH
from compiler.model.nginx import Map, Simple, Source
from compiler.model.routing import NoService
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.lower.parts import Part
    from compiler.model.entities import Route
    from compiler.model.routing import Answer, Choice, Conditions

NO_ROUTE = "no-route"
ROUTE = "route="
LET_IN = "@let-in="

_DEEPEST = 64
"""Maps of a chain: a hundred variables that ask for another are one too many for nginx."""

_VOLATILE = ("volatile",)
"""A request may pass two locations that decide alike, and lead elsewhere."""

_SHOWN = 3
"""Conditions that the comment of a chain's map names."""


class Dispatcher:
    """Turns choices into rules and maps.

    Keeps those, and the answers that they lead to in one server.
    """

    def __init__(self) -> None:
        self._targets: dict[str, Answer] = {}
        self._gated: dict[str, Answer] = {}
        self._names = Names()
        self._comparisons = Comparisons(self._names)
        self._maps: dict[str, tuple[Map, ...]] = {}

    @property
    def maps(self) -> tuple[Map, ...]:
        """Return the maps by name, so that one more moves no other; those of a chain in turn."""
        chains = (chain for _, chain in sorted(self._maps.items()))
        return (*self._comparisons.maps, *(found for chain in chains for found in chain))

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
        compare = self._in_map if any(row.inherited for row in rows) else self._in_turn
        if all_kinds(row.conditions for row in rows).keys() == {"path"}:
            regexes = [f"^{row.conditions.path}" for row in rows]
            if max(map(len, regexes)) <= LONGEST:
                return compare(rows, otherwise, str(KONG_PATH), regexes)
        fields = [
            self._comparisons.fields(row.conditions, route_source(row.answer.route)) for row in rows
        ]
        if not fits_one(fields):
            return self._in_chains(rows, otherwise, fields)
        source, regexes = _lines(fields)
        return compare(rows, otherwise, source, regexes)

    def _in_turn(
        self, rows: list[Choice], otherwise: str, source: str, regexes: list[str]
    ) -> tuple[Simple, ...]:
        """Return rules that hold what is compared against one choice after the other.

        What a single location decides needs no variable, which would cost every request memory.
        """
        if source != KONG_PATH:
            # nginx takes what begins with $scheme for a redirect, and no path is empty.
            source, regexes = f"/{source}", [f"^/{regex[1:]}" for regex in regexes]
        leads: dict[str, Simple] = {}
        for regex, row in zip(regexes, rows, strict=True):
            leads.setdefault(regex, go_on(expression(self.target(row.answer)), regex))
        return (
            Simple("rewrite", (Literal("^"), Expression(source))),
            *leads.values(),
            go_on(expression(otherwise)),
        )

    def _in_map(
        self, rows: list[Choice], otherwise: str, source: str, regexes: list[str]
    ) -> tuple[Simple, ...]:
        """Return what looks at a map that all paths below some other share."""
        found = self._map([row.conditions for row in rows], source, regexes)
        targets = [self.target(row.answer) for row in rows]
        return (
            _set("$otherwise", otherwise),
            *(_set(_choice(index), target) for index, target in enumerate(targets)),
            go_on(Expression(found.variable)),
        )

    def _in_chains(
        self, rows: list[Choice], otherwise: str, fields: list[dict[str, str]]
    ) -> tuple[Simple, ...]:
        """Return what looks at chains of maps, which name the answers themselves."""
        parts = list(parts_of(fields))
        starts = range(0, len(parts), _DEEPEST)
        *before, last = (
            self._chain(rows, parts[at : at + _DEEPEST], is_last=at == starts[-1]) for at in starts
        )
        return (
            *(step for variable in before for step in _if_any(variable)),
            _set("$otherwise", otherwise),
            go_on(Expression(last)),
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
        return self._names.readable(f"{kind}{name}", parts)

    def _map(self, conditions: list[Conditions], source: str, regexes: list[str]) -> Map:
        kinds = all_kinds(conditions)
        keys = _first((f"~{regex}",) for regex in regexes)
        if kinds.keys() == {"method"}:
            keys = _first(c.methods for c in conditions)
        variable = self._names.of("$decided_", source, *(f"{key}\n{i}" for key, i in keys.items()))
        found = Map(
            why=f"decided by {', '.join(kinds)}",
            source=Expression(source),
            variable=variable,
            default=Expression("$otherwise"),
            options=_VOLATILE,
            entries=tuple((Literal(key), Expression(_choice(i))) for key, i in keys.items()),
        )
        self._maps[variable] = (found,)
        return found

    def _chain(self, rows: list[Choice], parts: list[Part], *, is_last: bool) -> str:
        """Return the variable of a chain of maps.

        It is empty where none of *parts* has a row for a request, or *is_last* what else to do.
        """
        made = [self._link(rows[part.first :], part) for part in parts]
        said = (str(word) for found in made for row in found.entries for word in row)
        sources = (found.source for found in made)
        name = self._names.of("$decided_", "last" if is_last else "", *sources, *said)
        if name not in self._maps:
            variables = [name, *(f"{name}_{number}" for number in range(2, len(made) + 1))]
            defaults = [*variables[1:], "$otherwise" if is_last else ""]
            self._maps[name] = tuple(
                replace(
                    found,
                    why=f"{found.why} ({number} of {len(made)})",
                    variable=variable,
                    default=Expression(default) if default else None,
                )
                for number, (found, variable, default) in enumerate(
                    zip(made, variables, defaults, strict=True), 1
                )
            )
        return name

    def _link(self, rows: list[Choice], part: Part) -> Map:
        """Return a map of a chain, which holds the first of *rows*; it has no name yet."""
        keys = _first((key,) for key in part.keys)
        answers = [rows[index].answer for index in keys.values()]
        owners = tuple(route_source(answer.route) for answer in answers)
        return Map(
            why=f"decided by {_some(all_kinds(row.conditions for row in rows[: len(part.keys)]))}",
            source=Expression(part.source),
            variable="",
            default=None,
            options=_VOLATILE,
            entries=tuple(
                (Literal(key), expression(self.target(answer)))
                for key, answer in zip(keys, answers, strict=True)
            ),
            sources=owners,
            owner=owners[0] if len(owners) == 1 else None,
        )


def _lines(fields: list[dict[str, str]]) -> tuple[str, list[str]]:
    """Return what is compared, a line each, and for each row what these must match."""
    sources = list(dict.fromkeys(source for found in fields for source in found))
    regexes = (r"\n".join(found.get(source, ANY) for source in sources) for found in fields)
    return "\n".join(sources), [f"^{regex}$" for regex in regexes]


def _some(kinds: dict[str, None]) -> str:
    more = len(kinds) - _SHOWN
    return ", ".join(list(kinds)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _first(keys: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Return each key with the number of the first group that holds it."""
    found: dict[str, int] = {}
    for index, group in enumerate(keys):
        for key in group:
            found.setdefault(key, index)
    return found


def _if_any(variable: str) -> tuple[Simple, ...]:
    """Return what goes on with the location of a key that may be empty, where it is not."""
    found = Expression(variable)
    return (
        Simple("rewrite", (Literal("^"), Expression(f"/{variable}"))),
        go_on(found, "^/."),
    )


def _set(variable: str, text: str) -> Simple:
    return Simple("set", (Expression(variable), expression(text)))


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
        name += f".{digest(*matched)}"
        parts += matched
    if answer.tls_name is not None and route.preserve_host:
        name += f"@{answer.tls_name}"
        parts.append(answer.tls_name)
    return name, tuple(parts)
