"""Which answer each host and path gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from compiler.catalog import plan_rules as rules
from compiler.model.routing import Choice, HostTable, NoService, PathNode, Proxied
from compiler.plan.conditions import ConditionPlanner
from compiler.plan.groups import GroupPlanner
from compiler.plan.hosts import host_classes
from compiler.plan.nodes import PathNodes, anchor
from compiler.router.candidates import candidates
from compiler.router.expressions import ExpressionError
from compiler.router.priority import is_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.config import Config
    from compiler.model.destinations import Destination, UpstreamGroup
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route, Service
    from compiler.model.routing import Answer
    from compiler.model.settings import Settings
    from compiler.plan.access import AccessPlanner
    from compiler.plan.hosts import HostClass
    from compiler.router.candidates import Candidate
    from compiler.router.patterns import Flavor

_LABEL = "[0-9a-z_-]+"
_HOSTS = {
    "exact": re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]"),
    "suffix": re.compile(rf"(?:\.{_LABEL})+"),
    "prefix": re.compile(rf"(?:{_LABEL}\.)+"),
}
LOCATION_LIMIT = 200_000
"""Locations beyond which nginx would need several gigabytes (about 20 KB each, and a reload)."""

CHOICE_LIMIT = 1_000_000
"""Rows of all maps that decide: each is compared in turn, so many of them are slow, too."""


def plan_tables(
    ways: Iterable[Candidate],
    services: Mapping[str, Service],
    destinations: Mapping[str, Destination],
    access: AccessPlanner,
    *,
    tls_listener: bool,
    joins_headers: bool,
    report: Report,
) -> tuple[tuple[HostTable, ...], tuple[UpstreamGroup, ...]]:
    """Return what answers under each host, and the upstream groups that this needs.

    *ways* are those to match the routes, best first.
    """
    classes = host_classes(ways)
    if not _bounded(classes, report):
        return (), ()
    conditions = ConditionPlanner(
        tls_listener=tls_listener, joins_headers=joins_headers, report=report
    )
    planner = _Planner(services, destinations, access, conditions)
    entered = {id(found.parent) for found in classes if found.port is not None}
    tables = []
    choices = 0
    for found in classes:
        if _is_needed(found) or id(found) in entered:
            tables.append(planner.table(found))
            choices += sum(len(node.choices) for node in tables[-1].nodes)
            if choices > CHOICE_LIMIT:
                report.add(rules.TOO_MANY_CHOICES, None, table=found.key, limit=CHOICE_LIMIT)
                return (), ()
    return tuple(tables), planner.groups.all()


def flavor_of(settings: Settings) -> Flavor:
    """Return by which rules requests are routed."""
    return cast("Flavor", settings.text("router_flavor") or "traditional_compatible")


def request_candidates(config: Config, report: Report) -> list[Candidate]:
    """Return the ways to match the routes that requests are served by, best first."""
    entities = config.entities
    served = [r for r in entities.routes.values() if _is_served(r, entities.services)]
    return _candidates(served, flavor_of(config.settings), report)


def _is_served(route: Route, services: Mapping[str, Service]) -> bool:
    """Tell whether Kong would have the route: those of a disabled service do not exist."""
    return route.service is None or services[route.service].enabled


def _candidates(routes: Iterable[Route], flavor: Flavor, report: Report) -> list[Candidate]:
    """Return the ways to match *routes*, best first; report what cannot be decided by nginx."""
    found: list[Candidate] = []
    for route in routes:
        if is_stream(route.protocols):
            continue
        try:
            ways = candidates((route,), flavor)
        except ExpressionError as error:
            _refuse(route, f"cannot be compiled: {error}", report)
            continue
        problem = next(filter(None, map(_undecidable, ways)), None)
        if problem is not None:
            _refuse(route, problem, report)
            continue
        if flavor == "traditional" and route.snis:
            report.add(
                rules.ROUTE_SNIS_PLAINTEXT,
                route.source.place("snis"),
                entity=route.ref,
                route=route.label,
            )
        found += ways
    return sorted(found, key=lambda candidate: candidate.priority, reverse=True)


def _undecidable(candidate: Candidate) -> str | None:
    """Say what of an expression's candidate has no counterpart, None if all has one."""
    if candidate.sources or candidate.destinations:
        return "compares addresses or ports of HTTP connections, which is not compiled"
    for host in candidate.hosts:
        ends = {"suffix": host.text[:1], "prefix": host.text[-1:]}.get(host.kind, ".")
        if ends != ".":
            return f"compares a part of a label of http.host ({host.text}), which is not compiled"
        # Anything else could be a pattern, or the name of something of ours.
        if candidate.route.expression is not None and not _HOSTS[host.kind].fullmatch(host.text):
            return f"compares http.host with {host.text!r}, which is no name of a host"
    if candidate.path and not candidate.path.startswith("/"):
        return f"compares http.path with {candidate.path!r}, which no path begins with"
    for header in candidate.headers:
        if "." in header.name:
            return f"compares the header {header.name}, whose name has a dot"
    return None


