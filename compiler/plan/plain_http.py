"""Hosts that are served over HTTPS alone: what a plain request to them is told, said once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.model.plan import HttpsOnly, NoRoute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.plan import VirtualHost


def split_https_only(
    hosts: Sequence[VirtualHost],
) -> tuple[tuple[VirtualHost, ...], tuple[HttpsOnly, ...]]:
    """Return the hosts, those of HTTPS alone bound to HTTPS, and what plain requests get there.

    A host is one of them when every path of it is answered, and by routes that all want https
    and send plain requests away alike. One answer for all of them spares each path a condition.
    """
    if any(host.kind == "both-wildcards" for host in hosts):
        # Their order among one another decides, on every socket.
        return tuple(hosts), ()
    kept: list[VirtualHost] = []
    patterns: dict[int, list[str]] = {}
    for host in hosts:
        status = _status(host)
        if status is None:
            kept.append(host)
        else:
            kept.append(replace(host, scheme="https"))
            patterns.setdefault(status, []).extend(host.patterns)
    found = (HttpsOnly(status=s, patterns=tuple(sorted(p))) for s, p in sorted(patterns.items()))
    return tuple(kept), tuple(found)


def _status(host: VirtualHost) -> int | None:
    """Return the one status for all plain requests to *host*, None where there is none."""
    if host.kind == "default" or host.scheme != "any":
        return None
    statuses = set()
    for path in host.paths:
        answer = path.answer
        if isinstance(answer, NoRoute) or "http" in answer.route.protocols:
            return None
        statuses.add(answer.route.https_redirect_status_code)
    return statuses.pop() if len(statuses) == 1 else None
