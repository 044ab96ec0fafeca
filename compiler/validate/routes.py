"""What routes, services and upstreams ask for that is not compiled: refused, not approximated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.document import SequenceNode
from compiler.model.plan import GRPC

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route, Service, Upstream
    from compiler.model.place import Place
    from compiler.model.settings import Listener

_HTTP = frozenset({"http", "https", "grpc", "grpcs", "ws", "wss"})
_SECURE = frozenset({"https", "grpcs", "wss"})
_KEPT = re.compile(r"%(?:2[1467-9A-CF]|3[ABD]|40|5[BD])", re.IGNORECASE)
"""Characters that nginx sends as they are once it has decoded them, while Kong keeps the escape."""

_WORD_LIMIT = 4095


def check_routes(config: Config, report: Report) -> None:
    """Report what is asked for and not compiled, route by route."""
    services = config.entities.services
    for route in config.entities.routes.values():
        service = services.get(route.service or "")
        if service is not None and not service.enabled:
            continue
        _check_route(route, config, report)
    used = {route.service for route in config.entities.routes.values()}
    for service in services.values():
        if service.enabled and service.id in used:
            _check_service(service, report)
    hosts = {service.host for service in services.values() if service.enabled}
    for upstream in config.entities.upstreams.values():
        if upstream.name in hosts:
            _check_upstream(upstream, report)


def _check_route(route: Route, config: Config, report: Report) -> None:
    for protocol in route.protocols:
        if protocol not in _HTTP:
            report.add(
                rules.ROUTE_PROTOCOL,
                route.source.place("protocols"),
                entity=route.ref,
                route=route.label,
                protocol=protocol,
            )
    for index, path in enumerate(route.paths):
        _check_path(route, path, _item(route, "paths", index), report)
    _check_listeners(route, config.settings.listeners.get("proxy", ()), report)


def _check_listeners(route: Route, listeners: tuple[Listener, ...], report: Report) -> None:
    """Report a route that no listener can take requests for."""
    missing = []
    if _SECURE.issuperset(route.protocols) and not any(x.ssl for x in listeners):
        missing.append(rules.HTTPS_NOT_SERVED)
    if GRPC.issuperset(route.protocols) and not any(x.http2 for x in listeners):
        missing.append(rules.GRPC_NOT_SERVED)
    for rule in missing if listeners else ():
        report.add(
            rule,
            route.source.place("protocols"),
            entity=route.ref,
            route=route.label,
            protocol=" or ".join(sorted(route.protocols)),
        )


def _item(route: Route, field: str, index: int) -> Place:
    """Return where an item of a list field is written."""
    written = route.source.get(field)
    if isinstance(written, SequenceNode) and index < len(written.items_at):
        return written.place(index)
    return route.source.place(field)


def _check_path(route: Route, path: str, place: Place, report: Report) -> None:
    # Twice: each character may need a backslash where the path is stripped.
    length = 2 * len(path.encode("utf-8", "surrogateescape"))
    if length > _WORD_LIMIT - 100:
        what = f"a path of route {route.label}"
        report.add(rules.VALUE_TOO_LONG, place, entity=route.ref, what=what, length=length)


def _check_service(service: Service, report: Report) -> None:
    if service.protocol not in _HTTP:
        report.add(
            rules.SERVICE_PROTOCOL,
            service.source.place("protocol"),
            entity=service.ref,
            service=service.label,
            protocol=service.protocol,
        )
    path = service.path or ""
    found = _KEPT.search(path)
    what = found.group(0) if found else "a question mark" if "?" in path else None
    if what is not None:
        report.add(
            rules.SERVICE_PATH,
            service.source.place("path"),
            entity=service.ref,
            service=service.label,
            path=path[:200],
            what=what,
        )
    length = 2 * len(path.encode("utf-8", "surrogateescape"))
    if length > _WORD_LIMIT - 100:
        report.add(
            rules.VALUE_TOO_LONG,
            service.source.place("path"),
            entity=service.ref,
            what=f"the path of service {service.label}",
            length=length,
        )


def _check_upstream(upstream: Upstream, report: Report) -> None:
    if upstream.algorithm != "round-robin":
        report.add(
            rules.UPSTREAM_ALGORITHM,
            upstream.source.place("algorithm"),
            entity=upstream.ref,
            upstream=upstream.name,
            algorithm=upstream.algorithm,
        )
    features = []
    if upstream.use_srv_name:
        features.append(("use_srv_name", "use_srv_name"))
    if _checks_health(upstream):
        features.append(("healthchecks", "health checking"))
    for field, feature in features:
        report.add(
            rules.UPSTREAM_FEATURE,
            upstream.source.place(field),
            entity=upstream.ref,
            upstream=upstream.name,
            feature=feature,
        )


def _checks_health(upstream: Upstream) -> bool:
    active = upstream.healthchecks.get("active") or {}
    passive = upstream.healthchecks.get("passive") or {}
    intervals = [(active.get(kind) or {}).get("interval") or 0 for kind in ("healthy", "unhealthy")]
    failures = passive.get("unhealthy") or {}
    counts = [failures.get(k) or 0 for k in ("tcp_failures", "timeouts", "http_failures")]
    return any(intervals) or any(counts)
