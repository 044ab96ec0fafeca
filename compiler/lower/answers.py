"""What clients are told in headers: who answers, how long it took, what went on upstream.

Whether an answer is an upstream's is known by `$upstream_status`: the gateway's own have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.balancing import COOKIE, uses_cookie
from compiler.lower.injected import injected_into, raw
from compiler.lower.maps import expression_map as _map
from compiler.lower.origins import cross_origin_headers, cross_origin_maps, replaced_headers
from compiler.model.nginx import Map, Section, Simple
from compiler.model.routing import NoService, Proxied
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.plan import Plan

_SECONDS = (
    (r"0\.00(?<milliseconds>\d)", "$milliseconds"),
    (r"0\.0(?<milliseconds>\d\d)", "$milliseconds"),
    (r"0\.(?<milliseconds>\d{3})", "$milliseconds"),
    (r"(?<whole_seconds>\d+)\.(?<milliseconds>\d{3})", "$whole_seconds$milliseconds"),
)
"""How nginx writes seconds, and the same as milliseconds."""

GRPC_UPSTREAM = "$grpc_upstream"
"""The variable that locations with an upstream of gRPC set to 1."""

GRPC_STATUS, GRPC_MESSAGE = "$grpc_status", "$grpc_message"
"""The variables that the location of errors in gRPC sets; there is nothing in them elsewhere."""


def answer_section(plan: Plan) -> Section:
    """Return the headers of upstreams' answers."""
    return Section(
        comment="headers of upstreams' answers; those without a value are not sent",
        directives=_added(_of_upstreams(plan)),
    )


def own_answer_headers(plan: Plan) -> tuple[Simple, ...]:
    """Return the headers of an answer of the gateway itself, for the block that gives it.

    A block that says any inherits none: what is injected further out stands beside them.
    """
    injected = injected_into(plan, ("proxy", "location", "http"), {"add_header"})
    return (*_added(_own(plan)), *map(raw, injected))


def _added(headers: Iterable[tuple[str, str]]) -> tuple[Simple, ...]:
    always = Literal("always")
    return tuple(
        Simple("add_header", (Literal(name), Expression(value), always)) for name, value in headers
    )


def _of_upstreams(plan: Plan) -> Iterator[tuple[str, str]]:
    headers = plan.headers
    yield "Upgrade", "$upgrade_to"
    yield "Trailer", "$trailer_to_client"
    if headers.via:
        yield "Via", "$via_to_client" if headers.via_lists_hops else headers.product
    yield from _of_all(plan)


def _own(plan: Plan) -> Iterator[tuple[str, str]]:
    headers = plan.headers
    yield "Connection", "$connection_to_client"
    yield "Upgrade", "$wanted_upgrade"
    yield "grpc-status", GRPC_STATUS
    yield "grpc-message", GRPC_MESSAGE
    if headers.via:
        yield "Via", "$via_failed"
    if headers.response_latency:
        yield "X-Kong-Response-Latency", "$response_latency"
    yield from _of_all(plan)


def _of_all(plan: Plan) -> Iterator[tuple[str, str]]:
    headers = plan.headers
    if headers.upstream_status:
        yield "X-Kong-Upstream-Status", "$last_upstream_status"
    if headers.upstream_latency:
        yield "X-Kong-Upstream-Latency", "$upstream_latency"
    if headers.request_id_to_client:
        yield "X-Kong-Request-Id", "$request_id"
    if uses_cookie(plan):
        yield "Set-Cookie", COOKIE
    yield from cross_origin_headers(plan)
    for name in _debug_names(plan):
        yield f"Kong-{name.replace('_', '-').title()}", f"$debug_{name}"


def hidden_headers(plan: Plan) -> tuple[str, ...]:
    """Return the headers of upstreams' answers that are replaced by those above."""
    headers = plan.headers
    names = {
        "Via": headers.via,
        "X-Kong-Upstream-Status": headers.upstream_status,
        "X-Kong-Upstream-Latency": headers.upstream_latency,
        "X-Kong-Request-Id": headers.request_id_to_client,
    }
    own = (name for name, replaced in names.items() if replaced)
    return ("Upgrade", "Trailer", *own, *replaced_headers(plan))


