"""Kong's priorities among routes (router flavor traditional_compatible)."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.entities import Route

_SPLIT_NAMESPACE = UUID("7f145bf9-0dce-4f91-98eb-debbce4b9f6b")
"""The namespace by which Kong names the parts of a route with paths of several lengths."""


@value(order=True)
class Priority:
    """What Kong compares, most significant first; the greater one wins.

    `part` is the id of the route's part that holds the path: it breaks ties.
    """

    attributes: int
    plain_hosts: bool
    path_length: int
    part: str


@value()
class Candidate:
    """One way to match a route: by one of its paths, or (None) by its hosts alone."""

    priority: Priority
    route: Route = field(compare=False)
    path: str | None


def candidates(route: Route) -> Iterator[Candidate]:
    """Yield each way to match *route*."""
    attributes = bool(route.hosts) + bool(route.paths)
    plain_hosts = bool(route.hosts) and not any("*" in host for host in route.hosts)
    if not route.paths:
        yield Candidate(Priority(attributes, plain_hosts, 0, route.id), route, None)
        return
    for path, part in _parts(route):
        length = len(path.encode())
        yield Candidate(Priority(attributes, plain_hosts, length, part), route, path)


def _parts(route: Route) -> Iterator[tuple[str, str]]:
    """Yield each path with the id of its part: Kong splits a route's paths by length."""
    for path in route.paths:
        if len(route.paths) == 1:
            yield path, route.id
        else:
            yield path, str(uuid5(_SPLIT_NAMESPACE, f"{route.id}#{len(path.encode())}"))
