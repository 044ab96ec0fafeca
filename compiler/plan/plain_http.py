"""Hosts that are served over HTTPS alone: what a plain request to them is told, said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.protocols import SECURE
from compiler.model.routing import HttpsOnly
from compiler.plan.hosts import EVERY_HOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.routing import HostTable


def https_only_tables(tables: Sequence[HostTable]) -> tuple[HttpsOnly, ...]:
    """Return the tables that are served over HTTPS alone, by what plain requests get there.

    A table is one of them when every path of it is answered, without a condition, by routes that
    all want https and send plain requests away alike. One answer for all of them spares each
    path a condition. One that others go on in is none: who comes from there was not sent away.
    """
    entered = {table.otherwise for table in tables} | {EVERY_HOST}
    keys: dict[int, list[str]] = {}
    for table in tables:
        status = None if table.key in entered else _status(table)
        if status is not None:
            keys.setdefault(status, []).append(table.key)
    return tuple(HttpsOnly(status=s, keys=tuple(sorted(k))) for s, k in sorted(keys.items()))


def _status(table: HostTable) -> int | None:
    """Return the one status for all plain requests to *table*, None where there is none."""
    if not any(node.path == "/" for node in table.nodes):
        return None
    statuses = set()
    for node in table.nodes:
        answer = node.answer
        if answer is None or not SECURE.issuperset(answer.route.protocols):
            return None
        statuses.add(answer.route.https_redirect_status_code)
    return statuses.pop() if len(statuses) == 1 else None
