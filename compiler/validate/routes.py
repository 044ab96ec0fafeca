"""What routes and services ask for that is not compiled: refused, not approximated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import answer_rules
from compiler.catalog import plan_rules as rules
from compiler.model.document import SequenceNode
from compiler.model.protocols import GRPC, OVER_TLS
from compiler.model.stream import STREAM_PROTOCOLS
from compiler.validate.upstreams import check_upstreams

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route, Service
    from compiler.model.place import Place
    from compiler.model.settings import Listener

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
    check_upstreams(config, report)


def _check_route(route: Route, config: Config, report: Report) -> None:
    if not STREAM_PROTOCOLS.isdisjoint(route.protocols):
        return  # validate/stream.py looks at it
    for index, path in enumerate(route.paths):
        _check_path(route, path, index, report)
    if "\0" in (route.expression or ""):
        _report_nul(route, "the expression", route.source.place("expression"), report)
    for name, values in route.headers.items():
        if any("\0" in value for value in values):
            _report_nul(route, f"a value of {name}", route.source.place("headers"), report)
    _check_listeners(route, config.settings.listeners.get("proxy", ()), report)


def _check_listeners(route: Route, listeners: tuple[Listener, ...], report: Report) -> None:
    """Report a route that no listener can take requests for."""
    missing = []
    if OVER_TLS.issuperset(route.protocols) and not any(x.ssl for x in listeners):
        missing.append(rules.HTTPS_NOT_SERVED)
    if GRPC.issuperset(route.protocols) and not any(x.http2 for x in listeners):
        missing.append(answer_rules.GRPC_NOT_SERVED)
    for rule in missing if listeners else ():
        report.add(
            rule,
            route.source.place("protocols"),
            entity=route.ref,
            route=route.label,
            protocol=" or ".join(sorted(route.protocols)),
        )


def _report_nul(route: Route, what: str, place: Place, report: Report) -> None:
    report.add(rules.ROUTE_PATH, place, entity=route.ref, route=route.label, what=what)


def _item(route: Route, field: str, index: int) -> Place:
    """Return where an item of a list field is written."""
    written = route.source.get(field)
    if isinstance(written, SequenceNode) and index < len(written.items_at):
        return written.place(index)
    return route.source.place(field)


def _check_path(route: Route, path: str, index: int, report: Report) -> None:
    if "\0" in path:
        _report_nul(route, f"the path {path[:200]}", _item(route, "paths", index), report)
    # Twice: each character may need a backslash where the path is stripped.
    length = 2 * len(path.encode("utf-8", "surrogateescape"))
    if length > _WORD_LIMIT - 100:
        what = f"a path of route {route.label}"
        place = _item(route, "paths", index)
        report.add(rules.VALUE_TOO_LONG, place, entity=route.ref, what=what, length=length)


def _check_service(service: Service, report: Report) -> None:
    path = service.path or ""
    length = 2 * len(path.encode("utf-8", "surrogateescape"))
    if length > _WORD_LIMIT - 100:
        report.add(
            rules.VALUE_TOO_LONG,
            service.source.place("path"),
            entity=service.ref,
            what=f"the path of service {service.label}",
            length=length,
        )
