"""The format of the gateway's own answers: what the client accepts, as Kong reads it.

Kong takes the first of the media types that are wanted most (kong/tools/http.lua), JSON where it
does not know that one. Here weights are told apart by their first decimal. A route that is
missing, or wants another protocol, looks at Accept alone; nginx's own errors look at the
request's Content-Type where there is none, and then at error_default_type.
"""

from __future__ import annotations

from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal, expression

_BEGIN = r"~*(?:^|,)\s*"
_NAME = r"(?>[\w!#$&^.+-]{2,}|\*)"
_MEDIA_TYPE = f"(?<accepted>{_NAME}/{_NAME})"
_WEIGHTS = (*(rf"0\.{digit}" for digit in range(9, 0, -1)), r"0\.0(?:[1-9]|0[1-9])")
_BY_ROUTER = ("404", "415", "426", "503")
"""Errors that Kong's router tells; all others come from plugins or from nginx."""


def format_maps(default_type: str, by_plugins: tuple[str, ...]) -> tuple[Map, ...]:
    """Return the maps to `$error_format`, the last part of the name of an error's location.

    *by_plugins* are the statuses of errors that plugins tell: they look at what the router does.
    """
    codes = sorted({*_BY_ROUTER, *by_plugins})
    return (
        Map(
            why="in which format an error is told",
            source=Expression("$server_protocol:$content_type"),
            variable="$error_format",
            default=Expression("$accepted_format"),
            entries=((Literal("~^HTTP/2.0:application/grpc"), Literal("grpc")),),
        ),
        Map(
            why="the format of a media type",
            source=Expression("$accepted_type"),
            variable="$accepted_format",
            default=Literal("json"),
            entries=(
                (Literal("~^text/html$"), Literal("html")),
                (Literal(r"~^text/(?:plain|\*)$"), Literal("plain")),
                (Literal("~^application/xml$"), Literal("xml")),
            ),
        ),
        Map(
            why="the first of the media types that are wanted most",
            source=Expression("$error_accept"),
            variable="$accepted_type",
            default=Literal(""),
            entries=tuple((Literal(key), Expression("$accepted")) for key in _by_weight()),
        ),
        Map(
            why="the header that is looked at: the router knows Accept alone",
            source=Expression("$status"),
            variable="$error_accept",
            default=Expression("$accepted_or_sent"),
            entries=tuple((Literal(code), Expression("$http_accept")) for code in codes),
        ),
        _or_else("Accept", "$http_accept", "$accepted_or_sent", Expression("$sent_or_default")),
        _or_else("Content-Type", "$content_type", "$sent_or_default", expression(default_type)),
    )


def _by_weight() -> tuple[str, ...]:
    """Return patterns for a media type by its weight, the greatest first."""
    begin = f"{_BEGIN}{_MEDIA_TYPE}"
    return (
        rf"{begin}(?![^,]*;\s*q=0)",
        *(rf"{begin}[^,]*;\s*q={weight}" for weight in _WEIGHTS),
    )


def _or_else(header: str, source: str, variable: str, other: Expression) -> Map:
    return Map(
        why=f"{header}; without it what follows",
        source=Expression(source),
        variable=variable,
        default=Expression(source),
        entries=((Literal(""), other),),
    )
