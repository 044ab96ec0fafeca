"""What every proxied request gets: headers, TLS to upstreams, and the maps behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.answers import answer_maps, answer_section, hidden_headers
from compiler.lower.balancing import cookie_texts, lower_captures, lower_hash_maps
from compiler.lower.clients import client_texts, lua_variables
from compiler.lower.error_texts import uses_dollar
from compiler.lower.errors import error_maps
from compiler.lower.forwarding import forwarding_maps, proxy_headers
from compiler.lower.grpc import grpc_maps, grpc_sections
from compiler.lower.lookalikes import lookalike_sections
from compiler.lower.policies import policy_texts
from compiler.lower.resolver import lower_resolver
from compiler.lower.upstream_tls import common_tls
from compiler.lower.websockets import websocket_maps
from compiler.model.nginx import Map, Section, Simple
from compiler.model.routing import Proxied
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.plan import Plan

_DOLLAR = Map(
    why="a dollar sign that is not a variable",
    source=Expression("$remote_addr"),
    variable="$literal_dollar",
    default=Literal("$"),
    entries=(),
    by_address=True,
)


def lower_answer_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind answers: the gateway's own, and what it adds to all."""
    maps = (*error_maps(plan), *answer_maps(plan))
    return (*maps, _DOLLAR) if _uses_dollar(plan) else maps


def lower_request_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind requests: what upstreams are sent, and who may ask."""
    return (
        *forwarding_maps(plan),
        *lower_captures(plan),
        *lower_hash_maps(plan),
        *grpc_maps(plan),
        *websocket_maps(plan),
    )


def lower_proxy(plan: Plan) -> tuple[Section, ...]:
    """Return what is common to all proxied requests, for the http block."""
    if not any(isinstance(answer, Proxied) for answer in plan.answers):
        return ()
    return (
        Section(
            comment="requests to upstreams",
            directives=(
                Simple("proxy_http_version", (Literal("1.1"),)),
                *(
                    Simple("proxy_set_header", (Literal(name), Expression(value)))
                    for name, value in proxy_headers(plan).items()
                ),
                Simple("proxy_redirect", (Literal("off"),)),
                # An upstream must not choose another route.
                Simple("proxy_ignore_headers", (Literal("X-Accel-Redirect"),)),
                Simple("proxy_next_upstream_tries", (6,)),
            ),
        ),
        *lookalike_sections(plan, "proxy_set_header"),
        Section(
            comment="answers of upstreams",
            directives=(
                *(Simple("proxy_pass_header", (Literal(name),)) for name in ("Server", "Date")),
                *(Simple("proxy_hide_header", (Literal(name),)) for name in hidden_headers(plan)),
            ),
        ),
        *grpc_sections(plan),
        *common_tls(plan),
        *lower_resolver(plan),
    )


def lower_server_sections(plan: Plan) -> tuple[Section, ...]:
    """Return what the server of the proxy listeners says for all of its locations."""
    own = []
    group = plan.listen.get("proxy")
    if group is not None and plan.features.http2_directive:
        own += [Simple("http2", (True,))] if any(x.http2 for x in group.listeners) else []
    own += [Simple("set_real_ip_from", (Literal(address),)) for address in plan.trusted_ips]
    return (
        Section(comment="who asks, and in which protocol", directives=tuple(own)),
        answer_section(plan),
        *lua_variables(plan),
    )


def _uses_dollar(plan: Plan) -> bool:
    """Tell whether a user's text with a `$` stands in an expression."""
    proxied = [answer for answer in plan.answers if isinstance(answer, Proxied)]
    destinations = {answer.service.id: answer.destination for answer in proxied}
    stripped = (answer.path or "" for answer in proxied if answer.strips)
    names = (answer.group.name for answer in proxied if answer.group is not None)
    keys = (table.key for table in plan.tables)
    texts = (d.host_header + (d.service.path or "") for d in destinations.values())
    own = (*cookie_texts(plan), *policy_texts(plan), *client_texts(plan))
    return uses_dollar(plan.errors) or any(
        "$" in text for text in (*texts, *stripped, *names, *keys, *own)
    )
