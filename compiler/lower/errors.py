"""What the gateway itself answers, in Kong's shape and the format that the client accepts."""

from __future__ import annotations

from compiler.model.nginx import Location, Map, Section, Simple
from compiler.model.words import Expression, Literal

_CODES = (400, 404, 405, 408, 411, 412, 413, 414, 417, 426, 494, 500, 502, 503, 504)
_MESSAGES = {
    400: "Bad request",
    404: "no Route matched with those values",
    405: "Method not allowed",
    408: "Request timeout",
    411: "Length required",
    412: "Precondition failed",
    413: "Payload too large",
    414: "URI too long",
    417: "Expectation failed",
    426: "Please use HTTPS protocol",
    494: "Request header or cookie too large",
    502: "An invalid response was received from the upstream server",
    503: "no Service found with those values",
    504: "The upstream server is timing out",
}
_OTHER = "An unexpected error occurred"
_FORMATS = {
    "json": (
        "application/json; charset=utf-8",
        '{\n  "message":"$error_message",\n  "request_id":"$request_id"\n}',
    ),
}


def error_pages() -> tuple[Section, ...]:
    """Return which answers are Kong's: an error is looked up like a request, by its status."""
    codes = tuple(code for code in _CODES)
    return (
        Section(
            comment="answers of the gateway itself",
            directives=(Simple("error_page", (*codes, Literal("/error"))),),
        ),
    )


def error_locations() -> tuple[Location, ...]:
    """Return a location for each format; the status stays that of the error."""
    return tuple(
        Location(
            comment=f"an answer of the gateway itself, in {name.upper()}",
            path=Literal(f"error={name}"),
            directives=(
                Simple("default_type", (Literal(content_type),)),
                Simple("return", (200, Expression(text))),
            ),
        )
        for name, (content_type, text) in _FORMATS.items()
    )


def error_maps() -> tuple[Map, ...]:
    """Return the maps behind those locations."""
    return (
        Map(
            why="what an error is called",
            source=Expression("$status"),
            variable="$error_message",
            default=Literal(_OTHER),
            entries=tuple((Literal(str(code)), Literal(text)) for code, text in _MESSAGES.items()),
            options=("volatile",),
        ),
        Map(
            why="the format that the client accepts",
            source=Expression("$http_accept"),
            variable="$error_format",
            default=Literal("json"),
            entries=(),
        ),
    )
