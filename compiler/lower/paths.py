"""The path that routes are matched by and that is passed on: Kong's normal form of it.

nginx's own `$uri` is decoded completely, where Kong keeps the escapes of reserved characters
(kong/tools/uri.lua): `%2F` is no slash. Where a request has such an escape, its path is taken as
the client sent it. What nginx cannot bring into normal form is refused, never guessed at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.plan import Plan

KONG_PATH = Expression("$kong_path")
ENCODED_PATH = "$encoded_path"
"""What is captured where the path holds an escape which nginx would decode; known with its key."""

PATH_SENT = "$path_sent"
"""The path as the client sent it, without its query; known once the location's key is."""

REFUSED = "!refused"
UNMATCHED = "!unmatched"
"""What stands for the path of a request that no location is to be found for."""

_PLAIN = r"\w~!$&'()*+,;=:@"
"""What may stand in a path in normal form as it is, with dashes, dots and slashes."""
_RESERVED = "2[13-9a-cf]|3[abdf]|40|5[bd]"
_UNRESERVED = "2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]"
_LOWER_CASE_DIGITS = "abcdf"
_UPPER_CASE_STEPS = 5
_SLASH_STEPS = 3
_UNRESERVED_STEPS = 2
_UNESCAPED = [
    (rf"~*^(?<before>.*?)%{code}(?<behind>.*)$", f"${{before}}{character}$behind")
    for code, character in (("2d", "-"), ("5f", "_"), ("7e", "~"))
]
_UTF8 = (
    r"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    r"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    r"|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_KEPT = "!#$&'()*+,/:;=?@[]%-._~"


def escaped(path: str) -> str:
    """Return *path* as Kong escapes it when it sends it."""
    return quote(path, safe=_KEPT, errors="surrogateescape")


def lower_path_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind `$kong_path`, `$encoded_path` and `$sent_query`."""
    return (
        _map(
            "the path as Kong compares it and passes it on, by how it was sent",
            "$request_uri",
            "$kong_path",
            "",
            list(_sent(plan)),
        ),
        *(_utf8() if plan.checks_utf8 else ()),
        *_normal_forms(plan),
        _map(
            "the query, with its question mark even where nothing follows",
            "$request_uri",
            "$sent_query",
            "",
            [(r"~^[^?]*(?<query_sent>\?.*)$", "$query_sent")],
        ),
    )


def _sent(plan: Plan) -> Iterable[tuple[str, str]]:
    """Yield what becomes of a path as it was sent; all of them remember it as `$path_sent`.

    Every request is compared with these, so what most of them look like comes first. Those that
    hold what nginx would decode or drop are remembered as `$encoded_path`, too.
    """
    decoded = "$decoded_path" if plan.checks_utf8 else "$uri"
    readable = "$readable_path" if plan.checks_utf8 else "$normal_path"
    yield rf"~^(?<path_sent>(?:/[{_PLAIN}-][{_PLAIN}.-]*+)*+/?)(?:\?.|$)", "$uri"
    yield r"~^(?<path_sent>[^?#%]++)(?:\?.|$)", decoded
    for encoded in (
        rf"*^(?<path_sent>(?<encoded_path>[^?]*%(?:{_RESERVED})[^?]*))",
        r"^(?<path_sent>(?<encoded_path>[^?]*#[^?]*))",
        rf"^(?!.*//|.*/\.{{1,2}}[/?])(?<path_sent>(?<encoded_path>/[{_PLAIN}./-]*))\?$",
    ):
        yield f"~{encoded}", readable
    yield r"~^(?<path_sent>[^?]*)", decoded


def _utf8() -> tuple[Map, ...]:
    return (
        _map(
            "what nginx decoded",
            "$uri",
            "$decoded_path",
            "$uri",
            [(r"~[\x80-\xff]", "$utf8_path")],
        ),
        _map(
            "no route matches a path that is not UTF-8",
            "$uri",
            "$utf8_path",
            UNMATCHED,
            [(f"~^(?:{_UTF8})*$", "$uri")],
        ),
        _map(
            "nor a path as it was sent that is not",
            "$decoded_path",
            "$readable_path",
            "$normal_path",
            [(UNMATCHED, UNMATCHED)],
        ),
    )


def _normal_forms(plan: Plan) -> Iterable[Map]:
    """Yield the steps from an encoded path to its normal form, each taking up the one before."""
    before = ENCODED_PATH
    digits = [
        (rf"~^(?<before>.*?%[2-5]){digit}(?<behind>.*)$", f"${{before}}{digit.upper()}$behind")
        for digit in _LOWER_CASE_DIGITS
    ]
    for step in range(1, _UPPER_CASE_STEPS + 1):
        name = f"$upper_case_{step}"
        why = "escapes in capitals: one" if step == 1 else "one more"
        yield _map(why, before, name, before, digits)
        before = name
    for step in range(1, _SLASH_STEPS + 1):
        name = f"$single_slash_{step}"
        why = "single slashes: one" if step == 1 else "one more"
        yield _map(
            why, before, name, before, [(r"~^(?<before>.*?)//+(?<behind>.*)$", "$before/$behind")]
        )
        before = name
    for step in range(1, _UNRESERVED_STEPS + 1):
        name = f"$unescaped_{step}"
        why = "characters that need no escape: one" if step == 1 else "one more"
        yield _map(why, before, name, before, _UNESCAPED)
        before = name
    odd = rf"~*//|/\.{{1,2}}(?:/|$)|%(?:{_UNRESERVED})"
    if plan.checks_utf8:
        odd += r"|#.*(?:%[89a-f]|[\x80-\xff])"  # $uri ends at the #, so this is not looked at
    if any(_is_escaped(path) for path in _paths(plan)):
        odd += "|(?-i:%(?:[a-f]|.[a-f]))"
    yield _map(
        "that is the normal form; where it would take more, the request is refused (400)",
        before,
        "$normal_path",
        before,
        [(odd, REFUSED)],
    )


def _paths(plan: Plan) -> Iterable[str]:
    return (node.path for table in plan.tables for node in table.nodes)


def _is_escaped(path: str) -> bool:
    return "%" in path or escaped(path) != path


def _map(why: str, source: str, variable: str, default: str, entries: list[tuple[str, str]]) -> Map:
    return Map(
        why=why,
        source=Expression(source),
        variable=variable,
        default=Expression(default),
        entries=tuple((Literal(key), Expression(value)) for key, value in entries),
    )
