"""The plan: every decision about what is served, in the words of Kong."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from compiler.model.access import OPEN
from compiler.model.protocols import GRPC, WEBSOCKET
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.access import Access, Handshake, Match
    from compiler.model.answers import ErrorTexts, Headers
    from compiler.model.balancing import Balancing, Capture, Health, Lookup
    from compiler.model.config import Because
    from compiler.model.entities import (
        Certificate,
        Consumer,
        Route,
        Service,
        Upstream,
    )
    from compiler.model.lua import LuaPlan
    from compiler.model.settings import Directive, Listener
    from compiler.model.stream import StreamPlan
    from compiler.model.x509 import Bundle, KeyPair

HostKind = Literal["default", "exact", "prefix-wildcard", "suffix-wildcard", "both-wildcards"]


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


@value(kw_only=True)
class Proxied:
    """A request that a route sends to its service.

    Of `path` (a literal prefix) and `regex` (in nginx's syntax, anchored at the start of the
    path) at most one is set: what of the route matched. `stripped_width` is set where the length
    of what the regex matches is known but not that it stands at the start. `group` is None where
    the destination's peers are not fixed. With `may_keep`, what the regex does not match is passed
    on whole, though the route strips. `joins_literally` tells that the service's path and what
    is left of the request's are put together as they are (`path_handling` v1). `tls_name` is the
    name verified over TLS where it is not the destination's own: with `preserve_host` that of the
    host, None for the client's Host. `captures` are those that choose the target.
    """

    route: Route
    service: Service
    path: str | None
    regex: str | None = None
    stripped_width: int | None = None
    may_keep: bool = False
    joins_literally: bool = False
    captures: tuple[Capture, ...] = ()
    destination: Destination
    group: UpstreamGroup | None
    tls_name: str | None
    access: Access = OPEN

    @property
    def strips(self) -> bool:
        """Tell whether some of the path is taken away before the request is passed on."""
        return self.route.strip_path and (self.regex is not None or self.path not in (None, "/"))

    @property
    def client_names_upstream(self) -> bool:
        """Tell whether the name verified over TLS is whatever Host the client sent."""
        return (
            self.route.preserve_host and self.destination.tls is not None and self.tls_name is None
        )


@value(kw_only=True)
class NoService:
    """A request whose route has no service: 503."""

    route: Route
    access: Access = OPEN


Answer = Proxied | NoService


def speaks_grpc(answer: Answer) -> bool:
    """Tell whether all requests that get *answer* are gRPC's."""
    return GRPC.issuperset(answer.route.protocols)


def _refusals(answer: Answer) -> frozenset[int]:
    ends = answer.access.termination
    told = ends is not None and ends.words is not None and speaks_grpc(answer)
    return answer.access.refusals | ({ends.status} if ends is not None and told else frozenset())


@value(kw_only=True)
class HeaderTest:
    """A header of the request (`_` for `-`), and what one value of it has to be.

    `values` are compared, and `regexes`, in nginx's syntax, find their match anywhere, without
    letter case unless `exact_case` is set. With `every`, all values of a repeated header have to.
    """

    name: str
    values: tuple[str, ...]
    regexes: tuple[str, ...] = ()
    exact_case: bool = False
    every: bool = False


@value(kw_only=True)
class NameTest:
    """A server name of TLS: equal to `text`, or beginning or ending with it."""

    kind: Literal["exact", "prefix", "suffix"]
    text: str


@value(kw_only=True)
class Conditions:
    """What can only be decided when the request is there; empty ones always hold.

    `names` are asked for over TLS alone; `schemes` are `http` or `https`. `path` is a regular
    expression in nginx's syntax that begins at the start of the path, with `path_anywhere` one of
    whose alternatives may begin elsewhere.
    """

    methods: tuple[str, ...] = ()
    headers: tuple[HeaderTest, ...] = ()
    names: tuple[NameTest, ...] = ()
    schemes: tuple[str, ...] = ()
    path: str | None = None
    path_anywhere: bool = False

    @property
    def path_alone(self) -> str | None:
        """Return the regular expression if nothing else has to be decided and it is anchored."""
        alone = Conditions(path=self.path)
        return self.path if self == alone else None

    @property
    def always_hold(self) -> bool:
        """Tell whether there is nothing to decide."""
        return self == _NOTHING


_NOTHING = Conditions()


@value()
class Choice:
    """An answer, and what a request needs for it.

    `inherited` tells that it may match at paths above that of its node, too.
    """

    conditions: Conditions
    answer: Answer
    inherited: bool = False


@value(kw_only=True)
class PathNode:
    """What answers a path and all below it (or, with `exact`, that path alone).

    The first of `choices` whose conditions hold answers; where none does, the search goes on in
    the table that `HostTable.otherwise` names.
    """

    path: str
    exact: bool = False
    choices: tuple[Choice, ...]

    @property
    def answer(self) -> Answer | None:
        """Return what answers every request, None where that has to be decided or nothing does."""
        if self.choices and self.choices[0].conditions.always_hold:
            return self.choices[0].answer
        return None


@value(kw_only=True)
class HostTable:
    """What answers under a host, by path.

    `patterns` holds one pattern, or two to match both; `port` is set where the routes name one.
    `key` names the table. A request that no path of the table answers goes to the table whose
    key is `otherwise`; in the last one (None) no route matches.
    """

    key: str
    kind: HostKind
    patterns: tuple[str, ...]
    port: int | None = None
    nodes: tuple[PathNode, ...]
    otherwise: str | None

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Return all answers."""
        return tuple(choice.answer for node in self.nodes for choice in node.choices)


@value(kw_only=True)
class HttpsOnly:
    """Tables that are served over HTTPS alone; plain requests to them get *status*."""

    status: int
    keys: tuple[str, ...]


@value(kw_only=True)
class ServedCertificate:
    """A certificate by which a server name is answered, `alternative` of another key type."""

    main: KeyPair
    alternative: KeyPair | None
    entity: Certificate | None = field(compare=False)

    @property
    def pairs(self) -> tuple[KeyPair, ...]:
        """Return one pair, or two of different key types."""
        return (self.main,) if self.alternative is None else (self.main, self.alternative)


@value(kw_only=True, slots=False)
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

    @cached_property
    def certificates(self) -> tuple[ServedCertificate, ...]:
        """Return each certificate once, in the order of the names."""
        served = [*self.exact.values(), *self.prefix.values(), *self.suffix.values()]
        if self.catch_all is not None:
            served.append(self.catch_all)
        return tuple({c.main.certificate_name: c for c in served}.values())


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
    long_locations: bool
    sessions_know_their_server: bool


@value(kw_only=True)
class Keepalive:
    """Idle connections to upstreams: how many per worker and group, requests and seconds each."""

    connections: int
    requests: int
    seconds: int


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
    memberships: Mapping[str, tuple[str, ...]]
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
