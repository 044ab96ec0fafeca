"""A request that is traced through the output, as lines of a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.dispatch import ROUTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.nginx import Server
    from compiler.model.plan import Plan
    from compiler.model.routing import Proxied, TracedRequest


def trace_lines(plan: Plan, servers: Iterable[Server]) -> tuple[str, ...]:
    """Return where the request is looked up, and where it goes; nothing where none is traced."""
    traced = plan.traced
    if traced is None:
        return ()
    others = ", for a HOST that no route names" if traced.any_host else ""
    return (
        f"GET {traced.url}{others}",
        f"-> key {traced.table} -> {' -> '.join(_locations(traced, servers))}",
        f"-> {_upstream(traced.answer, traced.sent)}",
    )


def _locations(traced: TracedRequest, servers: Iterable[Server]) -> list[str]:
    found = [f"location {traced.table}{traced.path}"]
    if traced.decided:
        route = traced.answer.route
        named = {
            location.path
            for server in servers
            for location in server.locations
            if location.path.startswith(ROUTE)
            and location.source is not None
            and location.source.id == route.id
        }
        # A route with several paths has several.
        found.append(f"location {named.pop()}" if len(named) == 1 else f"route {route.label}")
    return found


def _upstream(answer: Proxied, sent: str) -> str:
    """Return the group that is asked, and where it sends what."""
    destination = answer.destination
    group = "" if answer.group is None else f"upstream {answer.group.name} -> "
    peer = destination.peers[0]
    address = peer.host if peer.srv else peer.address
    others = " or another of its servers" if len(destination.peers) > 1 else ""
    return f"{group}{destination.scheme}://{address}{sent}{others}"