def _refuse(route: Route, reason: str, report: Report) -> None:
    report.add(
        rules.ROUTE_EXPRESSION,
        route.source.place("expression"),
        entity=route.ref,
        route=route.label,
        reason=reason,
    )


def _is_needed(found: HostClass) -> bool:
    """Tell whether a class has more to say than that of all hosts."""
    return bool(found.own) or found.parent is None or found.parent.parent is not None


def _bounded(classes: list[HostClass], report: Report) -> bool:
    """Report when candidates of wider patterns would be repeated under too many hosts."""
    own = sum(len(found.own) for found in classes)
    repeated = 0
    for found in classes:
        repeated += len(found.inherited)
        if own + repeated > LOCATION_LIMIT:
            report.add(rules.TOO_MANY_LOCATIONS, None, hosts=len(classes) - 1, limit=LOCATION_LIMIT)
            return False
    return True


class _Planner:
    """Plans one class of hosts after another and collects the groups they use."""

    def __init__(
        self,
        services: Mapping[str, Service],
        destinations: Mapping[str, Destination],
        access: AccessPlanner,
        conditions: ConditionPlanner,
    ) -> None:
        self._services = services
        self._destinations = destinations
        self._access = access
        self._conditions = conditions
        self.groups = GroupPlanner(many=len(destinations))

    def table(self, found: HostClass) -> HostTable:
        """Return what answers under a class of hosts."""
        host = found.patterns[0] if found.kind == "exact" else None
        paths = PathNodes((*found.own, *found.inherited), self._always_matches)
        nodes: list[PathNode] = []
        for path, here in paths.nodes():
            choices = self._choices(here, host, path)
            if path != "/" and path.endswith("/") and _proxies_all(choices):
                # nginx would redirect /x to /x/ for a proxied location that ends in a slash.
                bare = path.removesuffix("/")
                above = self._choices(paths.at(bare), host, bare)
                nodes.append(PathNode(path=bare, exact=True, choices=above))
            nodes.append(PathNode(path=path, choices=choices))
        return HostTable(
            key=found.key,
            kind=found.kind,
            patterns=found.patterns,
            port=found.port,
            nodes=tuple(nodes),
            otherwise=None if found.parent is None else found.parent.key,
        )

    def _always_matches(self, candidate: Candidate) -> bool:
        return self._conditions.of(candidate).always_hold

    def _choices(
        self, found: Iterable[Candidate], host: str | None, path: str
    ) -> tuple[Choice, ...]:
        return tuple(
            Choice(
                self._conditions.of(candidate),
                self._answer(candidate, host),
                inherited=anchor(candidate) != path,
            )
            for candidate in found
        )

    def _answer(self, winner: Candidate, host: str | None) -> Answer:
        route = winner.route
        access = self._access.of(route)
        if route.service is None:
            return NoService(route=route, access=access)
        service = self._services[route.service]
        destination = self._destinations[service.id]
        taken = self._conditions.stripped(winner)
        return Proxied(
            route=route,
            service=service,
            path=winner.path,
            regex=taken.regex,
            stripped_width=taken.width,
            may_keep=taken.may_keep,
            joins_literally=winner.flavor == "traditional" and route.path_handling == "v1",
            captures=self._conditions.captures(winner, destination.balancing),
            destination=destination,
            group=self._group(route, destination, host),
            tls_name=_tls_name(route, destination, host),
            access=access,
        )

    def _group(
        self, route: Route, destination: Destination, host: str | None
    ) -> UpstreamGroup | None:
        if not destination.peers or not destination.fixed_peers:
            return None
        return self.groups.of(route, destination, host)


def _proxies_all(choices: tuple[Choice, ...]) -> bool:
    first = choices[:1]
    return any(c.conditions.always_hold and isinstance(c.answer, Proxied) for c in first)


def _tls_name(route: Route, destination: Destination, host: str | None) -> str | None:
    """Return the name verified over TLS; None for the client's Host, or where none is."""
    if destination.tls is None:
        return None
    return host if route.preserve_host else destination.tls.name
