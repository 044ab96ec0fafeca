"""Which service each connection of the stream listeners goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import stream_rules as diagnostics
from compiler.model.place import place_of
from compiler.model.stream import StreamGroup, StreamPlan, StreamServer
from compiler.plan.stream_answers import AnswerPlanner
from compiler.plan.stream_inner import InnerAddresses
from compiler.plan.stream_rules import rules_for
from compiler.plan.stream_servers import common_handling, inner_servers
from compiler.plan.stream_tables import ROW_LIMIT, TooManyRowsError, make_tables
from compiler.router.priority import in_stream_order, is_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.model.config import Config
    from compiler.model.destinations import Destination
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route
    from compiler.model.inputs import Inputs
    from compiler.model.settings import Listener, Settings
    from compiler.model.stream import StreamKind
    from compiler.model.x509 import KeyPair
    from compiler.plan.stream_destinations import StreamDestinationPlanner
    from compiler.plan.stream_rules import StreamRule


_TLS = frozenset({"tls", "tls_passthrough"})


def plan_stream(
    config: Config,
    inputs: Inputs,
    pairs: Callable[[], tuple[KeyPair, ...]],
    planner: StreamDestinationPlanner,
    report: Report,
) -> StreamPlan | None:
    """Return what the stream listeners serve, None when there are none.

    *pairs* gives the default certificates, where any of them ends TLS.
    """
    settings = config.settings
    listeners = settings.listeners.get("stream", ())
    if not listeners:
        return None
    routes = in_stream_order(served_routes(config))
    answers = AnswerPlanner(config, planner, report)
    servers = [
        _server(kind, members, rules, answers, report)
        for (kind, rules), members in _alike(listeners, routes, _host_ports(settings)).items()
    ]
    answers.report_unlike()
    ends_tls = any(f.handling.terminates for server in servers for f in server.forwarded)
    return StreamPlan(
        servers=tuple(servers),
        inner=inner_servers(servers, InnerAddresses(listeners)),
        groups=tuple(StreamGroup(name=n, destination=d) for n, d in _groups(servers).items()),
        pairs=pairs() if ends_tls else (),
        access_log=settings.text("proxy_stream_access_log") or "off",
        error_log=settings.text("proxy_stream_error_log") or "off",
        module=_module(settings, inputs, report),
    )


def served_routes(config: Config) -> list[Route]:
    """Return the stream routes that exist for Kong: those of disabled services do not."""
    services = config.entities.services
    return [
        route
        for route in config.entities.routes.values()
        if is_stream(route.protocols) and (route.service is None or services[route.service].enabled)
    ]


def kind_of(listener: Listener) -> StreamKind:
    """Return what a listener takes."""
    if listener.udp:
        return "udp"
    return "tls" if listener.ssl else "tcp"


def _host_ports(settings: Settings) -> dict[int, int]:
    """Return the ports that Kong compares, by the ports that are listened on (port_maps)."""
    pairs = [text.split(":") for text in settings.items("port_maps")]
    return {int(inside): int(outside) for outside, inside in pairs}


def _alike(
    listeners: tuple[Listener, ...], routes: list[Route], ports: Mapping[int, int]
) -> dict[tuple[StreamKind, tuple[StreamRule, ...]], list[Listener]]:
    """Return the listeners by what is asked of their connections, in the order of the setting."""
    found: dict[tuple[StreamKind, tuple[StreamRule, ...]], list[Listener]] = {}
    for listener in listeners:
        rules = rules_for(listener, ports.get(listener.port, listener.port), routes)
        found.setdefault((kind_of(listener), rules), []).append(listener)
    return found


def _server(
    kind: StreamKind,
    listeners: list[Listener],
    rules: tuple[StreamRule, ...],
    answers: AnswerPlanner,
    report: Report,
) -> StreamServer:
    if kind == "tls":
        # What closes connections in the end does what no route does.
        while rules and _TLS.isdisjoint(rules[-1].route.protocols):
            rules = rules[:-1]
    last = rules[-1] if rules and rules[-1].takes_all else None
    asking = rules if last is None else rules[:-1]
    answer = answers.of(kind, listeners)
    try:
        tables = make_tables(asking, answer)
    except TooManyRowsError:
        shown = ", ".join(listener.address for listener in listeners)
        report.add(diagnostics.TOO_MANY_ROWS, None, listeners=shown, limit=ROW_LIMIT)
        tables = ()
    server = StreamServer(
        kind=kind,
        listeners=tuple(listeners),
        tables=tables,
        otherwise=None if last is None else answer(last.route),
        handling=None,
    )
    return common_handling(server)


def _groups(servers: list[StreamServer]) -> dict[str, Destination]:
    """Return the destinations that are groups, by name, so that one more moves no other."""
    found = {
        forwarded.target: forwarded.destination
        for server in servers
        for forwarded in server.forwarded
        if forwarded.destination.fixed_peers
    }
    return dict(sorted(found.items()))


def _module(settings: Settings, inputs: Inputs, report: Report) -> str | None:
    """Return the file with nginx's stream module, where it has to be loaded and is not yet."""
    injected = [d for d in settings.directives.get("main", ()) if d.name == "load_module"]
    if any("stream" in directive.value for directive in injected):
        return None
    if not inputs.stream.present:
        report.add(diagnostics.MODULE_MISSING, place_of(settings.origin("stream_listen")))
    return inputs.stream.file
