"""Routes that are less than they seem: ways around a certificate, and certificates of nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.routing import Proxied
from compiler.plan.open_destinations import report_open_destinations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route
    from compiler.model.routing import HostTable


def report_open_ways(tables: Iterable[HostTable], report: Report) -> None:
    """Report each route that leads, without a certificate, where another wants one."""
    guarded: list[Proxied] = []
    unguarded: list[Proxied] = []
    for answer in (answer for table in tables for answer in table.answers):
        if not isinstance(answer, Proxied):
            continue
        asked = answer.access.authentications
        if not asked:
            unguarded.append(answer)
        elif all(auth.anonymous is None for auth in asked):
            guarded.append(answer)
    if not guarded:
        return
    services = {answer.service.id: answer.route for answer in reversed(guarded)}
    for answer in {a.route.id: a for a in unguarded if a.service.id in services}.values():
        _report(answer, services[answer.service.id], report)
    others = (answer for answer in unguarded if answer.service.id not in services)
    report_open_destinations(guarded, others, report)


def report_untold(tables: Iterable[HostTable], report: Report) -> None:
    """Report each route that tells upstreams of certificates that no client is asked for."""
    for route in {
        answer.route.id: answer.route
        for table in tables
        for answer in table.answers
        if answer.access.told and not answer.access.asks_in_handshake
    }.values():
        report.add(
            rules.CERTIFICATE_NOT_ASKED,
            route.source.place("name"),
            entity=route.ref,
            route=route.label,
        )


def _report(answer: Proxied, guarded: Route, report: Report) -> None:
    report.add(
        rules.OPEN_WAY,
        answer.route.source.place("name"),
        entity=answer.route.ref,
        related=(Related(f"route {guarded.label} asks for one", guarded.source.place("name")),),
        service=answer.service.label,
        open=answer.route.label,
        guarded=guarded.label,
    )
