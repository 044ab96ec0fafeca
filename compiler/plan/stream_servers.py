"""How the listeners' servers pass connections on: themselves, or by a server of the service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.model.stream import InnerServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.stream import Forwarded, StreamServer
    from compiler.plan.stream_inner import InnerAddresses


def common_handling(server: StreamServer) -> StreamServer:
    """Return *server* with the handling that all of its connections share, if they do.

    Then it needs no other server: it ends TLS, begins TLS and waits as all its services want.
    """
    found = server.forwarded
    if not found or any(forwarded.handling != found[0].handling for forwarded in found):
        return server
    return replace(server, handling=found[0].handling)


def inner_servers(
    servers: Iterable[StreamServer], addresses: InnerAddresses
) -> tuple[InnerServer, ...]:
    """Return a server for each service, and each way to pass its connections on, that needs one.

    No setting of nginx's that a service may have of its own takes a variable, so that servers
    which decide cannot apply them.
    """
    found: dict[tuple[object, ...], InnerServer] = {}
    for server in servers:
        if server.handling is not None:
            continue
        for forwarded in server.forwarded:
            key = (server.kind, forwarded.service.id, forwarded.handling)
            if key not in found:
                found[key] = InnerServer(
                    address=addresses.address(_identity(forwarded), udp=server.kind == "udp"),
                    kind=server.kind,
                    forwarded=forwarded,
                )
    return tuple(sorted(found.values(), key=lambda inner: inner.forwarded.target))


def _identity(forwarded: Forwarded) -> str:
    handling = forwarded.handling
    ways = (handling.terminates, handling.tls is not None, handling.client_names)
    return f"{forwarded.service.id}{ways}"
