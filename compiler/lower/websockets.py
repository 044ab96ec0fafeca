"""Routes of ws and wss: they take websocket handshakes and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.answers import own_answer_headers
from compiler.lower.forwarding import WEBSOCKET_ROUTE
from compiler.lower.maps import expression_map
from compiler.model.nginx import If, Simple
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.nginx import Map
    from compiler.model.plan import Plan

_PROBLEM = "$handshake_problem"
_FIELDS = (
    "$request_method",
    "$http_connection",
    "$http_upgrade",
    "$http_sec_websocket_key",
    "$http_sec_websocket_version",
)
_LINE = r"[^\n]*"
_CHECKS = {
    r"~^(?!GET\n)": "invalid request method",
    rf"~*^{_LINE}\n(?!{_LINE}upgrade)": "invalid/missing 'Connection' header",
    rf"~*^(?:{_LINE}\n){{2}}(?!{_LINE}websocket)": "invalid/missing 'Upgrade' header",
    rf"~^(?:{_LINE}\n){{3}}(?:\n|{_LINE},)": "invalid/missing 'Sec-WebSocket-Key' header",
    rf"~^(?:{_LINE}\n){{4}}(?!13$)": "invalid/missing 'Sec-WebSocket-Version' header",
}
"""What is wrong with a handshake (RFC 6455, 4.1), in the order in which Kong looks."""


def websocket_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the map by which those routes know a handshake."""
    if not plan.has_websocket_routes:
        return ()
    return (
        expression_map(
            "what keeps a request from being a websocket handshake",
            "\n".join(_FIELDS),
            _PROBLEM,
            _CHECKS,
        ),
    )


def remembered() -> tuple[Simple, ...]:
    """Return what such a location remembers."""
    return (Simple("set", (Expression(WEBSOCKET_ROUTE), Literal("1"))),)


def untyped() -> tuple[Simple, ...]:
    """Return what gives the text of a refusal no type, as Kong's has none."""
    return (Simple("default_type", (Literal(""),)),)


def refusals(plan: Plan) -> tuple[If, ...]:
    """Return what requests are told that are no handshake."""
    text = Expression(f"Cannot complete WebSocket handshake: {_PROBLEM}")
    directives = (*own_answer_headers(plan), Simple("return", (400, text)))
    return (If(variable=_PROBLEM, directives=directives),)
