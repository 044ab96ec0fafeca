"""What is said of handshakes: where clients are asked for a certificate, and where it counts."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.plan.hosts import EVERY_HOST
from compiler.plan.server_names import is_closer, overlap
from compiler.plan.sni import normal_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from compiler.model.access import Handshake
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route
    from compiler.model.routing import HostTable

_SHOWN = 10
"""How many names are listed."""


def report_asked(
    tables: Sequence[HostTable], handshakes: Sequence[Handshake], report: Report
) -> None:
    """Say, once, in which handshakes clients are asked for a certificate, and in which not."""
    if not handshakes:
        return
    asked = sorted(name for found in handshakes if found.asks for name in found.names)
    others = sorted(name for found in handshakes if not found.asks for name in found.names)
    if handshakes[0].asks:
        route = next(_asking_everybody(tables))
        report.add(
            rules.ASKED_EVERYWHERE,
            route.source.place(),
            entity=route.ref,
            names=f" but {_without(others, asked)}" if others else "",
            route=route.label,
            reach="has neither hosts nor snis"
            if route.expression is None
            else "has an expression that holds for every host",
        )
    else:
        names = _without(asked, others)
        report.add(rules.ASKED_BY_NAME, None, names=names, counts=_counts(tables))


def _asking_everybody(tables: Iterable[HostTable]) -> Iterator[Route]:
    """Yield the routes for whose sake every client is asked."""
    for table in tables:
        if table.key == EVERY_HOST:
            yield from (
                answer.route
                for answer in table.answers
                if answer.access.asks_in_handshake and not answer.route.snis
            )


def _counts(tables: Iterable[HostTable]) -> str:
    """Say for which hosts a certificate counts that was shown in a handshake."""
    verifying = {
        answer.route.id: answer.route
        for table in tables
        for answer in table.answers
        if answer.access.certificate is not None
    }.values()
    by_name: dict[tuple[str, ...], set[str]] = {}
    for route in verifying:
        if route.snis:
            hosts = tuple(sorted({host.lower() for host in route.hosts}))
            by_name.setdefault(hosts, set()).update(map(normal_name, route.snis))
    found = ["for the Host of the same name"] if any(not r.snis for r in verifying) else []
    found += [_counts_after(sorted(names), hosts) for hosts, names in sorted(by_name.items())]
    return f"; it counts {', and '.join(found)}" if found else ""


def _counts_after(names: Collection[str], hosts: Collection[str]) -> str:
    where = f"the Host {_listed(hosts)}" if hosts else "every Host but others of these names"
    return f"after handshakes for {_listed(names)} for {where}"


def _without(names: Sequence[str], others: Iterable[str]) -> str:
    """List *names*, and those of *others* that lie below a wildcard among them."""
    wildcards = [name for name in names if "*" in name]
    excepted = [
        other
        for other in others
        if any(overlap(name, other) and is_closer(other, name) for name in wildcards)
    ]
    return _listed(names) + (f" (without {_listed(excepted)})" if excepted else "")


def _listed(names: Collection[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(islice(names, _SHOWN)) + (f" and {more} more" if more > 0 else "")
