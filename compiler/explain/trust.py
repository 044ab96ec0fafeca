"""What a trusted peer says of the client that it forwards a request for."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.settings import Settings
    from compiler.router.request import Request


def forwarded(
    request: Request, trusted: Iterable[str]
) -> tuple[Literal["http", "https"], str | None]:
    """Return the scheme that the client is taken to have used, and the host if a peer names it."""
    own: Literal["http", "https"] = "https" if request.is_tls else "http"
    if not is_trusted(request.source, trusted):
        return own, None
    scheme, host = (", ".join(request.header(f"x-forwarded-{n}")) for n in ("proto", "host"))
    if scheme:
        own = "https" if scheme.lower() == "https" else "http"
    return own, host or None


def client_address(request: Request, settings: Settings) -> str | None:
    """Return the address that the client is taken to have, None where that is not known."""
    trusted = settings.items("trusted_ips")
    directive = settings.directive("proxy", "real_ip_header")
    name = "" if directive is None else directive.value.lower()
    if name == "proxy_protocol" or not is_trusted(request.source, trusted):
        return request.source
    recursive = settings.directive("proxy", "real_ip_recursive")
    address = request.source
    for said in reversed(", ".join(request.header(name.replace("-", "_"))).split(",")):
        found = _address(said.strip())
        if found is None:
            break
        address = found
        if recursive is None or recursive.value != "on" or not is_trusted(found, trusted):
            break
    return address


def _address(text: str) -> str | None:
    """Return an address that may come with a port, None if it is none."""
    bare = re.sub(r"\A\[(.*)\](?::\d+)?\Z|\A([\d.]+):\d+\Z", r"\1\2", text)
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


def is_trusted(address: str | None, trusted: Iterable[str]) -> bool:
    """Tell whether a peer is trusted; where its address is not known, only if all are."""
    networks = [ip_network(item, strict=False) for item in trusted if item != "unix:"]
    if address is None:
        return any(network.prefixlen == 0 for network in networks)
    return any(ip_address(address) in network for network in networks)
