"""The whole plan as nginx.conf and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.certificates import lower_sni
from compiler.lower.clients import client_maps
from compiler.lower.control import lower_control_servers
from compiler.lower.injected import injected_into, raw
from compiler.lower.keys import lower_key_maps
from compiler.lower.lua import lower_data, lower_lua
from compiler.lower.paths import lower_path_maps
from compiler.lower.policies import policy_maps
from compiler.lower.requests import (
    lower_answer_maps,
    lower_proxy,
    lower_request_maps,
    lower_server_sections,
)
from compiler.lower.servers import lower_proxy_servers
from compiler.lower.sizes import map_sizes, power
from compiler.lower.stream import lower_stream
from compiler.lower.trace import trace_lines
from compiler.lower.upstreams import lower_upstreams
from compiler.lower.urls import lower_left_maps
from compiler.model.layout import dhparam_file
from compiler.model.nginx import TEMP_PATHS, Main, Section, Simple
from compiler.model.words import Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.nginx import Map
    from compiler.model.plan import Plan
    from compiler.model.settings import Directive

_UPSTREAM_HEADERS = frozenset(
    f"{prefix}_{name}_header" for prefix in ("proxy", "grpc") for name in ("set", "pass", "hide")
)
_OWN_HEADERS = frozenset({"add_header", "error_page"})
_REPEATABLE = _UPSTREAM_HEADERS | _OWN_HEADERS | {"set_real_ip_from"}
"""Directives of ours that nginx takes several times in one block.

A block that has one of its own inherits none: what is injected below ours goes beside ours.
"""

_UPSTREAM_TLS = ("proxy_ssl_", "grpc_ssl_")

_LONG_VARIABLES = (Simple("variables_hash_bucket_size", (128,)),)
"""For names that do not fit into nginx's 64 bytes."""


def lower(plan: Plan) -> Main:
    """Return the blocks for *plan*."""
    sni_maps = lower_sni(plan)
    # Lua chooses the certificates of requests; those of streams are chosen by maps everywhere.
    request_sni_maps = sni_maps if plan.lua is None else ()
    answer_maps, proxy_maps = lower_answer_maps(plan), lower_request_maps(plan)
    own = (
        *_unrepeated(lower_server_sections(plan), plan, "proxy"),
        *_server_injected(plan),
        *_beside_ours(plan, ("location",), _OWN_HEADERS),
        *_beside_ours(plan, ("http",), frozenset({"add_header"})),
    )
    proxy = lower_proxy_servers(plan, own, _every_location(plan))
    routing_maps = (*lower_key_maps(plan), *proxy.maps) if proxy.servers else ()
    path_maps = (*lower_path_maps(plan), *lower_left_maps(plan)) if proxy.servers else ()
    access_maps = (*client_maps(plan), *policy_maps(plan))
    servers = (*proxy.servers, *lower_control_servers(plan))
    blocks = plan.directives
    includes = []
    if proxy.servers:
        includes += [
            Literal(f"conf/{name}.conf") for name in ("routing", "paths", "answers", "proxy")
        ]
    if access_maps:
        includes.append(Literal("conf/clients.conf"))
    if request_sni_maps and any(
        group.name == "proxy" and group.pairs for group in plan.listen.values()
    ):
        includes.append(Literal("conf/certificates.conf"))
    injected = {d.name for d in blocks.get("http", ())}
    names = [name for server in servers for name in server.names]
    return Main(
        main=_main(plan),
        events=_events(blocks.get("events", ())),
        http=(
            _general(plan, injected),
            _tls(plan, injected),
            *_sizes(
                [
                    *request_sni_maps,
                    *answer_maps,
                    *proxy_maps,
                    *routing_maps,
                    *path_maps,
                    *access_maps,
                ],
                names,
                injected,
            ),
            _connection_memory(plan),
            *lower_lua(plan),
            *_injected(blocks.get("http", ()), "nginx_http_* settings"),
            *_injected(_upstream_tls(blocks), "nginx_proxy_*_ssl_* settings"),
        ),
        includes=tuple(includes),
        upstream_servers=lower_upstreams(plan),
        servers=servers,
        common=proxy.common,
        sni_maps=sni_maps,
        answer_maps=answer_maps,
        proxy_maps=proxy_maps,
        routing_maps=routing_maps,
        path_maps=path_maps,
        access_maps=access_maps,
        proxy=(
            *_unrepeated(lower_proxy(plan), plan, "http"),
            *_beside_ours(plan, ("proxy", "location"), _UPSTREAM_HEADERS),
        ),
        stream=lower_stream(plan),
        trace=trace_lines(plan, proxy.servers),
        lua=lower_data(plan),
    )


def _words(text: str) -> tuple[Literal, ...]:
    return tuple(Literal(word) for word in text.split())


def _every_location(plan: Plan) -> tuple[Simple, ...]:
    return tuple(
        raw(d)
        for d in plan.directives.get("location", ())
        if not d.name.startswith(_UPSTREAM_TLS) and d.name not in _REPEATABLE
    )


def _beside_ours(plan: Plan, blocks: tuple[str, ...], names: frozenset[str]) -> tuple[Section, ...]:
    """Return what is injected into *blocks* and would keep ours from being inherited there."""
    found = injected_into(plan, blocks, names)
    return _injected(found, "injected elsewhere, and kept beside what is said here")


def _injected(directives: Iterable[Directive], comment: str) -> tuple[Section, ...]:
    found = tuple(raw(d) for d in directives)
    return (Section(comment=comment, directives=found),) if found else ()


