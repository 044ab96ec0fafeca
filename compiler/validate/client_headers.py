"""Certificates of clients in headers: whose word for them is taken, and whether they fit."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.place import place_of
from compiler.validate.plugins import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin
    from compiler.model.settings import Settings

_BUFFER = 8 * 1024
"""nginx's own size of a buffer for a long line of a header."""

_ENOUGH = 16 * 1024
_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}
_BUFFERS = "large_client_header_buffers"


def check_header(plugin: Plugin, config: Config, report: Report) -> None:
    """Report a header-cert-auth that lets in anybody, or nobody."""
    scope = scope_of(plugin, config)
    place = plugin.source.place("name")
    trusted = config.settings.items("trusted_ips")
    everywhere = _everything(trusted)
    if not plugin.config["secure_source"]:
        said = plugin.written.place("secure_source")
        report.add(rules.HEADER_FROM_ANYONE, said, entity=plugin.ref, scope=scope)
    elif not trusted:
        report.add(rules.HEADER_FROM_NOBODY, place, entity=plugin.ref, scope=scope)
    elif everywhere is not None:
        report.add(
            rules.EVERYBODY_TRUSTED,
            place_of(config.settings.origin("trusted_ips")),
            entity=plugin.ref,
            related=(Related("the plugin", place),),
            scope=scope,
            address=everywhere,
        )
    size = _line_size(config.settings)
    if size is not None and size < _ENOUGH:
        report.add(rules.HEADER_BUFFERS, place, entity=plugin.ref, scope=scope, size=size)


def _everything(trusted: Iterable[str]) -> str | None:
    """Return the network of all addresses, if the *trusted* ones come to that together."""
    networks = [_network(address) for address in trusted]
    four = collapse_addresses(n for n in networks if isinstance(n, IPv4Network))
    six = collapse_addresses(n for n in networks if isinstance(n, IPv6Network))
    whole: list[IPv4Network | IPv6Network] = [*four, *six]
    return next((str(network) for network in whole if network.prefixlen == 0), None)


def _network(address: str) -> IPv4Network | IPv6Network | None:
    with suppress(ValueError):
        return ip_network(address, strict=False)
    return None


def _line_size(settings: Settings) -> int | None:
    """Return how many bytes a line may have, None where what is injected cannot be read."""
    for block in ("proxy", "http"):
        directive = settings.directive(block, _BUFFERS)
        if directive is not None:
            found = re.fullmatch(r"\d+\s+(\d+)([kKmM]?)", directive.value.strip())
            return None if found is None else int(found[1]) * _UNITS[found[2].lower()]
    return _BUFFER
