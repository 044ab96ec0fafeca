"""Virtual hosts to `server` blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.lower.certificates import default_certificates
from compiler.lower.locations import lower_location, send_away
from compiler.model.nginx import Server, Simple
from compiler.model.words import Literal

if TYPE_CHECKING:
    from compiler.model.plan import HttpsOnly, Plan, VirtualHost
    from compiler.model.settings import Listener
    from compiler.model.words import Word

_EVERY_SERVER = (Simple("include", (Literal("conf/server.conf"),)),)


def lower_servers(plan: Plan, injected: tuple[Simple, ...]) -> tuple[Server, ...]:
    """Return the servers of the proxy listeners; *injected* stands in each of their locations."""
    group = plan.listen.get("proxy")
    if group is None:
        return ()
    wildcards_overlap = any(host.kind == "both-wildcards" for host in plan.hosts)
    sockets = {
        (scheme, is_default): tuple(
            lower_listen(listener, plan, is_default=is_default)
            for listener in group.listeners
            if scheme == "any" or listener.ssl == (scheme == "https")
        )
        for scheme in ("any", "http", "https")
        for is_default in (True, False)
    }
    tls = default_certificates(plan) if any(x.ssl for x in group.listeners) else ()
    has_plain = any(not listener.ssl for listener in group.listeners)
    servers = []
    for host in plan.hosts:
        is_default = host.kind == "default"
        listens = sockets[host.scheme, is_default]
        if not listens:
            continue
        secure = is_default and host.scheme != "http"
        # A trusted peer may say that its client came without TLS.
        plain = bool(plan.trusted_ips) or (has_plain and host.scheme != "https")
        servers.append(
            Server(
                comment=_comment(host),
                listens=listens,
                names=_names(host, as_regex=wildcards_overlap),
                directives=(*_EVERY_SERVER, *tls) if secure else _EVERY_SERVER,
                locations=tuple(
                    [lower_location(path, plan, injected, plain=plain) for path in host.paths]
                ),
            )
        )
    listens = sockets["http", False]
    if listens:
        servers += [_sent_away(found, listens, plan) for found in plan.https_only]
    return tuple(servers)


def _sent_away(found: HttpsOnly, listens: tuple[Simple, ...], plan: Plan) -> Server:
    return Server(
        comment="plain HTTP to hosts that are served over HTTPS alone",
        listens=listens,
        names=tuple(Literal(pattern) for pattern in found.patterns),
        directives=(*_EVERY_SERVER, *send_away(found.status, plan)),
        locations=(),
    )


def _comment(host: VirtualHost) -> str:
    where = "every other host" if host.kind == "default" else " and ".join(host.patterns)
    if host.scheme == "any":
        return where
    return f"{where}, {'plain HTTP' if host.scheme == 'http' else 'HTTPS'}"


def lower_listen(listener: Listener, plan: Plan, *, is_default: bool) -> Simple:
    """Return a `listen`; options of the socket stand in the default server alone."""
    words: list[Word] = [Literal(listener.address)]
    if listener.ssl:
        words.append(Literal("ssl"))
    if listener.http2 and not plan.features.http2_directive:
        words.append(Literal("http2"))
    if listener.proxy_protocol:
        words.append(Literal("proxy_protocol"))
    if is_default:
        words += [Literal("default_server"), *_socket_options(listener)]
    return Simple("listen", tuple(words))


def _socket_options(listener: Listener) -> list[Word]:
    found = [Literal(flag) for flag in ("deferred", "bind", "reuseport") if getattr(listener, flag)]
    if listener.backlog is not None:
        found.append(Literal(f"backlog={listener.backlog}"))
    if listener.ipv6only is not None:
        found.append(Literal(f"ipv6only={'on' if listener.ipv6only else 'off'}"))
    if listener.so_keepalive is not None:
        found.append(Literal(f"so_keepalive={listener.so_keepalive}"))
    return list(found)


def _names(host: VirtualHost, *, as_regex: bool) -> tuple[Literal, ...]:
    if host.kind == "default":
        return (Literal("_"),)
    if host.kind == "exact" or not as_regex:
        return tuple(Literal(pattern) for pattern in host.patterns)
    # nginx tries all prefix wildcards before all suffix wildcards, which hides hosts that match
    # one of each; regular expressions are tried in the order they are written.
    return (Literal("~^" + _regex(host.patterns)),)


def _regex(patterns: tuple[str, ...]) -> str:
    """Return a regular expression for hosts that match one wildcard, or a prefix and a suffix."""
    ends = "".join(rf".+{re.escape(p[1:])}$" for p in patterns if p.startswith("*"))
    begins = "".join(rf"{re.escape(p[:-1])}." for p in patterns if p.endswith("*"))
    return f"(?={begins}){ends}" if begins and ends else begins or ends
