"""What the gateway itself answers: which errors, with which message, in which location.

An error is looked up like a request, by its status. Codes that HTTP does not use stand for
errors which need more to be told than a status; the answer has that of Kong's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from compiler.lower.answers import GRPC_MESSAGE, GRPC_STATUS, own_answer_headers
from compiler.lower.clients import MISSING, UNVERIFIED
from compiler.lower.error_texts import CONTENT_TYPES, error_text
from compiler.lower.formats import format_maps
from compiler.lower.keys import ERRORS
from compiler.lower.origins import PREFLIGHT, answers_preflights
from compiler.lower.refusals import MESSAGE, REFUSED, refusal_codes
from compiler.model.grpc_status import grpc_status
from compiler.model.nginx import Location, Map, Section, Simple
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.lower.error_texts import ErrorText
    from compiler.model.plan import Plan

PLAINTEXT_GRPC = 597
"""gRPC without TLS for a route that wants it."""
WITHOUT_HTTP2 = 598
"""gRPC over HTTP/1."""
NO_PEER = 599
"""An upstream without targets."""

_KONGS = (400, 404, 405, 408, 411, 412, 413, 414, 417, 500, 502, 503, 504)
_OWN = (415, 426)
_REDIRECTS = (301, 302, 307, 308)
_SPECIAL = ((494, 400, "large"), (WITHOUT_HTTP2, 426, "http2"), (PLAINTEXT_GRPC, 200, "grpcs"))
"""Errors that are told by another status, and the word by which they stay known."""

_BAD_CERTIFICATE = 495
"""nginx's own code for a certificate that it did not only fail to verify: expired, say."""

_OF_CLIENTS = (
    (_BAD_CERTIFICATE, 401, "unverified"),
    (UNVERIFIED, 401, "unverified"),
    (MISSING, 401, "missing"),
)
"""Likewise, where clients are asked for certificates."""

_WITHOUT_PEER = (NO_PEER, 503, "peer")
"""Likewise, where an upstream has no target."""
_PEERLESS = "503?peer"
_NO_PEER_MESSAGE = "failure to get a peer from the ring-balancer"

_MESSAGES_OF_CLIENTS = {
    "401?missing": "No required TLS certificate was sent",
    "401?unverified": "TLS certificate failed verification",
    "421": "TLS was negotiated for another host",
}

_MESSAGES = {
    "400": "Bad request",
    "400?large": "Request header or cookie too large",
    "404": "no Route matched with those values",
    "405": "Method not allowed",
    "408": "Request timeout",
    "411": "Length required",
    "412": "Precondition failed",
    "413": "Payload too large",
    "414": "URI too long",
    "415": "Non-gRPC request matched gRPC route",
    "417": "Expectation failed",
    "426": "Please use HTTPS protocol",
    "426?http2": "Please use HTTP2 protocol",
    "502": "An invalid response was received from the upstream server",
    "503": "no Service found with those values",
    "504": "The upstream server is timing out",
    "200?grpcs": "gRPC request matched gRPCs route",
}
_OTHER = "An unexpected error occurred"
_REFUSED = rf"~\?{REFUSED}$"
_IN_HEADER = "$refusal_in_header"
_STATUS = Expression("$status$is_args$args")
"""A client's own query is gone once an error is looked up."""

_GRPC_STATUSES = (
    ("200?grpcs", "1"), ("404", "5"), ("503", "14"), ("504", "4"), ("~^4", "3"), ("~^5", "13"),
)  # fmt: skip
_GRPC_NAMES = (("404", "NotFound"), ("503", "Unavailable"), ("415", "InvalidArgument"),
               ("~^426", "InvalidArgument"))  # fmt: skip
"""What a router's own answer is called; all others are told by their message."""
_GRPC_HEADERS = (
    Simple("set", (Expression(GRPC_STATUS), Expression("$grpc_error"))),
    Simple("set", (Expression(GRPC_MESSAGE), Expression("$grpc_error_name"))),
)


