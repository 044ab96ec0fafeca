"""Which request is traced through the output: one that shows the way and is surely served."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zlib import crc32

from compiler.model.access import OPEN
from compiler.model.protocols import GRPC, SECURE, WEBSOCKET
from compiler.model.routing import Proxied, TracedRequest
from compiler.model.uri_path import kept_escape
from compiler.router.uri import join_v0, sanitize_postfix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.routing import Choice, Conditions, HostTable

_METHOD = "GET"
_PLAIN = re.compile(r"/[\w./~-]*", re.ASCII)


def plan_trace(tables: Iterable[HostTable], *, tls: bool) -> TracedRequest | None:
    """Return a request to a route of a host, else to one of all hosts.

    With *tls* it comes over TLS. None where no request is sure to be served in a plain way. Which
    of many it is hangs on digests of their names, so that one more seldom takes its place.
    """
    known = sorted(tables, key=lambda table: _rank(table.key))
    if any(table.port is not None for table in known):
        return None
    for kind in ("exact", "default"):
        found = (x for table in known if table.kind == kind for x in _of_table(table, tls=tls))
        first = next(found, None)
        if first is not None:
            return first
    return None


def _of_table(table: HostTable, *, tls: bool) -> Iterator[TracedRequest]:
    for node in sorted(table.nodes, key=lambda node: _rank(node.path)):
        if _PLAIN.fullmatch(node.path) is None:
            continue
        choice = _winner(node.choices)
        if choice is None or not isinstance(choice.answer, Proxied):
            continue
        answer = choice.answer
        if not _is_plain(answer, tls=tls):
            continue
        yield TracedRequest(
            url=f"{'https' if tls else 'http'}://{_host(table)}{node.path}",
            any_host=table.kind == "default",
            table=table.key,
            path=node.path,
            decided=choice is not node.choices[0] or not choice.conditions.always_hold,
            answer=answer,
            sent=_sent(answer, node.path),
        )


def _rank(text: str) -> tuple[int, str]:
    return crc32(text.encode("utf-8", "surrogateescape")), text


def _host(table: HostTable) -> str:
    return "HOST" if table.kind == "default" else table.patterns[0]


def _winner(choices: Iterable[Choice]) -> Choice | None:
    """Return what answers a request without headers, None where that is not sure."""
    for choice in choices:
        holds = _holds(choice.conditions)
        if holds is not False:
            return choice if holds else None
    return None


def _holds(conditions: Conditions) -> bool | None:
    if conditions.methods and _METHOD not in conditions.methods:
        return False
    if any(not header.regexes and "" not in header.values for header in conditions.headers):
        return False
    others = (conditions.headers, conditions.names, conditions.schemes, conditions.path)
    return None if any(others) else True


def _is_plain(answer: Proxied, *, tls: bool) -> bool:
    """Tell whether a request is passed on whoever asks, in HTTP, and by rules that all share."""
    protocols = answer.route.protocols
    special = GRPC.issuperset(protocols) or WEBSOCKET.issuperset(protocols)
    refused = answer.access is not OPEN or answer.reaches_nobody
    refused |= not tls and SECURE.issuperset(protocols)
    own = answer.regex is not None or answer.joins_literally or answer.destination.speaks_grpc
    return not (special or refused or own or kept_escape(answer.service.path or ""))


def _sent(answer: Proxied, path: str) -> str:
    strip = answer.route.strip_path
    behind = path[len(answer.path) :] if strip and answer.path is not None else path[1:]
    return join_v0(answer.service.path or "/", sanitize_postfix(behind), path, strip=strip)
