"""Which routes a host's requests are matched against: exact names and wildcards together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from compiler.model.entities import Route
    from compiler.model.plan import HostKind


@value()
class HostClass:
    """Hosts that match the same patterns, with every route that any of those patterns brings."""

    kind: HostKind
    patterns: tuple[str, ...]
    routes: tuple[Route, ...]


def host_classes(routes: Iterable[Route]) -> list[HostClass]:
    """Return the classes of hosts in the order in which they are to be tried.

    A request's host may match an exact name, several wildcards, and routes without hosts all at
    once. nginx picks one server, so each class carries the routes of every pattern that is
    certain to match there; where a prefix and a suffix wildcard can match the same host, a class
    of its own (`both-wildcards`) holds the routes of both.
    """
    index = _Index(routes)
    classes = [HostClass("default", (), tuple(index.hostless))]
    classes += [HostClass("exact", (host,), index.matching(host)) for host in sorted(index.exact)]
    prefixes = sorted(index.prefix, key=lambda p: (-len(p), p))
    suffixes = sorted(index.suffix, key=lambda p: (-len(p), p))
    classes += [
        HostClass("both-wildcards", (prefix, suffix), index.matching_both(prefix, suffix))
        for prefix in prefixes
        for suffix in suffixes
    ]
    classes += [HostClass("prefix-wildcard", (p,), index.matching_prefix(p)) for p in prefixes]
    classes += [HostClass("suffix-wildcard", (s,), index.matching_suffix(s)) for s in suffixes]
    return classes


class _Index:
    """Routes by host pattern; patterns are compared in lower case."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.hostless: list[Route] = []
        self.exact: dict[str, list[Route]] = {}
        self.prefix: dict[str, list[Route]] = {}
        self.suffix: dict[str, list[Route]] = {}
        for route in routes:
            if not route.hosts:
                self.hostless.append(route)
            for host in route.hosts:
                self._table(host).setdefault(host.lower(), []).append(route)

    def _table(self, host: str) -> dict[str, list[Route]]:
        if host.startswith("*"):
            return self.prefix
        return self.suffix if host.endswith("*") else self.exact

    def matching(self, host: str) -> tuple[Route, ...]:
        """Return the routes for one exact host."""
        return self._collect(
            self.exact[host],
            *_lookup(self.prefix, ("*" + tail for tail in _tails(host))),
            *_lookup(self.suffix, (head + "*" for head in _heads(host))),
        )

    def matching_prefix(self, pattern: str) -> tuple[Route, ...]:
        """Return the routes for the hosts under `*.x`: those of every wider prefix wildcard too."""
        wider = ("*" + tail for tail in _tails(pattern[1:]))
        return self._collect(self.prefix[pattern], *_lookup(self.prefix, wider))

    def matching_suffix(self, pattern: str) -> tuple[Route, ...]:
        """Return the routes for the hosts under `x.*`."""
        wider = (head + "*" for head in _heads(pattern[:-1]))
        return self._collect(self.suffix[pattern], *_lookup(self.suffix, wider))

    def matching_both(self, prefix: str, suffix: str) -> tuple[Route, ...]:
        """Return the routes for hosts that match both wildcards."""
        return self._collect(self.matching_prefix(prefix), self.matching_suffix(suffix))

    def _collect(self, *groups: Sequence[Route]) -> tuple[Route, ...]:
        found = {route.id: route for group in groups for route in group}
        found.update((route.id, route) for route in self.hostless)
        return tuple(found.values())


def _lookup(table: Mapping[str, list[Route]], patterns: Iterable[str]) -> Iterator[list[Route]]:
    if table:
        for pattern in patterns:
            if pattern in table:
                yield table[pattern]


def _tails(host: str) -> Iterator[str]:
    """Yield `.b.c` and `.c` of `a.b.c`."""
    position = host.find(".", 1)
    while position != -1:
        yield host[position:]
        position = host.find(".", position + 1)


def _heads(host: str) -> Iterator[str]:
    """Yield `a.` and `a.b.` of `a.b.c`."""
    position = host.find(".")
    while position != -1:
        yield host[: position + 1]
        position = host.find(".", position + 1)
