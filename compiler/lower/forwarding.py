"""The headers of requests to upstreams: what Kong adds, replaces and takes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.certificate_headers import certificate_headers
from compiler.lower.clients import client_headers
from compiler.lower.keys import connection_port
from compiler.lower.maps import expression_map as _map
from compiler.lower.paths import PATH_SENT
from compiler.lower.urls import STRIPPED_PREFIX
from compiler.model.nginx import Map
from compiler.model.routing import Proxied
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.plan import Plan

WEBSOCKET_ROUTE = "$websocket_route"
"""The variable that locations of ws and wss routes set to 1."""

_OWN = {
    "proto": "$scheme",
    "host": "$host",
    "path": PATH_SENT,
}
"""What X-Forwarded headers say, unless the peer is trusted and says something else; there is more
that depends on the plan."""

_NAMED_HOPS = ("HTTP2-Settings", "Proxy-Authorization", "Trailer")
"""Headers of one hop that clients name in `Connection`; the others never get through."""

_PROTOCOLS = {"HTTP/0.9": "0.9", "HTTP/1.0": "1", "HTTP/2.0": "2", "HTTP/3.0": "3"}


def forwarded_headers(plan: Plan) -> dict[str, str]:
    """Return the headers that go to upstreams of either protocol, with their values.

    An empty value takes a header away.
    """
    headers = {
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": _forwarded_for(plan),
    }
    headers |= {
        f"X-Forwarded-{name.title()}": f"$forwarded_{name}" if plan.trusted_ips else own
        for name, own in _own(plan).items()
    }
    if plan.headers.via_lists_hops:
        headers["Via"] = "$via_to_upstream"
    if plan.headers.request_id_to_upstream:
        headers["X-Kong-Request-Id"] = "$request_id"
    headers |= {name: f"$kept_{_snake(name)}" for name in _NAMED_HOPS}
    headers |= {**client_headers(plan), **certificate_headers(plan)}
    # A client's word for a proxy must not become one of ours.
    return headers | {"Proxy": "", "Proxy-Connection": ""}


def proxy_headers(plan: Plan) -> dict[str, str]:
    """Return the headers that go to upstreams of HTTP."""
    headers = {
        "Host": "$upstream_host",
        "Connection": "$upstream_connection",
        "Upgrade": "$upstream_upgrade",
        "TE": "$upstream_te",
    }
    if plan.has_websocket_routes:
        headers["Sec-WebSocket-Extensions"] = "$websocket_extensions"
    return headers | forwarded_headers(plan)


def forwarding_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind those headers."""
    return (
        _map(
            "connections are kept, and websockets let through",
            "$http_upgrade",
            "$upstream_connection",
            {"websocket": "keep-alive, Upgrade"},
            default="keep-alive",
        ),
        _map("likewise", "$http_upgrade", "$upstream_upgrade", {"websocket": "websocket"}),
        _map(
            "trailers are asked for where the client takes them",
            "$http_te",
            "$upstream_te",
            {r"~*(?:^|,)\s*trailers\s*(?:,|$)": "trailers"},
        ),
        *_peers(plan),
        *_prefix(plan),
        *(_via(plan.headers.product) if plan.headers.via_lists_hops else ()),
        *(_named_hop(name) for name in _NAMED_HOPS),
        *(_websocket_extensions() if plan.has_websocket_routes else ()),
        *_trusting(plan),
    )


def _own(plan: Plan) -> dict[str, str]:
    """Return the values of X-Forwarded headers; nginx wants every variable to be set somewhere."""
    return {**_OWN, "port": connection_port(plan), "prefix": _prefix_taken(plan)}


def _forwarded_for(plan: Plan) -> str:
    return "$forwarded_for" if _is_told_who_asks(plan) else "$proxy_add_x_forwarded_for"


def _is_told_who_asks(plan: Plan) -> bool:
    """Tell whether the client may be another than the peer: nginx adds the client's address."""
    injected = (directive.name for found in plan.directives.values() for directive in found)
    return bool(plan.trusted_ips) or "set_real_ip_from" in injected


def _peers(plan: Plan) -> Iterator[Map]:
    if _is_told_who_asks(plan):
        yield _map(
            "X-Forwarded-For with the peer's address added",
            "$http_x_forwarded_for",
            "$forwarded_for",
            {"": "$remote_addr"},
            default="$http_x_forwarded_for, $realip_remote_addr",
        )


def _prefix_taken(plan: Plan) -> str:
    stripping = [a for a in plan.answers if isinstance(a, Proxied) and a.strips]
    if any(answer.regex is not None for answer in stripping):
        return "$prefix_taken"
    return STRIPPED_PREFIX if stripping else ""


def _prefix(plan: Plan) -> Iterator[Map]:
    if _prefix_taken(plan) == "$prefix_taken":
        yield _map(
            "what is taken off the path; the root alone is nothing, also to an expression",
            STRIPPED_PREFIX,
            "$prefix_taken",
            {"/": ""},
            default=STRIPPED_PREFIX,
        )


def _via(product: str) -> tuple[Map, ...]:
    hop = f"$client_protocol {product}"
    return (
        _map(
            "by whom the request was passed on, in which protocol; and by whom before",
            "$server_protocol:$http_via",
            "$via_to_upstream",
            {
                "HTTP/1.1:": f"1.1 {product}",
                "HTTP/2.0:": f"2 {product}",
                r"~^HTTP/[\d.]+:$": hop,
            },
            default=f"$http_via, {hop}",
        ),
        _map(
            "the protocol in which the client asks",
            "$server_protocol",
            "$client_protocol",
            _PROTOCOLS,
            default="1.1",
        ),
    )


def _named_hop(name: str) -> Map:
    return _map(
        f"{name}, unless it is named as one of this connection alone",
        "$http_connection",
        f"$kept_{_snake(name)}",
        {"": f"$http_{_snake(name)}", rf"~*(?:^|,)\s*{name}\s*(?:,|$)": ""},
        default=f"$http_{_snake(name)}",
    )


def _websocket_extensions() -> tuple[Map, ...]:
    return (
        _map(
            "no extensions are negotiated on websocket routes",
            WEBSOCKET_ROUTE,
            "$websocket_extensions",
            {"1": ""},
            default="$http_sec_websocket_extensions",
        ),
    )


def _trusting(plan: Plan) -> tuple[Map, ...]:
    """Return what is believed of peers, and with it whether a client was told to use TLS."""
    if not plan.trusted_ips:
        return (_needs_https("what the client used", "$scheme"),)
    return (
        _trusted_peers(plan.trusted_ips),
        *(_forwarded(name, own) for name, own in _own(plan).items()),
        _needs_https("what the client was told to use", "$forwarded_proto"),
    )


def _needs_https(why: str, source: str) -> Map:
    return _map(why, source, "$needs_https", {"https": ""}, default="1")


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


def _forwarded(name: str, own: str) -> Map:
    return _map(
        f"X-Forwarded-{name.title()} of a trusted peer, else our own",
        f"$from_trusted_peer:$http_x_forwarded_{name}",
        f"$forwarded_{name}",
        {f"~^1:(?<believed_{name}>.+)$": f"$believed_{name}"},
        default=own,
    )


def _snake(name: str) -> str:
    return name.lower().replace("-", "_")
