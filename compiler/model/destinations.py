"""Where requests go, and how connections there are protected."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from compiler.model.protocols import GRPC
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.balancing import Balancing, Health
    from compiler.model.config import Because
    from compiler.model.entities import Service, Upstream
    from compiler.model.x509 import Bundle, KeyPair


@value(kw_only=True)
class TlsPolicy:
    """How connections to an upstream are protected, whatever it is called."""

    verify: bool
    depth: int
    trusted: Bundle | None
    client: KeyPair | None


@value(kw_only=True)
class UpstreamTls:
    """A service's TLS towards its upstream.

    `name` is what the certificate must be valid for and, with `server_name`, what is sent as
    SNI; None where the peers differ and no name is sent. `because` holds, per field, what
    decided, winner first.
    """

    policy: TlsPolicy
    name: str | None
    server_name: bool
    because: Mapping[str, tuple[Because, ...]] = field(compare=False, repr=False)


@value(kw_only=True)
class Peer:
    """An address behind a service: `host` a name or an address (IPv6 in brackets).

    With `srv` the name's SRV records hold the real names and ports, and their weights.
    """

    host: str
    port: int
    weight: int | None = None
    resolve: bool = False
    srv: bool = False

    @property
    def address(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"


@value(kw_only=True)
class Destination:
    """Where a service's requests go, how they are spread, and what is said there.

    `host_header` is the Host that is sent to it. `fixed_peers` is False when the name has to be
    looked up for each request (nginx versions that cannot re-resolve a group's peers).
    """

    service: Service
    upstream: Upstream | None
    scheme: str
    peers: tuple[Peer, ...]
    host_header: str
    tls: UpstreamTls | None
    balancing: Balancing
    health: Health
    fixed_peers: bool = True

    @property
    def speaks_grpc(self) -> bool:
        """Tell whether requests go to it in gRPC."""
        return self.scheme in GRPC


@value(kw_only=True)
class UpstreamGroup:
    """A set of peers with connections of its own: no other group's TLS is ever shared.

    `shared_connections` is False where the name that is verified differs from request to
    request, so that no connection or session may be used twice.
    """

    name: str
    destination: Destination
    shared_connections: bool
    host: str | None = None