def _main(plan: Plan) -> tuple[Simple, ...]:
    log = plan.logs["proxy_error_log"]
    modules = [] if plan.lua is None else [*plan.lua.modules]
    if plan.stream is not None and plan.stream.module is not None:
        modules.append(plan.stream.module)
    injected = plan.directives.get("main", ())
    return (
        *(Simple("load_module", (Literal(module),)) for module in modules),
        Simple("pid", (Literal("logs/nginx.pid"),)),
        *_jit(injected),
        Simple("error_log", (*_words(log), Literal(plan.log_level))),
        *map(raw, injected),
    )


def _jit(injected: Iterable[Directive]) -> tuple[Simple, ...]:
    """Have regular expressions compiled to machine code: some 10 KB of memory for each."""
    if any(d.name == "pcre_jit" for d in injected):
        return ()
    return (Simple("pcre_jit", (True,)),)


def _events(directives: Iterable[Directive]) -> tuple[Simple, ...]:
    found = tuple(raw(d) for d in directives)
    if any(d.name == "worker_connections" for d in found):
        return found
    # Kong takes the limit of open files of the machine it starts on, at most this.
    return (Simple("worker_connections", (16384,)), *found)


def _general(plan: Plan, injected: set[str]) -> Section:
    own = (
        Simple("access_log", _words(plan.logs["proxy_access_log"])),
        Simple("default_type", (Literal("text/plain"),)),
        Simple("server_tokens", (False,)),
        Simple("underscores_in_headers", (True,)),
        Simple("uninitialized_variable_warn", (False,)),
        *(Simple(f"{name}_temp_path", (Literal(f"logs/tmp/{name}"),)) for name in TEMP_PATHS),
    )
    return Section(comment="general", directives=_without(own, injected))


def _tls(plan: Plan, injected: set[str]) -> Section:
    own: list[Simple] = []
    if plan.weak_ciphers:
        level = (Literal("CipherString"), Literal("DEFAULT:@SECLEVEL=0"))
        prefixes = ("", "proxy_", "grpc_") if plan.speaks_grpc else ("", "proxy_")
        own += [Simple(f"{prefix}ssl_conf_command", level) for prefix in prefixes]
    if plan.ciphers is not None:
        own.append(Simple("ssl_ciphers", (Literal(plan.ciphers),)))
    if plan.dhparam is not None:
        own.append(Simple("ssl_dhparam", (Literal(dhparam_file(plan.dhparam)),)))
    return Section(comment="TLS to clients", directives=_without(own, injected))


def _without(own: Iterable[Simple], injected: set[str]) -> tuple[Simple, ...]:
    """Leave out what is injected: a directive given twice keeps nginx from starting."""
    return tuple(directive for directive in own if directive.name not in injected)


def _unrepeated(sections: Iterable[Section], plan: Plan, block: str) -> tuple[Section, ...]:
    """Leave out of *sections* what is injected into *block*, unless it may stand there twice."""
    injected = {d.name for d in plan.directives.get(block, ())} - _REPEATABLE
    kept = (
        Section(comment=s.comment, directives=_without(s.directives, injected)) for s in sections
    )
    return tuple(section for section in kept if section.directives)


def _sizes(maps: list[Map], names: list[Literal], injected: set[str]) -> tuple[Section, ...]:
    """Return the sizes of nginx's hash tables, in powers of two so that they seldom change."""
    longest = max(map(len, names), default=0)
    own = (
        *map_sizes(maps),
        Simple("server_names_hash_max_size", (power(2 * len(names), 1024),)),
        Simple("server_names_hash_bucket_size", (power(longest + 32, 128),)),
        Simple("variables_hash_max_size", (power(8 * len(maps), 4096),)),
        *(_LONG_VARIABLES if any(len(found.variable) > 40 for found in maps) else ()),
        Simple("proxy_headers_hash_max_size", (1024,)),
        Simple("proxy_headers_hash_bucket_size", (128,)),
    )
    return (Section(comment="sizes of tables", directives=_without(own, injected)),)


def _connection_memory(plan: Plan) -> Section:
    # With musl a request took up to a third more time, for pages that were given back and mapped
    # anew: connections that are kept hold on to pages whose pieces have one size.
    # nginx wants buffers for headers to be no smaller: who injects those has nginx's default.
    names = {d.name for found in plan.directives.values() for d in found}
    injected = {"connection_pool_size"} if "large_client_header_buffers" in names else names
    return Section(
        comment="a connection's memory is as large as a request's: allocators keep both",
        directives=_without((Simple("connection_pool_size", (4096,)),), injected),
    )


def _upstream_tls(blocks: Mapping[str, tuple[Directive, ...]]) -> list[Directive]:
    """Return the injected proxy_ssl_* directives, the innermost block's where several have one.

    They stand in http, so that one TLS context serves all locations that share them.
    """
    found: dict[str, Directive] = {}
    for block, prefixes in (("proxy", _UPSTREAM_TLS), ("location", ("proxy_ssl_",))):
        found |= {d.name: d for d in blocks.get(block, ()) if d.name.startswith(prefixes)}
    return list(found.values())


def _server_injected(plan: Plan) -> tuple[Section, ...]:
    directives = [
        d
        for d in plan.directives.get("proxy", ())
        if not d.name.startswith(_UPSTREAM_TLS)
        and d.name not in _UPSTREAM_HEADERS
        and (plan.trusted_ips or not d.name.startswith("real_ip_"))
    ]
    return _injected(directives, "nginx_proxy_* settings")
