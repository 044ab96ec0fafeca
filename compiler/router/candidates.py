"""Each way to match a route, sorted as Kong tries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid5

from compiler.router.conditions import Conditions, both
from compiler.router.expressions import alternatives, schemes_of
from compiler.router.patterns import (
    Flavor,
    HeaderCondition,
    HostPattern,
    PeerPattern,
    SniPattern,
    header_condition,
    host_pattern,
    peer_pattern,
    sni_pattern,
)
from compiler.router.priority import (
    Priority,
    byte_length,
    compatible_rank,
    is_stream,
    traditional_rank,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.entities import Route

_SPLIT_NAMESPACE = UUID("7f145bf9-0dce-4f91-98eb-debbce4b9f6b")
"""The namespace by which Kong names the parts of a route with paths of several lengths."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to match a route: all of its conditions hold (empty ones always do).

    At most one of *path* (a literal prefix, as Kong stores it) and *regex* (the text after
    ``~``) is set. Of *hosts*, *snis*, *sources* and *destinations* one entry has to match, of
    *headers* all. *snis* count for TLS only. *schemes* is set in flavor expressions only: the
    scheme of the request has to be one of them.
    """

    route: Route
    flavor: Flavor
    path: str | None
    regex: str | None
    hosts: tuple[HostPattern, ...]
    methods: frozenset[str]
    headers: tuple[HeaderCondition, ...]
    snis: tuple[SniPattern, ...]
    protocols: frozenset[str]
    sources: tuple[PeerPattern, ...]
    destinations: tuple[PeerPattern, ...]
    priority: Priority
    schemes: frozenset[str] = frozenset()

    @property
    def subsystem(self) -> Literal["http", "stream"]:
        """Which of nginx's subsystems serves it."""
        return _subsystem(self.route)


def candidates(routes: Iterable[Route], flavor: Flavor) -> list[Candidate]:
    """Return each way to match one of *routes*, best first.

    The order does not depend on the order of *routes*. Routes of disabled services do not exist
    for Kong; leave them out.

    :raises CannotDecideError: if an expression asks for what a candidate cannot express
    :raises ExpressionSyntaxError: if it is none
    """
    found = [candidate for route in routes for candidate in _of_route(route, flavor)]
    return sorted(found, key=lambda candidate: candidate.priority, reverse=True)


def _of_route(route: Route, flavor: Flavor) -> Iterator[Candidate]:
    if route.expression is not None and flavor != "traditional":
        yield from _of_expression(route, route.expression, flavor)
        return
    schemes = schemes_of(route.protocols) if flavor == "expressions" else frozenset()
    for path, priority in _priorities(route, flavor):
        is_regex = path is not None and path.startswith("~")
        yield Candidate(
            route=route,
            flavor=flavor,
            path=None if is_regex else path,
            regex=path[1:] if path is not None and is_regex else None,
            hosts=tuple(map(host_pattern, route.hosts)),
            methods=frozenset(route.methods),
            headers=tuple(
                header_condition(name, values, flavor) for name, values in route.headers.items()
            ),
            snis=tuple(sni_pattern(sni, flavor) for sni in route.snis),
            protocols=frozenset(route.protocols),
            sources=tuple(map(peer_pattern, route.sources)),
            destinations=tuple(map(peer_pattern, route.destinations)),
            priority=priority,
            schemes=schemes,
        )


def _of_expression(route: Route, expression: str, flavor: Flavor) -> Iterator[Candidate]:
    subsystem = _subsystem(route)
    reachable = schemes_of(route.protocols) or None
    found = alternatives(expression, subsystem, strip=route.strip_path)
    for turn, conditions in enumerate(found):
        reached = both(conditions, Conditions(schemes=reachable))
        if reached is None:
            continue
        yield Candidate(
            route=route,
            flavor=flavor,
            path=reached.path,
            regex=reached.regex,
            hosts=reached.hosts or (),
            methods=reached.methods or frozenset(),
            headers=reached.headers,
            snis=reached.snis or (),
            protocols=frozenset(route.protocols),
            sources=reached.sources or (),
            destinations=reached.destinations or (),
            priority=Priority(compatible_rank(route, None), route.id, -turn),
            schemes=reached.schemes or frozenset(),
        )


def _subsystem(route: Route) -> Literal["http", "stream"]:
    return "stream" if is_stream(route.protocols) else "http"


def _priorities(route: Route, flavor: Flavor) -> Iterator[tuple[str | None, Priority]]:
    if flavor == "traditional":
        for turn, path in enumerate(route.paths or (None,)):
            yield path, Priority(traditional_rank(route, path), _descending(route.id), -turn)
        return
    for turn, (path, part) in enumerate(_parts(route)):
        yield path, Priority(compatible_rank(route, path), part, -turn)


def _parts(route: Route) -> Iterator[tuple[str | None, str]]:
    """Yield each path with the id of its part.

    Kong splits a route: one part for all its regular expressions, one for each length of its
    prefixes. The id of a part breaks ties.
    """
    if not route.paths:
        yield None, route.id
        return
    groups = list(dict.fromkeys(map(_group, route.paths)))
    for path in route.paths:
        yield path, _part_id(route.id, groups.index(_group(path)), len(groups))


def _group(path: str) -> int:
    return 0 if path.startswith("~") else byte_length(path)


def _part_id(route_id: str, index: int, count: int) -> str:
    if count == 1:
        return route_id
    return str(uuid5(_SPLIT_NAMESPACE, f"{route_id}#{index + 1}"))


def _descending(text: str) -> str:
    """Return a text that sorts the other way round: here the smaller id goes first."""
    return "".join(chr(0x10FFFF - ord(character)) for character in text)
