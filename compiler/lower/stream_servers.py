"""Listeners of streams to `server` blocks."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.certificates import Sessions, default_certificates
from compiler.lower.injected import raw
from compiler.lower.stream_maps import lower_tables
from compiler.lower.upstream_tls import client_certificate
from compiler.model.layout import bundle_file
from compiler.model.nginx import Map, Simple, Source, StreamServerBlock
from compiler.model.stream import Closed, Forwarded
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.destinations import UpstreamTls
    from compiler.model.plan import Plan
    from compiler.model.settings import Listener
    from compiler.model.stream import (
        Handling,
        InnerServer,
        StreamAnswer,
        StreamPlan,
        StreamServer,
    )
    from compiler.model.words import Word

_USUAL_MILLISECONDS = 60_000
_USUAL_TRIES = 6
_SHOWN_ROUTES = 3
_TIMES = frozenset({"proxy_connect_timeout", "proxy_timeout"})
_FROM_OURSELVES = Simple("set_real_ip_from", (Literal("127.0.0.0/8"),))
_PREREAD = Simple("ssl_preread", (True,))


def variables_of(stream: StreamPlan) -> dict[int, str]:
    """Return by which name each server's variables are told apart: its first port."""
    taken: dict[str, int] = {}
    found = {}
    for server in stream.servers:
        listener = server.listeners[0]
        base = f"{listener.port}_udp" if listener.udp else str(listener.port)
        taken[base] = taken.get(base, 0) + 1
        found[id(server)] = base if taken[base] == 1 else f"{base}_no{taken[base]}"
    return found


class ServerMaker:
    """Makes the servers, and the maps that they ask."""

    def __init__(self, stream: StreamPlan, plan: Plan, labels: Mapping[int, str]) -> None:
        self._stream = stream
        self._plan = plan
        self._labels = labels
        self._inside = {
            (inner.kind, inner.forwarded.service.id, inner.forwarded.handling): inner.address
            for inner in stream.inner
        }
        self._injected = tuple(raw(d) for d in plan.directives.get("sproxy", ()))
        sessions = Sessions("StreamSSL")
        self._certificates = default_certificates(plan, sessions) if stream.pairs else ()

    def maps(self) -> tuple[Map, ...]:
        """Return the maps of all servers."""
        found = [m for server in self._stream.servers for m in self._tables(server)]
        names = {m.variable: m for m in self._name_maps()}
        return (*found, *names.values())

    def servers(self) -> tuple[StreamServerBlock, ...]:
        """Return the servers of the listeners, then those that they pass connections on to."""
        return (
            *(self._server(server) for server in self._stream.servers),
            *(self._inner(inner) for inner in self._stream.inner),
        )

    def _tables(self, server: StreamServer) -> tuple[Map, ...]:
        return lower_tables(
            server, self._labels[id(server)], lambda answer: self._target(server, answer)
        )

    def _target(self, server: StreamServer, answer: StreamAnswer) -> str:
        if isinstance(answer, Closed):
            return ""
        if server.handling is not None:
            return answer.target
        return self._inside[server.kind, answer.service.id, answer.handling]

    def _server(self, server: StreamServer) -> StreamServerBlock:
        handling = server.handling
        ends_tls = handling is not None and handling.terminates
        # Nothing but the server name is read of connections that are passed on as they are.
        reads_name = not ends_tls and any(t.names or t.prefixes for t in server.tables)
        own = [lower_stream_listen(listener, ssl=ends_tls) for listener in server.listeners]
        own += [Simple("set_real_ip_from", (Literal(a),)) for a in self._plan.trusted_ips]
        own += [_PREREAD] if reads_name else []
        if handling is not None:
            own += self._handled(handling, server.forwarded)
        elif server.forwarded:
            own += self._dispatched(server)
        own += self._proxy_pass(server)
        answers = server.answers
        return StreamServerBlock(
            comment=_comment(server),
            directives=self._with_injected(own, dispatches=handling is None),
            source=_route_source(answers[0]) if len(answers) == 1 else None,
        )

    def _dispatched(self, server: StreamServer) -> list[Simple]:
        """Return how connections are handed to the services' servers: no sooner given up."""
        longest = max(found.handling.timeout for found in server.forwarded)
        found = [] if server.kind == "udp" else [Simple("proxy_protocol", (True,))]
        return [*found, *_time("proxy_timeout", longest)]

    def _proxy_pass(self, server: StreamServer) -> list[Simple]:
        if server.tables:
            route = Expression(f"$route_{self._labels[id(server)]}")
            return [Simple("proxy_pass", (route,))]
        if not isinstance(server.otherwise, Forwarded):
            # Nothing is ever sent: what has no route is closed at once.
            return [Simple("return", (Literal(""),))]
        if server.handling is None or server.otherwise.destination.fixed_peers:
            return [Simple("proxy_pass", (Literal(self._target(server, server.otherwise)),))]
        return _looked_up(server.otherwise)

    def _inner(self, inner: InnerServer) -> StreamServerBlock:
        forwarded = inner.forwarded
        words: list[Word] = [Literal(inner.address)]
        if inner.kind == "udp":
            words.append(Literal("udp"))
        elif forwarded.handling.terminates:
            words += [Literal("ssl"), Literal("proxy_protocol")]
        else:
            words.append(Literal("proxy_protocol"))
        service = forwarded.service
        way = "ends TLS, " if forwarded.handling.terminates else ""
        if forwarded.destination.fixed_peers:
            passed = [Simple("proxy_pass", (Literal(forwarded.target),))]
        else:
            passed = _looked_up(forwarded)
        own = [
            Simple("listen", tuple(words)),
            *([] if inner.kind == "udp" else [_FROM_OURSELVES]),
            *self._handled(forwarded.handling, (forwarded,)),
            *passed,
        ]
        return StreamServerBlock(
            comment=f"inside: {way}service {service.label}",
            directives=self._with_injected(own, dispatches=False),
            source=Source("service", service.id, service.name, service.source),
        )

    def _handled(self, handling: Handling, forwarded: Iterable[Forwarded]) -> list[Simple]:
        found = list(self._certificates) if handling.terminates else []
        if handling.tls is not None:
            name = _name(handling, next(iter(forwarded)))
            found += self._tls(handling.tls, name, client_names=handling.client_names)
        found += _time("proxy_connect_timeout", handling.connect_timeout)
        found += _time("proxy_timeout", handling.timeout)
        if handling.tries != _USUAL_TRIES:
            found.append(Simple("proxy_next_upstream_tries", (handling.tries,)))
        return found

    def _tls(self, tls: UpstreamTls, name: Word | None, *, client_names: bool) -> list[Simple]:
        policy = tls.policy
        found = [Simple("proxy_ssl", (True,))]
        if name is not None:
            found += [Simple("proxy_ssl_server_name", (True,)), Simple("proxy_ssl_name", (name,))]
        if policy.verify:
            found += [
                Simple("proxy_ssl_verify", (True,)),
                Simple("proxy_ssl_verify_depth", (policy.depth,)),
            ]
        if policy.trusted is not None:
            path = Literal(bundle_file(policy.trusted))
            found.append(Simple("proxy_ssl_trusted_certificate", (path,)))
        found += client_certificate(policy)
        if client_names:
            # Whatever name the client sends is verified: nothing of one name may serve another.
            found.append(Simple("proxy_ssl_session_reuse", (False,)))
        if self._plan.weak_ciphers or not self._plan.features.upstream_tls13_by_default:
            weak = ("TLSv1", "TLSv1.1") if self._plan.weak_ciphers else ()
            protocols = tuple(Literal(n) for n in (*weak, "TLSv1.2", "TLSv1.3"))
            found.append(Simple("proxy_ssl_protocols", protocols))
        return found

    def _with_injected(self, own: list[Simple], *, dispatches: bool) -> tuple[Simple, ...]:
        """Add what is injected into servers; what a service itself says wins.

        A server that only hands connections on takes nothing that is about upstreams, but it
        must not give up before the servers inside do.
        """
        ours = {directive.name for directive in own}
        block = {d.name for d in self._plan.directives.get("stream", ())}
        kept = [d for d in own if d.name != "proxy_ssl_protocols" or d.name not in block]
        added = (d for d in self._injected if d.name not in ours)
        if dispatches:
            added = (d for d in added if d.name in _TIMES or not d.name.startswith("proxy_"))
        return (*kept, *added)

    def _name_maps(self) -> Iterable[Map]:
        """Yield a map for each service that the client's name, where there is one, names."""
        for destination in {
            f.service.id: f.destination
            for server in self._stream.servers
            for f in server.forwarded
            if f.handling.client_names and f.handling.tls is not None and f.handling.tls.server_name
        }.values():
            tls = destination.tls
            yield Map(
                why=f"the name of service {destination.service.label}: the client's, else its own",
                source=Expression("$ssl_server_name"),
                variable=_name_variable(destination.service.id),
                default=Expression("$ssl_server_name"),
                entries=((Literal(""), expression(tls.name or "" if tls else "")),),
            )


