"""The stream part of the plan as nginx's `stream` block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.certificates import lower_sni
from compiler.lower.injected import raw
from compiler.lower.sizes import map_sizes
from compiler.lower.stream_servers import ServerMaker, variables_of
from compiler.lower.stream_upstreams import lower_stream_upstreams
from compiler.model.layout import dhparam_file
from compiler.model.nginx import Section, Simple, StreamBlock
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.nginx import Map
    from compiler.model.plan import Plan
    from compiler.model.stream import StreamPlan

DEFAULT_TIMEOUT = 60_000
DEFAULT_TRIES = 6
"""What services have unless they say otherwise; it stands once, in the stream block."""

_BASIC = Expression(
    "$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time"
)


def lower_stream(plan: Plan) -> StreamBlock | None:
    """Return the stream block, None where nothing listens for connections."""
    stream = plan.stream
    if stream is None:
        return None
    maker = ServerMaker(stream, plan, variables_of(stream))
    maps = maker.maps()
    certificates = lower_sni(plan) if stream.pairs else ()
    includes = [Literal("conf/stream.conf")] if maps else []
    if certificates:
        includes.append(Literal("conf/certificates.conf"))
    return StreamBlock(
        sections=tuple(_sections(stream, plan, [*maps, *certificates])),
        includes=tuple(includes),
        upstreams=lower_stream_upstreams(stream, plan),
        servers=maker.servers(),
        maps=maps,
    )


def _sections(stream: StreamPlan, plan: Plan, maps: list[Map]) -> Iterable[Section]:
    injected = tuple(raw(d) for d in plan.directives.get("stream", ()))
    names = {directive.name for directive in injected}
    formats = Simple("log_format", (Literal("basic"), _BASIC))
    found = [
        # An injected format may be the one that access_log names.
        Section(comment="how connections are logged", directives=(formats,)),
        Section(comment="nginx_stream_* settings", directives=injected),
        Section(comment="general", directives=_general(stream, plan)),
        Section(comment="TLS to clients", directives=_tls(stream, plan)),
        Section(comment="sizes of tables", directives=_sizes(maps)),
    ]
    for section in found:
        own = section.directives is not injected and section.directives != (formats,)
        kept = tuple(d for d in section.directives if not (own and d.name in names))
        if kept:
            yield Section(comment=section.comment, directives=kept)


def _general(stream: StreamPlan, plan: Plan) -> tuple[Simple, ...]:
    error_log = (*map(Literal, stream.error_log.split()), Literal(plan.log_level))
    found = [
        Simple("access_log", tuple(map(Literal, stream.access_log.split()))),
        Simple("error_log", error_log),
        Simple("proxy_timeout", (Literal(f"{DEFAULT_TIMEOUT // 1000}s"),)),
        Simple("proxy_next_upstream_tries", (DEFAULT_TRIES,)),
    ]
    if plan.resolvers and any(p.resolve for d in stream.destinations for p in d.peers):
        found.append(Simple("resolver", tuple(map(Literal, plan.resolvers))))
    return tuple(found)


def _tls(stream: StreamPlan, plan: Plan) -> tuple[Simple, ...]:
    found: list[Simple] = []
    begins = any(destination.tls is not None for destination in stream.destinations)
    if plan.weak_ciphers:
        level = (Literal("CipherString"), Literal("DEFAULT:@SECLEVEL=0"))
        prefixes = [*([""] if stream.pairs else []), *(["proxy_"] if begins else [])]
        found += [Simple(f"{prefix}ssl_conf_command", level) for prefix in prefixes]
    if stream.pairs and plan.ciphers is not None:
        found.append(Simple("ssl_ciphers", (Literal(plan.ciphers),)))
    if stream.pairs and plan.dhparam is not None:
        found.append(Simple("ssl_dhparam", (Literal(dhparam_file(plan.dhparam)),)))
    return tuple(found)


def _sizes(maps: list[Map]) -> tuple[Simple, ...]:
    if not maps:
        return ()
    return (*map_sizes(maps), Simple("variables_hash_max_size", (2048,)))
