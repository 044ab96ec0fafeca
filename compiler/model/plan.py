"""The plan: every decision about what is served, in the words of Kong."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from compiler.model.access import OPEN
from compiler.model.protocols import GRPC, WEBSOCKET
from compiler.model.routing import Proxied, speaks_grpc
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.access import Handshake, Match, Memberships
    from compiler.model.answers import ErrorTexts, Headers
    from compiler.model.balancing import Lookup
    from compiler.model.destinations import TlsPolicy, UpstreamGroup
    from compiler.model.entities import Consumer
    from compiler.model.lua import LuaPlan
    from compiler.model.routing import Answer, HostTable, HttpsOnly, TracedRequest
    from compiler.model.settings import Directive, Listener
    from compiler.model.sni import SniPlan
    from compiler.model.stream import StreamPlan
    from compiler.model.x509 import KeyPair


@value(kw_only=True)
class ListenGroup:
    """A group of listeners with its default certificates (empty: it has no TLS)."""

    name: str
    listeners: tuple[Listener, ...]
    pairs: tuple[KeyPair, ...]


@value(kw_only=True)
class Features:
    """What the nginx version that the output is for can do."""

    http2_directive: bool
    resolve_peers: bool
    certificate_cache: bool
    shares_upstream_tls: bool
    upstream_tls13_by_default: bool
    keepalive_by_default: bool
    lookup_without_ipv4: bool
    joins_headers: bool
    long_locations: bool
    sessions_know_their_server: bool


@value(kw_only=True)
class Keepalive:
    """Idle connections to upstreams: how many per worker and group, requests and seconds each."""

    connections: int
    requests: int
    seconds: int


def _refusals(answer: Answer) -> frozenset[int]:
    ends = answer.access.termination
    told = ends is not None and ends.words is not None and speaks_grpc(answer)
    return answer.access.refusals | ({ends.status} if ends is not None and told else frozenset())


@value(kw_only=True, slots=False)
class Plan:
    """Everything the output needs; below this, nothing can fail.

    `directives` are those to be written, by Kong's name of the block; what the plan itself
    compiles, or the target cannot take, is not among them. `checks_utf8` tells that no route
    matches a path that is not UTF-8, `ports_by_scheme` that the port of the connection is not
    compared with those of hosts.
    """

    features: Features
    listen: Mapping[str, ListenGroup]
    sni: SniPlan
    tables: tuple[HostTable, ...]
    https_only: tuple[HttpsOnly, ...]
    handshakes: tuple[Handshake, ...]
    """What clients are asked for, those of all other names first; empty: nobody is asked."""
    consumers: tuple[Consumer, ...]
    """Those as whom somebody may be let in."""
    credentials: Mapping[str, tuple[Match, ...]]
    """What tells consumers by a name in a certificate, by plugin."""
    memberships: Memberships
    """The groups that each consumer is in."""
    groups: tuple[UpstreamGroup, ...]
    common_tls: TlsPolicy | None
    common_grpc_tls: TlsPolicy | None
    resolvers: tuple[str, ...]
    lookup: Lookup
    directives: Mapping[str, tuple[Directive, ...]]
    dhparam: str | None = field(repr=False)
    ciphers: str | None
    weak_ciphers: bool
    session_cache_size: str
    headers: Headers
    errors: ErrorTexts
    keepalive: Keepalive
    trusted_ips: tuple[str, ...]
    port_maps: tuple[tuple[str, str], ...]
    checks_utf8: bool
    ports_by_scheme: bool
    logs: Mapping[str, str]
    log_level: str
    stream: StreamPlan | None = None
    traced: TracedRequest | None = None
    """A request that shows how all others go, None where there is none that is plain enough."""
    lua: LuaPlan | None = None
    """What Lua needs where it chooses certificates: None where nginx does everything by itself."""

    @cached_property
    def read_by_workers(self) -> frozenset[str]:
        """Return the names of the keys that nginx's workers read, one by one, at handshakes.

        Lua and nginx's own directives read all others before there are workers.
        """
        if not self.sni.certificates or (self.lua is not None and not self._streams_end_tls):
            return frozenset()
        served = self.sni.certificates
        pairs = [*self.sni.default, *(pair for found in served for pair in found.pairs)]
        return frozenset(pair.key_name for pair in pairs)

    def names_authorities(self, handshake: Handshake) -> bool:
        """Tell whether nginx is given the authorities of *handshake*: to verify by, or to tell."""
        return handshake.trust is not None and (self.lua is None or handshake.sends_names)

    @property
    def _streams_end_tls(self) -> bool:
        return self.stream is not None and bool(self.stream.pairs)

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Return every answer of every table."""
        return tuple(answer for table in self.tables for answer in table.answers)

    @cached_property
    def asks_clients(self) -> bool:
        """Tell whether any client has to say who it is, or is asked for a certificate."""
        authenticates = any(answer.access.authentications for answer in self.answers)
        return bool(self.handshakes) or authenticates

    @cached_property
    def refusals(self) -> tuple[int, ...]:
        """Return the statuses by which plugins refuse requests in their own words, sorted."""
        asking = (answer for answer in self.answers if answer.access is not OPEN)
        return tuple(sorted({status for answer in asking for status in _refusals(answer)}))

    @cached_property
    def lacks_peers(self) -> bool:
        """Tell whether any upstream has no target."""
        return any(isinstance(a, Proxied) and a.reaches_nobody for a in self.answers)

    @cached_property
    def speaks_grpc(self) -> bool:
        """Tell whether any upstream is spoken to in gRPC."""
        return any(isinstance(a, Proxied) and a.destination.speaks_grpc for a in self.answers)

    @cached_property
    def has_grpc_routes(self) -> bool:
        """Tell whether any route takes gRPC."""
        return any(GRPC.issuperset(answer.route.protocols) for answer in self.answers)

    @cached_property
    def has_websocket_routes(self) -> bool:
        """Tell whether any route takes websocket handshakes alone."""
        return any(
            isinstance(a, Proxied) and WEBSOCKET.issuperset(a.route.protocols) for a in self.answers
        )