def _name(handling: Handling, forwarded: Forwarded) -> Word | None:
    """Return the name to send and to verify, None where there is none."""
    tls = handling.tls
    if tls is None:
        return None
    if handling.client_names:
        variable = _name_variable(forwarded.service.id)
        return Expression(variable if tls.server_name else "$ssl_server_name")
    return expression(tls.name or "") if tls.server_name else None


def _name_variable(identifier: str) -> str:
    return f"$upstream_name_{sha256(identifier.encode()).hexdigest()[:8]}"


def _looked_up(forwarded: Forwarded) -> list[Simple]:
    address = Expression("$upstream_address")
    return [
        Simple("set", (address, expression(forwarded.target))),
        Simple("proxy_pass", (address,)),
    ]


def _time(name: str, milliseconds: int) -> list[Simple]:
    if milliseconds == _USUAL_MILLISECONDS:
        return []
    return [Simple(name, (Literal(f"{milliseconds}ms"),))]


def lower_stream_listen(listener: Listener, *, ssl: bool) -> Simple:
    """Return the `listen` of a stream listener; *ssl* where the server itself ends TLS."""
    words: list[Word] = [Literal(listener.address)]
    words += [Literal("ssl")] if ssl else []
    words += [
        Literal(flag)
        for flag in ("udp", "proxy_protocol", "bind", "reuseport")
        if getattr(listener, flag)
    ]
    if listener.backlog is not None:
        words.append(Literal(f"backlog={listener.backlog}"))
    if listener.ipv6only is not None:
        words.append(Literal(f"ipv6only={'on' if listener.ipv6only else 'off'}"))
    if listener.so_keepalive is not None:
        words.append(Literal(f"so_keepalive={listener.so_keepalive}"))
    return Simple("listen", tuple(words))


def _comment(server: StreamServer) -> str:
    answers = server.answers
    if not answers:
        return "no route"
    shown = [_shown(answer) for answer in answers[:_SHOWN_ROUTES]]
    more = len(answers) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])


def _shown(answer: StreamAnswer) -> str:
    if isinstance(answer, Closed):
        return f"route {answer.route.label} (closed)"
    return f"route {answer.route.label} -> service {answer.service.label}"


def _route_source(answer: StreamAnswer) -> Source:
    route = answer.route
    return Source("route", route.id, route.name, route.source)
