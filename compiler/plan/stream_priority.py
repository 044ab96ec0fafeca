"""Kong's order of stream routes (kong/router/transform.lua, as traditional_compatible has it)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.model.stream import STREAM_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.entities import Route

_NAMED_OR_BOTH_ENDS = 1 << 61
_ADDRESS, _PORT, _NETWORK = 1 << 3, 1 << 2, 1 << 0
_SOURCE_SHIFT = 4


def is_stream(route: Route) -> bool:
    """Tell whether *route* is of connections rather than of requests."""
    return not STREAM_PROTOCOLS.isdisjoint(route.protocols)


def in_order(routes: Iterable[Route]) -> list[Route]:
    """Return stream routes as Kong tries them: by priority, then the larger id first."""
    return sorted(routes, key=lambda route: (priority(route), route.id), reverse=True)


def priority(route: Route) -> int:
    """Return Kong's priority: a server name, or source and destination, outrank either alone.

    Below that the source counts more than the destination, and of each an address more than a
    port, a port more than a network.
    """
    first = bool(route.snis) or bool(route.sources and route.destinations)
    return (
        first * _NAMED_OR_BOTH_ENDS
        | _weight(route.sources) << _SOURCE_SHIFT
        | _weight(route.destinations)
    )


def _weight(items: tuple[Mapping[str, Any], ...]) -> int:
    weight = 0
    for item in items:
        address = item.get("ip")
        if address is not None:
            weight |= _NETWORK if "/" in address else _ADDRESS
        if item.get("port") is not None:
            weight |= _PORT
    return weight
