"""ip-restriction: from where requests may come."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TYPE_CHECKING

from compiler.model.access import AddressRestriction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.entities import Plugin

_FORBIDDEN = 403
_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 as IPv6: nginx takes such a client's address for what it stands for."""


def plan_addresses(plugin: Plugin) -> AddressRestriction:
    """Return what *plugin* asks of clients' addresses."""
    said = plugin.config
    status = said["status"]
    denied = _networks(said["deny"] or ())
    allowed = _networks(said["allow"] or ())
    # The narrowest network decides in nginx: what lies in a denied one must not stand beside it.
    kept = [network for network in allowed if not any(_within(network, d) for d in denied)]
    return AddressRestriction(
        plugin=plugin,
        allow=tuple(map(str, kept)),
        deny=tuple(map(str, denied)),
        allows_others=not allowed,
        status=_FORBIDDEN if status is None else int(status),
        message=said["message"],
    )


def _networks(texts: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    """Return the networks, none of which is in another."""
    found = [_unmapped(ip_network(text, strict=False)) for text in texts]
    four = collapse_addresses(n for n in found if isinstance(n, IPv4Network))
    six = collapse_addresses(n for n in found if isinstance(n, IPv6Network))
    return [*four, *six]


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    address = network.network_address.ipv4_mapped
    return IPv4Network(f"{address}/{network.prefixlen - _MAPPED.prefixlen}")


def _within(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)