def answer_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind those headers."""
    headers = plan.headers
    return (
        *_upgrades(),
        _map(
            "upstreams' trailers are announced to clients that take them",
            "$upstream_te",
            "$trailer_to_client",
            {"trailers": "$upstream_http_trailer"},
        ),
        *(_via(plan) if headers.via else ()),
        *(_upstream_status() if headers.upstream_status else ()),
        *(_upstream_latency() if headers.upstream_latency else ()),
        *(_response_latency() if headers.response_latency else ()),
        *(_debug(name) for name in _debug_names(plan)),
        *cross_origin_maps(plan),
    )


def _debug(name: str) -> Map:
    return _map(
        "shown to a request with Kong-Debug: 1 (allow_debug_header)",
        "$http_kong_debug",
        f"$debug_{name}",
        {"1": f"$kong_{name}"},
    )


def _debug_names(plan: Plan) -> tuple[str, ...]:
    """Return what debug headers can tell: nginx wants every variable to be set somewhere."""
    if not plan.headers.debug:
        return ()
    answers = {type(answer) for answer in plan.answers}
    route = ("route_id", "route_name") if answers & {Proxied, NoService} else ()
    service = ("service_id", "service_name") if Proxied in answers else ()
    return (*route, *service)


def _upgrades() -> tuple[Map, ...]:
    return (
        _map(
            "what a request in the wrong protocol is told to upgrade to, in HTTP/1",
            "$server_protocol:$status$is_args$args",
            "$wanted_upgrade",
            {
                r"~^HTTP/1\.\d:426$": "TLS/1.2, HTTP/1.1",
                r"~^HTTP/1\.\d:426\?http2$": "HTTP/2",
            },
        ),
        _map(
            "an upgrade that is wanted is one of the connection",
            "$wanted_upgrade",
            "$connection_to_client",
            {"": ""},
            default="Upgrade",
        ),
        _map(
            "what an upstream upgrades to",
            "$upstream_http_upgrade",
            "$upgrade_to",
            {"websocket": "$consented_upgrade"},
        ),
        _map(
            "an upstream's consent to websockets, where the client asked for them",
            "$http_upgrade",
            "$consented_upgrade",
            {"websocket": "$upstream_http_upgrade"},
        ),
    )


def _via(plan: Plan) -> Iterator[Map]:
    headers = plan.headers
    hop = headers.product
    if headers.via_lists_hops:
        hop = f"1.1 {hop}"
        if plan.speaks_grpc:
            yield _map(
                "the protocol that the upstream is spoken to in",
                GRPC_UPSTREAM,
                "$via_protocol",
                {"1": "2"},
                default="1.1",
            )
            hop = f"$via_protocol {headers.product}"
        yield _map(
            "by whom an answer was passed on, and by whom before",
            "$upstream_http_via",
            "$via_to_client",
            {"": hop},
            default=f"$upstream_http_via, {hop}",
        )
    yield _map(
        "who asked an upstream, as far as one was asked that failed",
        "$upstream_status",
        "$via_failed",
        {"": ""},
        default=hop,
    )


def _upstream_status() -> Iterator[Map]:
    yield _map(
        "the status of the upstream that was asked last",
        "$upstream_status",
        "$last_upstream_status",
        {r"~(?<last_status>\d{3})$": "$last_status"},
    )


def _upstream_latency() -> Iterator[Map]:
    last = {rf"~(?:^|[, ]){seconds}$": value for seconds, value in _SECONDS}
    yield _map(
        "milliseconds until the upstream that was asked last answered",
        "$upstream_header_time",
        "$upstream_latency",
        {"": "", **last},
        default="$failed_latency",
    )
    # Of one that fails nginx knows no time of headers.
    yield _map("or failed", "$upstream_response_time", "$failed_latency", last)


def _response_latency() -> Iterator[Map]:
    yield _map(
        "milliseconds until the gateway itself answered",
        "$upstream_status",
        "$response_latency",
        {"": "$request_milliseconds"},
    )
    yield _map(
        "how long a request has taken so far, in milliseconds",
        "$request_time",
        "$request_milliseconds",
        {f"~^{seconds}$": value for seconds, value in _SECONDS},
    )
