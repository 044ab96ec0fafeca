"""Which answer each host and path gets."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.plan import (
    NoRoute,
    NoService,
    PathAnswer,
    Proxied,
    UpstreamGroup,
    VirtualHost,
)
from compiler.plan.hosts import host_classes
from compiler.plan.path_tree import PathTree
from compiler.plan.priority import candidates
from compiler.plan.scale import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route, Service
    from compiler.model.plan import Answer, Destination, Scheme
    from compiler.plan.hosts import HostClass
    from compiler.plan.priority import Candidate

LOCATION_LIMIT = 200_000
"""Locations beyond which nginx would need several gigabytes (about 10 KB each, and a reload)."""

_NO_ROUTE = NoRoute()


def plan_hosts(
    routes: Iterable[Route],
    services: Mapping[str, Service],
    destinations: Mapping[str, Destination],
    report: Report,
) -> tuple[tuple[VirtualHost, ...], tuple[UpstreamGroup, ...]]:
    """Return what answers under each host, and the upstream groups that this needs."""
    served = [route for route in routes if _is_served(route, services)]
    classes = host_classes(served)
    if not _bounded(classes, report):
        return (), ()
    planner = _Planner(services, destinations)
    hosts = tuple(host for found in classes for host in planner.virtual_hosts(found))
    return hosts, planner.groups()


def _is_served(route: Route, services: Mapping[str, Service]) -> bool:
    """Tell whether Kong would have the route: those of a disabled service do not exist."""
    return route.service is None or services[route.service].enabled


def _bounded(classes: list[HostClass], report: Report) -> bool:
    """Report when routes without hosts would be repeated under too many hosts."""
    hostless = sum(len(route.paths) for route in classes[0].routes)
    hosts = len(classes) - 1
    count = sum(len(route.paths) for found in classes for route in found.routes)
    if count <= LOCATION_LIMIT:
        return True
    report.add(
        rules.TOO_MANY_LOCATIONS,
        None,
        hostless=hostless,
        hosts=hosts,
        count=count,
        limit=LOCATION_LIMIT,
    )
    return False


class _Planner:
    """Plans one class of hosts after another and collects the groups they use."""

    def __init__(
        self, services: Mapping[str, Service], destinations: Mapping[str, Destination]
    ) -> None:
        self._services = services
        self._destinations = destinations
        self._groups: dict[tuple[str, str | None], UpstreamGroup] = {}
        self._names: dict[str, tuple[str, str | None]] = {}
        self._many = len(destinations) >= LARGE

    def groups(self) -> tuple[UpstreamGroup, ...]:
        """Return the groups by name, so that one more moves no other."""
        return tuple(sorted(self._groups.values(), key=lambda group: group.name))

    def virtual_hosts(self, found: HostClass) -> list[VirtualHost]:
        """Return one virtual host, or two where plain HTTP and HTTPS differ."""
        plain = [r for r in found.routes if "http" in r.protocols or "https" in r.protocols]
        secure = [r for r in plain if "https" in r.protocols]
        if len(plain) == len(secure):
            return [self._virtual_host(found, "any", plain)]
        return [
            self._virtual_host(found, "http", plain),
            self._virtual_host(found, "https", secure),
        ]

    def _virtual_host(self, found: HostClass, scheme: Scheme, routes: list[Route]) -> VirtualHost:
        tree = PathTree(c for route in routes for c in candidates(route))
        host = found.patterns[0] if found.kind == "exact" else None
        paths: list[PathAnswer] = []
        for path, winner in tree.answers():
            answer = self._answer(winner, host)
            if path != "/" and path.endswith("/") and isinstance(answer, Proxied):
                # nginx would redirect /x to /x/ for a proxied location that ends in a slash.
                bare = path.removesuffix("/")
                above = self._answer(tree.best(bare), host)
                paths.append(PathAnswer(path=bare, exact=True, answer=above))
            paths.append(PathAnswer(path=path, answer=answer))
        return VirtualHost(
            kind=found.kind, patterns=found.patterns, scheme=scheme, paths=tuple(paths)
        )

    def _answer(self, winner: Candidate | None, host: str | None) -> Answer:
        if winner is None:
            return _NO_ROUTE
        route = winner.route
        if route.service is None:
            return NoService(route=route)
        service = self._services[route.service]
        destination = self._destinations[service.id]
        tls_name = self._tls_name(route, destination, host)
        return Proxied(
            route=route,
            service=service,
            path=winner.path,
            destination=destination,
            group=self._group(route, destination, host) if destination.fixed_peers else None,
            tls_name=tls_name,
        )

    @staticmethod
    def _tls_name(route: Route, destination: Destination, host: str | None) -> str | None:
        """Return the name verified over TLS; None for the client's Host, or where none is."""
        if destination.tls is None:
            return None
        return host if route.preserve_host else destination.tls.name

    def _group(self, route: Route, destination: Destination, host: str | None) -> UpstreamGroup:
        """Return the group for a destination and the name that is verified there."""
        own_name = destination.tls is None or not route.preserve_host
        shared = own_name or host is not None
        variant = None if own_name else host or "*"
        key = (destination.service.id, variant)
        if key not in self._groups:
            self._groups[key] = UpstreamGroup(
                name=self._name(destination.service, variant),
                destination=destination,
                shared_connections=shared,
                host=None if own_name else host,
            )
        return self._groups[key]

    def _name(self, service: Service, variant: str | None) -> str:
        """Name a group after its service; nginx compares group names without letter case.

        nginx compares each name with all others, letter by letter, when it starts: where there
        are many, names that begin alike would cost seconds, so a digest goes in front.
        """
        suffix = {None: "", "*": "--any-host"}.get(variant, f"--{variant}")
        name = f"{service.label}{suffix}"
        if self._many:
            name = f"{sha256(name.encode()).hexdigest()[:4]}-{name}"
        owner = (service.id, variant)
        if self._names.setdefault(name.lower(), owner) != owner:
            name = f"{name}--{service.id}"
            self._names[name.lower()] = owner
        return name
