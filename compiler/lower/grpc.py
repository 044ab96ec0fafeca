"""gRPC: what upstreams are sent, and what requests that are none of it are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.answers import hidden_headers
from compiler.lower.errors import PLAINTEXT_GRPC, WITHOUT_HTTP2
from compiler.lower.forwarding import forwarded_headers
from compiler.lower.lookalikes import lookalike_sections
from compiler.lower.maps import expression_map
from compiler.model.nginx import If, Section, Simple
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.nginx import Map
    from compiler.model.plan import Plan

_NOT_GRPC = "$not_grpc"
_WITHOUT_HTTP2 = "$without_http2"


def grpc_sections(plan: Plan) -> tuple[Section, ...]:
    """Return what is common to all requests to upstreams of gRPC, for the http block."""
    if not plan.speaks_grpc:
        return ()
    # nginx names :authority after the group of upstreams; a Host goes in its place.
    headers = {"Host": "$upstream_host", **forwarded_headers(plan)}
    return (
        Section(
            comment="requests to upstreams of gRPC, and their answers",
            directives=(
                *(
                    Simple("grpc_set_header", (Literal(name), Expression(value)))
                    for name, value in headers.items()
                ),
                *(Simple("grpc_pass_header", (Literal(name),)) for name in ("Server", "Date")),
                *(Simple("grpc_hide_header", (Literal(name),)) for name in hidden_headers(plan)),
                Simple("grpc_ignore_headers", (Literal("X-Accel-Redirect"),)),
                Simple("grpc_next_upstream_tries", (6,)),
            ),
        ),
        *lookalike_sections(plan, "grpc_set_header"),
    )


def grpc_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps by which routes of gRPC know what is none."""
    if not plan.has_grpc_routes:
        return ()
    return (
        expression_map(
            "whether a request is not of gRPC",
            "$content_type",
            _NOT_GRPC,
            {"~^application/grpc": ""},
            default="1",
        ),
        expression_map(
            "whether it came without HTTP/2",
            "$server_protocol",
            _WITHOUT_HTTP2,
            {"HTTP/2.0": ""},
            default="1",
        ),
    )


def refusals(*, wants_tls: bool) -> tuple[If, ...]:
    """Return what a route of gRPC tells requests that are none, or came the wrong way."""
    found = [(_NOT_GRPC, 415), (_WITHOUT_HTTP2, WITHOUT_HTTP2)]
    if wants_tls:
        found.append(("$needs_https", PLAINTEXT_GRPC))
    return tuple(
        If(variable=variable, directives=(Simple("return", (status,)),))
        for variable, status in found
    )
