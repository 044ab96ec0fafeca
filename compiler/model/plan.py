"""The plan: every decision about what is served, in the words of Kong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.config import Because
    from compiler.model.entities import Certificate, Route, Service, Upstream
    from compiler.model.settings import Directive, Listener
    from compiler.model.stream import StreamPlan
    from compiler.model.x509 import Bundle, KeyPair

HostKind = Literal["default", "exact", "prefix-wildcard", "suffix-wildcard", "both-wildcards"]
Scheme = Literal["any", "http", "https"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """How connections to an upstream are protected, whatever it is called."""

    verify: bool
    depth: int
    trusted: Bundle | None
    client: KeyPair | None


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """An address behind a service: `host` a name or an address (IPv6 in brackets)."""

    host: str
    port: int
    weight: int | None = None
    resolve: bool = False

    @property
    def address(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a service's requests go and what is said there.

    `host_header` is the Host that is sent to it. `fixed_peers` is False when the name has to be
    looked up for each request (nginx versions that cannot re-resolve a group's peers).
    """

    service: Service
    upstream: Upstream | None
    scheme: str
    peers: tuple[Peer, ...]
    host_header: str
    tls: UpstreamTls | None
    fixed_peers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamGroup:
    """A set of peers with connections of its own: no other group's TLS is ever shared.

    `shared_connections` is False where the name that is verified differs from request to
    request, so that no connection or session may be used twice.
    """

    name: str
    destination: Destination
    shared_connections: bool
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """A request that a route sends to its service.

    `path` is the route's path that matched, None when it has none. `group` is None where the
    destination's peers are not fixed. `tls_name` is the name verified over TLS where it is not
    the destination's own: with `preserve_host` that of the host, None for the client's Host.
    """

    route: Route
    service: Service
    path: str | None
    destination: Destination
    group: UpstreamGroup | None
    tls_name: str | None

    @property
    def strips(self) -> bool:
        """Tell whether some of the path is taken away before the request is passed on."""
        return self.route.strip_path and self.path not in (None, "/")

    @property
    def client_names_upstream(self) -> bool:
        """Tell whether the name verified over TLS is whatever Host the client sent."""
        return (
            self.route.preserve_host and self.destination.tls is not None and self.tls_name is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoService:
    """A request whose route has no service: 503."""

    route: Route


@dataclass(frozen=True, slots=True)
class NoRoute:
    """A request that no route matches: 404."""


Answer = Proxied | NoService | NoRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAnswer:
    """What answers a path and all below it (or, with `exact`, that path alone)."""

    path: str
    exact: bool = False
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHost:
    """What answers under a host, by path; `patterns` holds one pattern, or two to match both."""

    kind: HostKind
    patterns: tuple[str, ...]
    scheme: Scheme
    paths: tuple[PathAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsOnly:
    """Hosts that are served over HTTPS alone; plain requests to them get *status*."""

    status: int
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCertificate:
    """A certificate by which a server name is answered, `alternative` of another key type."""

    main: KeyPair
    alternative: KeyPair | None
    entity: Certificate | None = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SniPlan:
    """Kong's choice of a server certificate: exact, prefix, suffix, catch-all, default.

    Keys are lower case and without a trailing dot; wildcards keep their `*`. `default` is what a
    client without SNI gets (several pairs of different key types).
    """

    exact: Mapping[str, ServedCertificate]
    prefix: Mapping[str, ServedCertificate]
    suffix: Mapping[str, ServedCertificate]
    catch_all: ServedCertificate | None
    default: tuple[KeyPair, ...]

    @property
    def certificates(self) -> tuple[ServedCertificate, ...]:
        """Return each certificate once, in the order of the names."""
        served = [*self.exact.values(), *self.prefix.values(), *self.suffix.values()]
        if self.catch_all is not None:
            served.append(self.catch_all)
        return tuple({c.main.certificate_name: c for c in served}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenGroup:
    """A group of listeners with its default certificates (empty: it has no TLS)."""

    name: str
    listeners: tuple[Listener, ...]
    pairs: tuple[KeyPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the nginx version that the output is for can do."""

    http2_directive: bool
    resolve_peers: bool
    certificate_cache: bool
    shares_upstream_tls: bool
    upstream_tls13_by_default: bool
    keepalive_by_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """What is added to requests and answers."""

    debug: bool
    request_id_to_client: bool
    request_id_to_upstream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """Idle connections to upstreams: how many per worker and group, requests and seconds each."""

    connections: int
    requests: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the output needs; below this, nothing can fail.

    `directives` are those to be written, by Kong's name of the block; what the plan itself
    compiles, or the target cannot take, is not among them.
    """

    features: Features
    listen: Mapping[str, ListenGroup]
    sni: SniPlan
    hosts: tuple[VirtualHost, ...]
    https_only: tuple[HttpsOnly, ...]
    groups: tuple[UpstreamGroup, ...]
    common_tls: TlsPolicy | None
    resolvers: tuple[str, ...]
    directives: Mapping[str, tuple[Directive, ...]]
    dhparam: str | None = field(repr=False)
    ciphers: str | None
    weak_ciphers: bool
    session_cache_size: str
    headers: Headers
    keepalive: Keepalive
    trusted_ips: tuple[str, ...]
    logs: Mapping[str, str]
    log_level: str
    stream: StreamPlan | None = None
