"""Services that are one destination, of which one is protected and another is a way around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.uri_path import normalize_path

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from compiler.model.diagnostic import Report
    from compiler.model.routing import Proxied

    Segments = tuple[str, ...]

_OWN, _ANY = None, ""
"""In place of a client's Host: the destination's own, and whatever is sent."""


class GuardedDestinations:
    """What is reached by protected routes, by destination and path."""

    def __init__(self, guarded: Iterable[Proxied]) -> None:
        self._ways: dict[Hashable, dict[frozenset[Hashable], Proxied]] = {}
        for answer in guarded:
            # What a regular expression leads to lies somewhere below the service's path.
            own = _reached(answer) or _segments(answer.service.path)
            for length in range(len(own) + 1):
                kept = frozenset(_kept_from(answer, own[length:]))
                for site in {_ANY, *_sites(answer)}:
                    ways = self._ways.setdefault((_destination(answer), own[:length], site), {})
                    ways.setdefault(kept, answer)

    def way_around(self, answer: Proxied) -> Proxied | None:
        """Return a protected answer with all that it reaches reached by *answer*, too."""
        reached = _reached(answer)
        if reached is None:
            return None
        sites = _sites(answer)
        by_path, by_regex = _matches(answer, _path(answer)), _matches(answer, _below(answer))
        for site in (_ANY,) if sites == (_OWN,) else (_OWN, *sites):
            ways = self._ways.get((_destination(answer), reached, site), {})
            for kept, found in ways.items():
                if not (by_path <= kept or by_regex <= kept):
                    return found
        return None


def report_open_destinations(
    guarded: Iterable[Proxied], unguarded: Iterable[Proxied], report: Report
) -> None:
    """Report each route that leads where a route of another service wants a certificate."""
    known = GuardedDestinations(guarded)
    seen = set()
    for answer in unguarded:
        found = None if answer.route.id in seen else known.way_around(answer)
        if found is None:
            continue
        seen.add(answer.route.id)
        report.add(
            rules.OPEN_DESTINATION,
            answer.route.source.place("name"),
            entity=answer.route.ref,
            related=_related(found),
            open=answer.route.label,
            way=answer.service.label,
            guarded=found.route.label,
            service=found.service.label,
            destination=_shown(found),
        )


def _related(found: Proxied) -> Iterator[Related]:
    route, service = found.route, found.service
    yield Related(f"route {route.label} asks for one", route.source.place("name"))
    yield Related(f"service {service.label} is the same destination", service.source.place("name"))


def _shown(answer: Proxied) -> str:
    service, upstream = answer.service, answer.destination.upstream
    place = f"{service.host}:{service.port}" if upstream is None else f"upstream {upstream.name}"
    reached = _reached(answer) or _segments(service.path)
    return f"{place}, path /{'/'.join(reached)}"


def _destination(answer: Proxied) -> Hashable:
    """Return what servers are asked, and as whom; not whether over TLS: a port is one or other."""
    there = answer.destination
    peers = frozenset((peer.host.lower(), peer.port) for peer in there.peers)
    return there.speaks_grpc, peers or answer.service.id, there.host_header.lower()


def _sites(answer: Proxied) -> tuple[str | None, ...]:
    """Return the names of hosts that are asked for there, where those are the client's choice."""
    if answer.route.preserve_host and answer.route.hosts:
        return tuple(sorted({host.lower() for host in answer.route.hosts}))
    return (_OWN,)


def _reached(answer: Proxied) -> Segments | None:
    """Return below what all lies that *answer* leads to; None where only requests tell."""
    base = _segments(answer.service.path)
    if answer.strips:
        return base
    return None if answer.regex is not None else base + _segments(answer.path)


def _segments(path: str | None) -> Segments:
    return tuple(filter(None, normalize_path(path or "/").split("/")))


def _kept_from(guarded: Proxied, rest: Segments) -> Iterator[Hashable]:
    """Yield the matches that lead no request to *guarded*'s place, *rest* below what they reach.

    They would have to match a path that *guarded* itself is for, and the longer path wins, a
    regular expression over all.
    """
    path = _path(guarded)
    if path is None:
        if not guarded.strips:
            yield from _matches(guarded, _below(guarded))
        return
    for taken in range(1, min(len(path), len(rest)) + 1):
        if path[-taken:] == rest[:taken]:
            yield from _matches(guarded, path[:-taken])


def _path(answer: Proxied) -> Segments | None:
    return None if answer.regex is not None else _segments(answer.path)


def _below(answer: Proxied) -> Hashable:
    """Return what is alike where paths of requests and of the upstream are."""
    return None if answer.strips else ("below", _segments(answer.service.path))


def _matches(answer: Proxied, path: Hashable) -> frozenset[Hashable]:
    """Return what requests *answer* is for at *path*, host by host."""
    route = answer.route
    hosts = {host.lower() for host in route.hosts}
    alike = (
        path,
        any("*" in host for host in hosts),
        frozenset(route.methods),
        frozenset((name.lower(), values) for name, values in route.headers.items()),
        frozenset(route.snis),
        route.id if route.expression is not None else None,
    )
    return frozenset((host, alike) for host in hosts or (None,))
