"""Who is asked for a certificate: by which server name, and whose certificates are believed there.

nginx verifies certificates once, in the handshake, before it knows the request. So every server
name has one answer to that, and requests are served under the name they were verified for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.model.access import Handshake, Trust
from compiler.model.diagnostic import Related
from compiler.model.values import value
from compiler.model.x509 import Bundle
from compiler.plan.hosts import EVERY_HOST
from compiler.plan.server_names import overlap
from compiler.plan.sni import normal_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route
    from compiler.model.routing import Answer, HostTable
    from compiler.model.x509 import X509


@value()
class _Demand:
    """What one answer wants of handshakes: with `trust` None any certificate will do."""

    trust: Trust | None
    sends_names: bool
    answer: Answer

    @property
    def route(self) -> Route:
        return self.answer.route


@value()
class _Asked:
    """What clients are asked for."""

    trust: Trust | None
    sends_names: bool


def plan_handshakes(
    tables: Sequence[HostTable],
    away_when_plain: AbstractSet[str],
    report: Report,
    *,
    verifies: bool,
) -> tuple[Handshake, ...]:
    """Return what clients are asked for, the handshake of all other names first.

    None at all when no route asks for certificates. *away_when_plain* are the keys of tables that
    requests without TLS never reach. With *verifies* it is the handshake that tells whom to let
    in: names at which routes trust different authorities are reported. Else they are merged.
    """
    return _Planner(tables, away_when_plain, report, verifies=verifies).plan()


class _Planner:
    def __init__(
        self,
        tables: Sequence[HostTable],
        away_when_plain: AbstractSet[str],
        report: Report,
        *,
        verifies: bool,
    ) -> None:
        self._verifies = verifies
        self._tables = {table.key: table for table in tables}
        self._away_when_plain = away_when_plain
        self._report = report
        self._unsent: set[str] = set()
        self._demands = {table.key: tuple(_demands(table)) for table in tables}
        self._by_name: dict[str, list[HostTable]] = {}
        for table in tables:
            if table.patterns:
                self._by_name.setdefault(table.patterns[0], []).append(table)
        named = (d for found in self._demands.values() for d in found if d.route.snis)
        self._with_snis = tuple({demand.route.id: demand for demand in named}.values())

    def plan(self) -> tuple[Handshake, ...]:
        if not any(self._demands.values()):
            return ()
        every = [self._tables[EVERY_HOST]] if EVERY_HOST in self._tables else []
        others = self._asked("", self._of_hosts(every))
        groups: dict[_Asked | None, list[str]] = {others: []}
        for name in self._names():
            groups.setdefault(self._asked(name, self._wanted(name)), []).append(name)
        like_others = groups.pop(others)
        wildcards = [name for names in groups.values() for name in names if "*" in name]
        # What is served like all others, and lies below a wildcard that is not, has to be named.
        kept = [n for n in like_others if any(overlap(w, n) for w in wildcards)]
        # By what is asked: another name changes its own server, and moves none.
        rest = sorted(groups.items(), key=lambda item: (_authorities(item[0]), item[1]))
        elsewhere = {name for names in groups.values() for name in names}
        return (
            _handshake(kept, others, self._kept_by_others(elsewhere)),
            *(_handshake(names, asked, self._keys(names)) for asked, names in rest),
        )

    def _kept_by_others(self, elsewhere: AbstractSet[str]) -> frozenset[str]:
        """Return the tables of all other names: all that some request there may be looked up in."""
        return frozenset(
            table.key
            for table in self._tables.values()
            if table.key not in self._away_when_plain
            or table.kind != "exact"
            or table.patterns[0] not in elsewhere
        )

    def _keys(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(table.key for name in names for table in self._looked_up(name))

    def _names(self) -> list[str]:
        """Return every name that hosts of routes, or snis of routes with demands, have."""
        snis = (normal_name(sni) for d in self._with_snis for sni in d.route.snis)
        return sorted({*self._by_name, *snis})

    def _wanted(self, name: str) -> Iterator[_Demand]:
        """Yield what is wanted of handshakes with *name*."""
        yield from self._of_hosts(self._looked_up(name))
        for demand in self._with_snis:
            if any(overlap(normal_name(sni), name) for sni in demand.route.snis):
                yield demand

    def _of_hosts(self, tables: Iterable[HostTable]) -> Iterator[_Demand]:
        for table in tables:
            yield from (d for d in self._demands[table.key] if not d.route.snis)

    def _looked_up(self, name: str) -> list[HostTable]:
        """Return the tables in which requests for hosts of that name may be looked up."""
        own = self._by_name.get(name)
        if own is None:
            own = [t for n, found in self._by_name.items() if overlap(n, name) for t in found]
            own += [self._tables[EVERY_HOST]] if EVERY_HOST in self._tables else []
        return self._chain(own)

    def _chain(self, tables: Iterable[HostTable]) -> list[HostTable]:
        """Return *tables* and those in which the search goes on."""
        found: dict[str, HostTable] = {}
        for table in tables:
            here: HostTable | None = table
            while here is not None and here.key not in found:
                found[here.key] = here
                ends = any(node.path == "/" and node.answer is not None for node in here.nodes)
                here = None if ends or here.otherwise is None else self._tables.get(here.otherwise)
        return list(found.values())

    def _asked(self, name: str, demands: Iterable[_Demand]) -> _Asked | None:
        """Return what is asked at *name*, None for nothing; report demands that differ."""
        wanted = list(demands)
        verified = [(demand.trust, demand) for demand in wanted if demand.trust is not None]
        if not verified:
            return _Asked(None, sends_names=False) if wanted else None
        trust, first = verified[0]
        if not self._verifies:
            trust = _merged([trust for trust, _ in verified])
        elif other := next((demand for found, demand in verified if found != trust), None):
            self._report_difference(name, first, other)
        return _Asked(trust, self._sends_names(trust.bundle, wanted))

    def _sends_names(self, believed: Bundle, demands: Iterable[_Demand]) -> bool:
        """Tell whether the names of *believed* authorities are sent, as some of *demands* want it.

        nginx believes whom it names as a root, and refuses chains that end with one which others
        certify; nobody is named then.
        """
        sending = [demand.route for demand in demands if demand.sends_names]
        ends_chains = believed.ends_chains or not self._verifies
        dangling = believed.dangling if sending and ends_chains else ()
        for route in sending if dangling else ():
            if route.id not in self._unsent:
                self._unsent.add(route.id)
                self._report_not_sent(route, dangling[0])
        return bool(sending) and not dangling

    def _report_not_sent(self, route: Route, authority: X509) -> None:
        self._report.add(
            rules.NAMES_NOT_SENT,
            route.source.place(),
            entity=route.ref,
            route=route.label,
            subject=authority.subject,
            issuer=authority.issuer,
        )

    def _report_difference(self, name: str, one: _Demand, other: _Demand) -> None:
        self._report.add(
            rules.TRUST_DIFFERS,
            other.route.source.place(),
            entity=other.route.ref,
            related=(Related(f"route {one.route.label}", one.route.source.place("name")),),
            name=f"clients of {name}" if name else "clients whose name has no routes of its own",
            one=one.route.label,
            other=other.route.label,
            difference=_difference(one.trust, other.trust),
        )


def _difference(one: Trust | None, other: Trust | None) -> str:
    if one is not None and other is not None and one.authorities == other.authorities:
        if one.revocation != other.revocation:
            return f"have revocation_check_mode {one.revocation} and {other.revocation}"
        return "differ in allow_partial_chain"
    return "trust certificates of different authorities"


def _authorities(asked: _Asked | None) -> tuple[str, ...]:
    return () if asked is None or asked.trust is None else asked.trust.authorities


def _handshake(names: Iterable[str], asked: _Asked | None, tables: frozenset[str]) -> Handshake:
    return Handshake(
        names=tuple(names),
        asks=asked is not None,
        trust=None if asked is None else asked.trust,
        sends_names=asked is not None and asked.sends_names,
        tables=tables,
    )


def _merged(trusts: Sequence[Trust]) -> Trust:
    """Return all the authorities of *trusts* as one."""
    known = {
        identifier: certificate
        for trust in trusts
        for identifier, certificate in zip(
            trust.authorities, trust.bundle.certificates, strict=True
        )
    }
    authorities = tuple(sorted(known))
    return Trust(
        authorities=authorities,
        bundle=Bundle(certificates=tuple(known[identifier] for identifier in authorities)),
    )


def _demands(table: HostTable) -> Iterator[_Demand]:
    seen = set()
    for answer in table.answers:
        access = answer.access
        found = access.certificate
        if found is not None:
            demand = _Demand(found.trust, found.sends_names, answer)
        elif access.requests_certificate:
            demand = _Demand(None, sends_names=False, answer=answer)
        else:
            continue
        if answer.route.id not in seen:
            seen.add(answer.route.id)
            yield demand
