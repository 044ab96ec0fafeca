"""The stream part of the plan: which connection goes to which service, in the words of Kong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from compiler.model.destinations import Destination, UpstreamTls
    from compiler.model.entities import Route, Service
    from compiler.model.settings import Listener
    from compiler.model.x509 import KeyPair

StreamKind = Literal["tcp", "tls", "udp"]
"""What a listener takes: plain connections, TLS (to end or to pass on), datagrams."""

STREAM_PROTOCOLS = frozenset({"tcp", "tls", "tls_passthrough", "udp"})
"""Protocols of routes and services that are about connections, not requests."""

OTHER = ""
"""The class of every value that no table of a dimension lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """All that differs between the servers that pass connections on, but for where they go.

    `terminates` ends the client's TLS, `tls` begins one to the upstream; with `client_names`
    the name sent and verified there is the one that the client asked for, where it did. Times
    are in milliseconds.
    """

    terminates: bool
    tls: UpstreamTls | None
    client_names: bool
    connect_timeout: int
    timeout: int
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """A connection that a route sends to its service.

    `target` is the upstream group, or the address to look up for each connection.
    """

    route: Route
    service: Service
    destination: Destination
    target: str
    handling: Handling


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A connection that a route takes and that is closed all the same."""

    route: Route


StreamAnswer = Forwarded | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow:
    """What becomes of connections of one class in each dimension.

    `name` is an exact name or `*.x`, `prefix` is `x.*`, the networks are the smallest listed
    ones that hold the addresses; OTHER stands for everything not listed.
    """

    name: str
    prefix: str
    source: str
    source_port: str
    destination: str
    answer: StreamAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTable:
    """A table of rows; what is not in it is looked up in the next one.

    The other fields list the classes of each dimension that its rows tell apart.
    """

    names: tuple[str, ...]
    prefixes: tuple[str, ...]
    sources: tuple[str, ...]
    source_ports: tuple[str, ...]
    destinations: tuple[str, ...]
    rows: tuple[StreamRow, ...]

    @property
    def dimensions(self) -> int:
        """Return how many dimensions the rows differ in."""
        return sum(map(bool, (self.names, self.prefixes, self.sources, self.source_ports,
                              self.destinations)))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerServer:
    """A server that only this gateway's own listeners pass connections to."""

    address: str
    kind: StreamKind
    forwarded: Forwarded


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamServer:
    """Listeners whose connections are decided alike.

    `otherwise` is what becomes of those in no table; None closes them. `handling` is how all of
    them are passed on; None where that differs: then each goes to the inner server of its
    service.
    """

    kind: StreamKind
    listeners: tuple[Listener, ...]
    tables: tuple[StreamTable, ...]
    otherwise: StreamAnswer | None
    handling: Handling | None

    @property
    def answers(self) -> tuple[StreamAnswer, ...]:
        """Return what may become of its connections, each once, in the order of the rows."""
        rows = [row.answer for table in self.tables for row in table.rows]
        if self.otherwise is not None:
            rows.append(self.otherwise)
        return tuple({id(answer): answer for answer in rows}.values())

    @property
    def forwarded(self) -> tuple[Forwarded, ...]:
        """Return the ways its connections are passed on."""
        return tuple(answer for answer in self.answers if isinstance(answer, Forwarded))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGroup:
    """A service's peers, whose TLS sessions no other service shares."""

    name: str
    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """Everything the stream block needs. `module` is a file that nginx has to load for it."""

    servers: tuple[StreamServer, ...]
    inner: tuple[InnerServer, ...]
    groups: tuple[StreamGroup, ...]
    pairs: tuple[KeyPair, ...]
    access_log: str
    error_log: str
    module: str | None

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Return where its connections go, each once for each way of going there."""
        found = (f.destination for server in self.servers for f in server.forwarded)
        return tuple({id(destination): destination for destination in found}.values())
