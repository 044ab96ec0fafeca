"""What every proxied request and every answer gets: headers and the maps behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.balancing import (
    COOKIE,
    cookie_texts,
    lower_captures,
    lower_hash_maps,
    uses_cookie,
)
from compiler.lower.errors import error_maps
from compiler.lower.keys import connection_port
from compiler.lower.locations import client_certificate
from compiler.lower.resolver import lower_resolver
from compiler.model.layout import bundle_file
from compiler.model.nginx import Map, Section, Simple
from compiler.model.plan import NoService, Proxied
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.plan import Plan

_OWN = {
    "proto": "$scheme",
    "host": "$host",
    "path": "$path_sent",
}
"""What X-Forwarded headers say, unless the peer is trusted and says something else; there is more
that depends on the plan."""
_DOLLAR = Map(
    why="a dollar sign that is not a variable",
    source=Expression("$remote_addr"),
    variable="$literal_dollar",
    default=Literal("$"),
    entries=(),
    by_address=True,
)


def lower_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps that proxied requests use."""
    maps = list(error_maps())
    maps.append(
        _simple(
            "keep upstream connections open, and let websockets through",
            "$http_upgrade",
            "$upstream_connection",
            "upgrade",
            {"": ""},
        )
    )
    maps.append(
        Map(
            why="X-Forwarded-For with the peer's address added",
            source=Expression("$http_x_forwarded_for"),
            variable="$forwarded_for",
            default=Expression("$http_x_forwarded_for, $realip_remote_addr"),
            entries=((Literal(""), Expression("$remote_addr")),),
        )
    )
    maps.append(
        _simple(
            "the path as the client sent it",
            "$request_uri",
            "$path_sent",
            "$request_uri",
            {r"~^(?<before_query>[^?]+)\?": "$before_query"},
        )
    )
    if plan.trusted_ips:
        maps.append(_trusted_peers(plan.trusted_ips))
        maps += [_forwarded(name, own) for name, own in _own(plan).items()]
        maps.append(
            _simple(
                "what the client was told to use",
                "$forwarded_proto",
                "$needs_https",
                "1",
                {"https": ""},
            )
        )
    else:
        maps.append(_simple("what the client used", "$scheme", "$needs_https", "1", {"https": ""}))
    maps.append(_upgrade())
    maps += [*lower_captures(plan), *lower_hash_maps(plan)]
    maps += [_debug(name) for name in _debug_names(plan)]
    if _uses_dollar(plan):
        maps.append(_DOLLAR)
    return tuple(maps)


def _simple(why: str, source: str, variable: str, default: str, entries: dict[str, str]) -> Map:
    return Map(
        why=why,
        source=Expression(source),
        variable=variable,
        default=Expression(default),
        entries=tuple((Literal(key), Expression(value)) for key, value in entries.items()),
    )


def _trusted_peers(trusted: tuple[str, ...]) -> Map:
    addresses = [address for address in trusted if address != "unix:"]
    return Map(
        why="peers whose X-Forwarded headers are believed (trusted_ips)",
        source=Expression("$realip_remote_addr"),
        variable="$from_trusted_peer",
        default=Literal("0"),
        entries=tuple((Literal(address), Literal("1")) for address in sorted(set(addresses))),
        by_address=True,
    )


def _own(plan: Plan) -> dict[str, str]:
    """Return the values of X-Forwarded headers; nginx wants every variable to be set somewhere."""
    strips = any(isinstance(answer, Proxied) and answer.strips for answer in plan.answers)
    return {
        **_OWN,
        "port": connection_port(plan),
        "prefix": "$stripped_prefix" if strips else "",
    }


def _forwarded(name: str, own: str) -> Map:
    return Map(
        why=f"X-Forwarded-{name.title()} of a trusted peer, else our own",
        source=Expression(f"$from_trusted_peer:$http_x_forwarded_{name}"),
        variable=f"$forwarded_{name}",
        default=Expression(own),
        entries=((Literal(f"~^1:(?<believed_{name}>.+)$"), Expression(f"$believed_{name}")),),
    )


def _upgrade() -> Map:
    return Map(
        why="what a plain request to an https route is told to upgrade to",
        source=Expression("$status:$upstream_status"),
        variable="$upgrade_to",
        default=None,
        entries=((Literal("426:"), Literal("TLS/1.2, HTTP/1.1")),),
    )


def _debug(name: str) -> Map:
    return Map(
        why="shown to a request with Kong-Debug: 1 (allow_debug_header)",
        source=Expression("$http_kong_debug"),
        variable=f"$debug_{name}",
        default=None,
        entries=((Literal("1"), Expression(f"$kong_{name}")),),
    )


