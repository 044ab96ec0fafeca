"""What becomes of the connections that a route takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import plan_rules
from compiler.catalog import stream_rules as rules
from compiler.model.stream import Closed, Forwarded, Handling
from compiler.plan.destinations import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from compiler.model.config import Config
    from compiler.model.destinations import Destination
    from compiler.model.diagnostic import Report, Rule
    from compiler.model.entities import Route, Service
    from compiler.model.settings import Listener
    from compiler.model.stream import StreamAnswer, StreamKind
    from compiler.plan.stream_destinations import StreamDestinationPlanner

_TLS_FIELDS = ("client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates")


class AnswerPlanner:
    """Decides for one route after another, and reports what cannot be had."""

    def __init__(self, config: Config, planner: StreamDestinationPlanner, report: Report) -> None:
        self._services = config.entities.services
        self._planner = planner
        self._report = report
        self._raw: dict[str, Destination] = {}
        self._encrypted: dict[str, Destination] = {}
        self._targets: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._unlike: dict[tuple[str, str], tuple[Route, list[str]]] = {}
        self._closing: dict[str, tuple[Route, list[str]]] = {}

    def of(
        self, kind: StreamKind, listeners: Sequence[Listener]
    ) -> Callable[[Route], StreamAnswer]:
        """Return what answers for routes on *listeners*, the same answer for the same route."""
        known: dict[str, StreamAnswer] = {}
        shown = [listener.address for listener in listeners]

        def answer(route: Route) -> StreamAnswer:
            if route.id not in known:
                known[route.id] = self._answer(route, kind, shown)
            return known[route.id]

        return answer

    def report_unlike(self) -> None:
        """Report routes that take connections which their protocols do not name."""
        for (_, what), (route, listeners) in self._unlike.items():
            self._say(rules.TAKES_OTHERS, route, listeners, protocols=_listed(route), what=what)
        for route, listeners in self._closing.values():
            self._say(rules.CLOSES, route, listeners)

    def _answer(self, route: Route, kind: StreamKind, listeners: list[str]) -> StreamAnswer:
        if route.service is None:
            place = route.source.place()
            self._report.add(rules.NO_SERVICE, place, entity=route.ref, route=route.label)
            return Closed(route=route)
        service = self._services[route.service]
        if kind == "tls":
            # Kong ends TLS where a route has both; it closes what has neither.
            if "tls" in route.protocols:
                return self._proxied(route, service, kind, terminates=True)
            if "tls_passthrough" in route.protocols:
                return self._passed_through(route, service)
            self._closing.setdefault(route.id, (route, []))[1].extend(listeners)
            return Closed(route=route)
        if kind not in route.protocols:
            what = "datagrams" if kind == "udp" else "connections without TLS"
            self._unlike.setdefault((route.id, what), (route, []))[1].extend(listeners)
        if kind == "udp" and service.protocol not in ("tcp", "udp"):
            self._refuse(rules.DATAGRAMS_WITH_TLS, route, listeners, protocol=service.protocol)
        elif kind == "tcp" and service.protocol == "udp":
            self._refuse(rules.UDP_SERVICE_OVER_TCP, route, listeners)
        return self._proxied(route, service, kind, terminates=False)

    def _proxied(
        self, route: Route, service: Service, kind: StreamKind, *, terminates: bool
    ) -> Forwarded:
        """Return a connection that is passed on with TLS, unless the service does without."""
        destination = self._raw_destination(service)
        encrypts = kind != "udp" and service.protocol not in ("tcp", "udp")
        if encrypts:
            destination = self._encrypted_destination(service, destination)
        client_names = encrypts and terminates and route.preserve_host
        if encrypts and not client_names:
            self._check_name(destination)
        return self._forwarded(route, destination, terminates=terminates, client_names=client_names)

    def _passed_through(self, route: Route, service: Service) -> Forwarded:
        fields = [name for name in _TLS_FIELDS if getattr(service, name) is not None]
        if fields:
            self._report.add(
                rules.TLS_UNUSED,
                service.source.place(fields[0]),
                entity=service.ref,
                service=service.label,
                route=route.label,
                fields=", ".join(fields),
            )
        destination = self._raw_destination(service)
        return self._forwarded(route, destination, terminates=False, client_names=False)

    def _forwarded(
        self, route: Route, destination: Destination, *, terminates: bool, client_names: bool
    ) -> Forwarded:
        service = destination.service
        handling = Handling(
            terminates=terminates,
            tls=destination.tls,
            client_names=client_names,
            connect_timeout=service.connect_timeout,
            timeout=max(service.read_timeout, service.write_timeout),
            tries=service.retries + 1,
        )
        return Forwarded(
            route=route,
            service=service,
            destination=destination,
            target=self._target(destination),
            handling=handling,
        )

    def _raw_destination(self, service: Service) -> Destination:
        if service.id not in self._raw:
            self._raw[service.id] = self._planner.raw(service)
            self._check_algorithm(self._raw[service.id])
        return self._raw[service.id]

    def _encrypted_destination(self, service: Service, raw: Destination) -> Destination:
        if service.id not in self._encrypted:
            self._encrypted[service.id] = self._planner.encrypted(raw)
        return self._encrypted[service.id]

    def _target(self, destination: Destination) -> str:
        """Return the service's group, which is named after it, or the address to look up."""
        if not destination.fixed_peers:
            return destination.peers[0].address
        service = destination.service
        if service.id not in self._targets:
            # nginx compares names of groups without letter case.
            free = self._names.setdefault(service.label.lower(), service.id) == service.id
            self._targets[service.id] = service.label if free else f"{service.label}--{service.id}"
        return self._targets[service.id]

    def _check_algorithm(self, destination: Destination) -> None:
        upstream = destination.upstream
        if upstream is not None and upstream.algorithm != "round-robin":
            self._report.add(
                plan_rules.UPSTREAM_ALGORITHM,
                upstream.source.place("algorithm"),
                entity=upstream.ref,
                upstream=upstream.name,
                algorithm=upstream.algorithm,
            )

    def _check_name(self, destination: Destination) -> None:
        """Report a verification that has nothing to compare, and names that differ."""
        tls, service = destination.tls, destination.service
        if tls is None or tls.server_name or not destination.peers:
            return
        hosts = sorted({peer.host for peer in destination.peers})
        if tls.policy.verify:
            several = "its targets have different names"
            reason = several if tls.name is None else f"{tls.name} is an address"
            self._report.add(
                rules.VERIFY_NAMELESS,
                service.source.place("tls_verify" if service.tls_verify else "host"),
                entity=service.ref,
                service=service.label,
                because=tls.because["verify"][0],
                reason=reason,
            )
        elif destination.upstream is not None and not all(is_address(host) for host in hosts):
            self._report.add(
                plan_rules.TARGET_NAMES_DIFFER,
                service.source.place("host"),
                entity=service.ref,
                service=service.label,
                upstream=destination.upstream.name,
                names=", ".join(hosts[:4]),
                effect="sends as SNI",
            )

    def _refuse(self, rule: Rule, route: Route, listeners: list[str], **fields: str) -> None:
        service = self._services[route.service or ""]
        self._say(rule, route, listeners, service=service.label, **fields)

    def _say(self, rule: Rule, route: Route, listeners: list[str], **fields: str) -> None:
        shown: dict[str, Any] = {"listeners": ", ".join(dict.fromkeys(listeners)), **fields}
        place = route.source.place("protocols")
        self._report.add(rule, place, entity=route.ref, route=route.label, **shown)


def _listed(route: Route) -> str:
    return ", ".join(route.protocols)
