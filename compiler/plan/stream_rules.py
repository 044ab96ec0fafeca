"""What of each stream route is left to ask once the listener is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from compiler.plan.sni import normal_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.entities import Route
    from compiler.model.settings import Listener

Network = IPv4Network | IPv6Network

_ANYWHERE = frozenset({"0.0.0.0", "[::]"})  # noqa: S104 - compared with, not bound to
_EVERY_IPV4 = ip_network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class End:
    """An address or network, a port, or both, that one end of a connection must have."""

    network: Network | None
    port: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRule:
    """A route and what its connections must still have; None where it does not ask."""

    route: Route = field(hash=False)
    names: tuple[str, ...] | None
    sources: tuple[End, ...] | None
    destinations: tuple[Network, ...] | None

    @property
    def takes_all(self) -> bool:
        """Tell whether it takes whatever comes."""
        return self.names is None and self.sources is None and self.destinations is None


def rules_for(listener: Listener, port: int, ordered: Iterable[Route]) -> tuple[StreamRule, ...]:
    """Return the rules for a listener's connections, in order, up to one that takes all.

    *port* is the one that Kong compares, which port_maps may have changed. Kong looks at names
    only where it reads them, and at protocols not at all.
    """
    rules: list[StreamRule] = []
    for route in ordered:
        destinations = _destinations(route, listener, port)
        if destinations == ():
            continue
        rule = StreamRule(
            route=route,
            names=_names(route) if listener.ssl else None,
            sources=_ends(route.sources) if route.sources else None,
            destinations=destinations,
        )
        rules.append(rule)
        if rule.takes_all:
            break
    return tuple(rules)


def _names(route: Route) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(normal_name(name) for name in route.snis))
    return None if not names or "*" in names else names


def _destinations(route: Route, listener: Listener, port: int) -> tuple[Network, ...] | None:
    """Return the networks to compare the local address with: () never matches, None always."""
    if not route.destinations:
        return None
    left: list[Network] = []
    for end in _ends(route.destinations):
        if end.port is not None and end.port != port:
            continue
        verdict = _listens_in(listener, end.network)
        if verdict:
            return None
        if verdict is None and end.network is not None:
            left.append(end.network)
    return tuple(dict.fromkeys(left))


def _listens_in(listener: Listener, network: Network | None) -> bool | None:
    """Tell whether a listener's connections arrive in *network*; None where that is yet open."""
    if network is None:
        return True
    if listener.ip not in _ANYWHERE:
        return ip_address(listener.ip.strip("[]")) in network
    if listener.ip.startswith("["):
        return None
    if network == _EVERY_IPV4:
        return True
    return None if network.version == _EVERY_IPV4.version else False


def _ends(items: Iterable[Mapping[str, Any]]) -> tuple[End, ...]:
    found = (End(_network(item.get("ip")), item.get("port")) for item in items)
    return tuple(dict.fromkeys(found))


def _network(text: str | None) -> Network | None:
    # Kong takes 10.0.0.1/24 for 10.0.0.0/24.
    return None if text is None else ip_network(text, strict=False)