def _debug_names(plan: Plan) -> tuple[str, ...]:
    """Return what debug headers can tell: nginx wants every variable to be set somewhere."""
    if not plan.headers.debug:
        return ()
    answers = _answers(plan)
    route = ("route_id", "route_name") if answers & {Proxied, NoService} else ()
    service = ("service_id", "service_name") if Proxied in answers else ()
    return (*route, *service)


def _answers(plan: Plan) -> set[type]:
    """Return the kinds of answers that locations give."""
    return {type(answer) for answer in plan.answers}


def lower_proxy(plan: Plan) -> tuple[Section, ...]:
    """Return what is common to all proxied requests, for the http block."""
    if Proxied not in _answers(plan):
        return ()
    headers = {
        "Host": "$upstream_host",
        "Connection": "$upstream_connection",
        "Upgrade": "$http_upgrade",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": "$forwarded_for",
    }
    headers |= {
        f"X-Forwarded-{name.title()}": f"$forwarded_{name}" if plan.trusted_ips else own
        for name, own in _own(plan).items()
    }
    if plan.headers.request_id_to_upstream:
        headers["X-Kong-Request-Id"] = "$request_id"
    sections = [
        Section(
            comment="requests to upstreams",
            directives=(
                Simple("proxy_http_version", (Literal("1.1"),)),
                *(
                    Simple("proxy_set_header", (Literal(name), Expression(value)))
                    for name, value in headers.items()
                ),
                Simple("proxy_redirect", (Literal("off"),)),
                # An upstream must not choose another route.
                Simple("proxy_ignore_headers", (Literal("X-Accel-Redirect"),)),
                Simple("proxy_next_upstream_tries", (6,)),
            ),
        ),
        *_tls(plan),
    ]
    sections += lower_resolver(plan)
    return tuple(sections)


def _tls(plan: Plan) -> list[Section]:
    common = plan.common_tls
    if common is None:
        return []
    directives = [
        Simple("proxy_ssl_server_name", (True,)),
        Simple("proxy_ssl_name", (Expression("$upstream_host"),)),
        Simple("proxy_ssl_verify", (common.verify,)),
        Simple("proxy_ssl_verify_depth", (common.depth,)),
    ]
    directives += _protocols(plan)
    if common.trusted is not None:
        path = Literal(bundle_file(common.trusted))
        directives.append(Simple("proxy_ssl_trusted_certificate", (path,)))
    directives += client_certificate(common)
    return [
        Section(
            comment="TLS to upstreams: the name sent and verified is the Host that is sent",
            directives=tuple(directives),
        )
    ]


def _protocols(plan: Plan) -> list[Simple]:
    """Return the protocols spoken to upstreams, where nginx's default is not that of Kong's."""
    chosen = any(
        directive.name == "proxy_ssl_protocols"
        for block in ("http", "proxy", "location")
        for directive in plan.directives.get(block, ())
    )
    if chosen or (plan.features.upstream_tls13_by_default and not plan.weak_ciphers):
        return []
    names = ("TLSv1", "TLSv1.1") if plan.weak_ciphers else ()
    words = tuple(Literal(name) for name in (*names, "TLSv1.2", "TLSv1.3"))
    return [Simple("proxy_ssl_protocols", words)]


def lower_server_sections(plan: Plan) -> tuple[Section, ...]:
    """Return what the server of the proxy listeners says for all of its locations."""
    own = []
    group = plan.listen.get("proxy")
    if group is not None and plan.features.http2_directive:
        own += [Simple("http2", (True,))] if any(x.http2 for x in group.listeners) else []
    headers = {"Upgrade": "$upgrade_to"}
    if plan.headers.request_id_to_client:
        headers["X-Kong-Request-Id"] = "$request_id"
    if uses_cookie(plan):
        headers["Set-Cookie"] = COOKIE
    headers |= {
        f"Kong-{name.replace('_', '-').title()}": f"$debug_{name}" for name in _debug_names(plan)
    }
    always = Literal("always")
    own += [
        Simple("add_header", (Literal(name), Expression(value), always))
        for name, value in headers.items()
    ]
    own += [Simple("set_real_ip_from", (Literal(address),)) for address in plan.trusted_ips]
    return (Section(comment="answers, and who asks", directives=tuple(own)),)


def _uses_dollar(plan: Plan) -> bool:
    """Tell whether a user's text with a `$` stands in an expression."""
    proxied = [answer for answer in plan.answers if isinstance(answer, Proxied)]
    destinations = {answer.service.id: answer.destination for answer in proxied}
    stripped = (answer.path or "" for answer in proxied if answer.strips)
    names = (answer.group.name for answer in proxied if answer.group is not None)
    keys = (table.key for table in plan.tables)
    texts = (d.host_header + (d.service.path or "") for d in destinations.values())
    return any("$" in text for text in (*texts, *stripped, *names, *keys, *cookie_texts(plan)))