def error_pages(plan: Plan) -> tuple[Section, ...]:
    """Return which answers are Kong's."""
    codes = sorted((*_KONGS, *_OWN, *((421,) if plan.asks_clients else ())))
    special = (
        *_SPECIAL,
        *((_WITHOUT_PEER,) if plan.lacks_peers else ()),
        *(_OF_CLIENTS if plan.asks_clients else ()),
        *((code, told, REFUSED) for code, told in refusal_codes(plan)),
    )
    by_format = f"{ERRORS}$error_format"
    return (
        Section(
            comment="answers of the gateway itself; codes above 590 are told as what follows",
            directives=(
                Simple("error_page", (*codes, Expression(by_format))),
                *(
                    Simple(
                        "error_page",
                        (code, Literal(f"={told}"), Expression(f"{by_format}?{word}")),
                    )
                    for code, told, word in special
                ),
                Simple("error_page", (*_REDIRECTS, Literal(f"{ERRORS}none"))),
                *_preflight_page(plan),
            ),
        ),
    )


def _preflight_page(plan: Plan) -> tuple[Simple, ...]:
    if not answers_preflights(plan):
        return ()
    return (Simple("error_page", (PREFLIGHT, Literal("=200"), Literal(f"{ERRORS}none"))),)


def error_location(plan: Plan) -> Location:
    """Return the location with one for each format; the status stays that of the error."""
    texts = _texts(plan)
    bodies = {name: (CONTENT_TYPES[name], text.body) for name, text in texts.items()}
    # A client of gRPC reads headers alone.
    bodies |= {"grpc": ("application/grpc", Expression("")), "none": ("", Expression(""))}
    return Location(
        comment="answers of the gateway itself, and their headers",
        path=Literal(ERRORS),
        directives=own_answer_headers(plan),
        locations=tuple(
            Location(
                comment="without a body" if name == "none" else f"as {name}",
                path=Literal(f"{ERRORS}{name}"),
                remembered=_GRPC_HEADERS if name == "grpc" else (),
                directives=(
                    Simple("default_type", (Literal(content_type),)),
                    Simple("return", (200, body)),
                ),
            )
            for name, (content_type, body) in bodies.items()
        ),
    )


def _texts(plan: Plan) -> dict[str, ErrorText]:
    return {name: error_text(name, plan.errors) for name in CONTENT_TYPES}


def error_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind those locations."""
    messages = _MESSAGES | (_MESSAGES_OF_CLIENTS if plan.asks_clients else {})
    messages |= {_PEERLESS: _NO_PEER_MESSAGE} if plan.lacks_peers else {}
    refused = {_REFUSED: MESSAGE} if plan.refusals else {}
    told = {str(status) for status in plan.refusals}
    told |= {"401", "421"} if plan.asks_clients else set()
    return (
        _map("what an error is called", _STATUS, "$error_message", _OTHER, messages, refused),
        *format_maps(plan.errors.default_type, tuple(told)),
        *(part for text in _texts(plan).values() for part in text.maps),
        *_grpc_maps(plan),
    )


def _grpc_maps(plan: Plan) -> tuple[Map, ...]:
    """Return what headers tell a client of gRPC."""
    statuses = {f"{status}?{REFUSED}": str(grpc_status(status)) for status in plan.refusals}
    statuses |= {_PEERLESS: str(grpc_status(503))} if plan.lacks_peers else {}
    names = (*_GRPC_NAMES, *(((_PEERLESS, "Unavailable"),) if plan.lacks_peers else ()))
    return (
        _map(
            "an error's status in gRPC",
            _STATUS,
            "$grpc_error",
            "2",
            statuses | dict(_GRPC_STATUSES),
        ),
        Map(
            why="an error's name in gRPC, or what is wrong",
            source=_STATUS,
            variable="$grpc_error_name",
            default=Expression("$error_message"),
            entries=(
                *(((Literal(_REFUSED), Expression(_IN_HEADER)),) if plan.refusals else ()),
                *((Literal(key), Literal(name)) for key, name in names),
            ),
        ),
        *(_headers_of_refusals() if plan.refusals else ()),
    )


def _headers_of_refusals() -> tuple[Map, ...]:
    return (
        Map(
            why="what a plugin says, unless it would end its header",
            source=Expression(MESSAGE),
            variable=_IN_HEADER,
            default=Expression(MESSAGE),
            entries=((Literal("~[[:cntrl:]]"), Literal("")),),
        ),
    )


def _map(
    why: str,
    source: Expression,
    variable: str,
    default: str,
    entries: Mapping[str, str],
    expressions: Mapping[str, str] = MappingProxyType({}),
) -> Map:
    """Return a map to texts, and from some keys to expressions."""
    return Map(
        why=why,
        source=source,
        variable=variable,
        default=Literal(default),
        entries=(
            *((Literal(key), Expression(value)) for key, value in expressions.items()),
            *((Literal(key), Literal(text)) for key, text in entries.items()),
        ),
    )
