"""What stream listeners, routes and services ask for that does not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import stream_rules as rules
from compiler.model.document import SequenceNode
from compiler.model.place import place_of
from compiler.model.stream import STREAM_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route, Service
    from compiler.model.settings import Listener, Settings

_STREAM_SERVICES = "tcp, tls, tls_passthrough, udp"
_REQUEST_SERVICES = "http, https, grpc, grpcs, ws, wss"
_FLAVOR = "traditional_compatible"
_NOT_WITH_UDP = ("ssl", "proxy_protocol", "backlog", "so_keepalive")


def check_streams(config: Config, report: Report) -> None:
    """Report listeners nginx refuses, routes nothing serves, services of the other kind."""
    settings, services = config.settings, config.entities.services
    _check_listeners(settings, report)
    for route in config.entities.routes.values():
        service = services.get(route.service or "")
        if service is not None and not service.enabled:
            continue
        streams = not STREAM_PROTOCOLS.isdisjoint(route.protocols)
        if service is not None and (service.protocol in STREAM_PROTOCOLS) != streams:
            _mismatch(route, service, report, streams=streams)
        flavor = settings.text("router_flavor") or _FLAVOR
        if streams and flavor != _FLAVOR:
            report.add(
                rules.ROUTE_FLAVOR,
                route.source.place("protocols"),
                entity=route.ref,
                route=route.label,
                flavor=flavor,
            )
        elif streams:
            _check_served(route, settings.listeners.get("stream", ()), report)
            _check_names(route, report)


def _check_listeners(settings: Settings, report: Report) -> None:
    for listener in settings.listeners.get("stream", ()):
        flags = [flag for flag in _NOT_WITH_UDP if getattr(listener, flag) not in (False, None)]
        if listener.udp and flags:
            report.add(
                rules.LISTENER_FLAGS,
                place_of(settings.origin("stream_listen")),
                address=listener.address,
                flags=", ".join(flags),
            )


def _mismatch(route: Route, service: Service, report: Report, *, streams: bool) -> None:
    report.add(
        rules.SERVICE_MISMATCH,
        route.source.place("protocols"),
        entity=route.ref,
        route=route.label,
        protocols=", ".join(route.protocols),
        service=service.label,
        protocol=service.protocol,
        fitting=_STREAM_SERVICES if streams else _REQUEST_SERVICES,
    )


def _check_served(route: Route, listeners: Iterable[Listener], report: Report) -> None:
    """Report a route none of whose protocols any listener takes."""
    taken = {"udp" if x.udp else "tls" if x.ssl else "tcp" for x in listeners}
    wanted = {"tls" if name == "tls_passthrough" else name for name in route.protocols}
    if wanted & taken:
        return
    entry = {"udp": "an entry with udp", "tls": "an entry with ssl", "tcp": "an entry without ssl"}
    missing = " or ".join(entry[name] for name in sorted(wanted))
    report.add(
        rules.ROUTE_NOT_SERVED,
        route.source.place("protocols"),
        entity=route.ref,
        route=route.label,
        protocols=", ".join(route.protocols),
        problem=f"stream_listen has not {missing}" if taken else "stream_listen is off",
        wanted=missing,
    )


def _check_names(route: Route, report: Report) -> None:
    for index, name in enumerate(route.snis):
        whole = name == "*" or name.startswith("*.") or name.endswith(".*")
        if "*" in name and not whole:
            written = route.source.get("snis")
            place = route.source.place("snis")
            if isinstance(written, SequenceNode) and index < len(written.items_at):
                place = written.place(index)
            report.add(
                rules.NAME_WILDCARD,
                place,
                entity=route.ref,
                route=route.label,
                sni=name,
            )
