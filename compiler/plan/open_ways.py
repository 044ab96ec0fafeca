"""Routes that are less than they seem: ways around a certificate, and certificates of nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.routing import Proxied

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route
    from compiler.model.routing import HostTable


def report_open_ways(tables: Iterable[HostTable], report: Report) -> None:
    """Report each route that leads, without a certificate, where another wants one."""
    guarded: dict[str, Proxied] = {}
    unguarded: dict[str, dict[str, Proxied]] = {}
    for answer in (answer for table in tables for answer in table.answers):
        if not isinstance(answer, Proxied):
            continue
        asked = answer.access.authentications
        if not asked:
            unguarded.setdefault(answer.service.id, {})[answer.route.id] = answer
        elif all(auth.anonymous is None for auth in asked):
            guarded.setdefault(answer.service.id, answer)
    for service, answers in unguarded.items():
        if service in guarded:
            for answer in answers.values():
                _report(answer, guarded[service].route, report)


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
