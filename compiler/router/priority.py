"""Which of several candidates Kong tries first.

Priorities of one flavor are compared with each other; the greater one wins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compiler.model.stream import STREAM_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.entities import Route

_WORD = (1 << 64) - 1
_EXPRESSION_BITS = 0xFF << 56
_STREAM_SNI_BIT = 1 << 61
_PLAIN_HOSTS_BIT = 1 << 60
_REGEX_BIT = 1 << 51
_WEIGHT_SHIFT = 29
_HEADERS_SHIFT = 20
_MAX_HEADERS = 255
_REGEX_PRIORITY_SHIFT = 19
_MAX_LENGTH = 0x7FFFF

_IP_BIT, _PORT_BIT, _CIDR_BIT = 8, 4, 1
_SOURCE_SHIFT = 4


@dataclass(frozen=True, slots=True, order=True)
class Priority:
    """What decides between two candidates, most significant first.

    *rank* is what Kong computes of the attributes; *tie* decides between equal ones, and *turn*
    between the paths of one part (the negated index in the route's list: Kong tries them in
    order).
    """

    rank: tuple[float, ...]
    tie: str
    turn: int


def is_stream(protocols: Iterable[str]) -> bool:
    """Whether routes of these *protocols* belong to the stream subsystem."""
    return next(iter(protocols), "") in STREAM_PROTOCOLS


def compatible_rank(route: Route, path: str | None) -> tuple[float, ...]:
    """Return the 64-bit priority of the part of *route* that holds *path*.

    Kong documents the number of attributes as what counts most. Its code means to shift that
    number (as the number of headers and `regex_priority`) into the upper half of the word, but
    shifts in 32 bits: plain hosts and regular expressions come before it, until it is 4 or more
    and its sign fills the upper half.
    """
    if route.expression is not None:
        return (_EXPRESSION_BITS | (route.priority or 0),)
    if is_stream(route.protocols):
        return (_stream_rank(route),)
    is_regex = path is not None and path.startswith("~")
    rank = _shifted(_weight(route), _WEIGHT_SHIFT)
    rank |= _shifted(min(len(route.headers), _MAX_HEADERS), _HEADERS_SHIFT)
    if route.hosts and not _has_wildcard(route):
        rank |= _PLAIN_HOSTS_BIT
    if is_regex:
        # A negative regex_priority outranks everything.
        rank |= _REGEX_BIT | _shifted(route.regex_priority, _REGEX_PRIORITY_SHIFT)
    elif path is not None:
        rank |= byte_length(path) & _MAX_LENGTH
    return (rank,)


def traditional_rank(route: Route, path: str | None) -> tuple[float, ...]:
    """Return how flavor traditional sorts *path* of *route*: categories first, then the rest."""
    is_regex = path is not None and path.startswith("~")
    return (
        *_category(route),
        _subcategory(route, is_regex=is_regex),
        _counted_headers(route),
        route.regex_priority if is_regex else 0,
        0 if path is None or is_regex else byte_length(path),
        # The older one wins. A route without a time of its own was made when it was loaded.
        -(math.inf if route.created_at is None else route.created_at),
    )


def _shifted(number: int, bits: int) -> int:
    """Return *number* shifted as a signed number of 32 bits, which is then one of 64."""
    low = (number << bits) & 0xFFFFFFFF
    return low | (_WORD ^ 0xFFFFFFFF) if low >> 31 else low


def byte_length(text: str) -> int:
    """Return the length of *text* as Kong counts it."""
    return len(text.encode("utf-8", "surrogateescape"))


def in_stream_order(routes: Iterable[Route]) -> list[Route]:
    """Return stream routes as Kong tries them: by priority, then the larger id first."""
    return sorted(routes, key=lambda route: (_stream_rank(route), route.id), reverse=True)


def _weight(route: Route) -> int:
    return sum(
        map(
            bool,
            (
                route.methods,
                route.hosts,
                route.headers,
                route.paths,
                route.snis,
                route.sources,
                route.destinations,
            ),
        )
    )


def _has_wildcard(route: Route) -> bool:
    return any("*" in host for host in route.hosts)


def _stream_rank(route: Route) -> int:
    """SNI beats sources or destinations; sources with destinations are worth as much as SNI."""
    both = route.sources and route.destinations
    rank = _STREAM_SNI_BIT if route.snis or both else 0
    return rank | _peer_bits(route.sources) << _SOURCE_SHIFT | _peer_bits(route.destinations)


def _peer_bits(peers: Iterable[Mapping[str, Any]]) -> int:
    bits = 0
    for peer in peers:
        if peer.get("ip") is not None:
            bits |= _CIDR_BIT if "/" in peer["ip"] else _IP_BIT
        if peer.get("port") is not None:
            bits |= _PORT_BIT
    return bits


def _counted_headers(route: Route) -> int:
    return sum(1 for name in route.headers if name.lower() != "host")


def _category(route: Route) -> tuple[int, int]:
    """Return how many kinds of attribute there are, then which: a host is worth most."""
    present = (
        bool(route.hosts),
        _counted_headers(route) > 0,
        bool(route.paths),
        bool(route.methods),
        bool(route.snis),
        bool(route.sources),
        bool(route.destinations),
    )
    return sum(present), sum(bit << index for index, bit in enumerate(reversed(present)))


def _subcategory(route: Route, *, is_regex: bool) -> int:
    """Return what sorts routes of one category: wildcards with a port, plain hosts, regexes."""
    wildcard_port = any("*" in host and ":" in host for host in route.hosts)
    plain = bool(route.hosts) and not _has_wildcard(route)
    return wildcard_port << 2 | plain << 1 | is_regex
