"""From a valid configuration to the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.catalog import tls_rules
from compiler.model.balancing import Lookup
from compiler.model.place import Default, place_of
from compiler.model.plan import Keepalive, ListenGroup, Plan
from compiler.plan.access import AccessPlanner
from compiler.plan.asked_names import report_asked
from compiler.plan.common_tls import plan_common_policy, report_cost
from compiler.plan.destinations import DestinationPlanner
from compiler.plan.directives import plan_directives
from compiler.plan.handshakes import plan_handshakes
from compiler.plan.headers import plan_errors, plan_headers
from compiler.plan.lua import plan_lua
from compiler.plan.memberships import report_groups
from compiler.plan.names import plan_lookup
from compiler.plan.open_ways import report_open_ways, report_untold
from compiler.plan.plain_http import https_only_tables
from compiler.plan.resolvers import plan_resolvers
from compiler.plan.routing import flavor_of, plan_tables, request_candidates
from compiler.plan.scale import IDLE_CONNECTIONS, IDLE_CONNECTIONS_OF_MANY, LARGE
from compiler.plan.sni import plan_sni
from compiler.plan.stream import plan_stream
from compiler.plan.stream_access import report_uncompiled_streams
from compiler.plan.stream_destinations import StreamDestinationPlanner
from compiler.plan.trace import plan_trace
from compiler.plan.upstream_tls import POLICY_CAS
from compiler.plan.versions import features_of
from compiler.router.priority import is_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from compiler.model.access import Handshake
    from compiler.model.config import Config, UpstreamTlsDefaults
    from compiler.model.destinations import Destination
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route
    from compiler.model.inputs import Inputs
    from compiler.model.plan import Features
    from compiler.model.routing import HostTable, HttpsOnly
    from compiler.model.settings import Settings
    from compiler.model.stream import StreamPlan
    from compiler.model.x509 import KeyPair

HTTP_GROUPS = ("proxy", "admin", "admin_gui", "status")
_LOGS = tuple(f"{group}_{kind}_log" for group in HTTP_GROUPS for kind in ("access", "error"))


def make_plan(
    config: Config, inputs: Inputs, self_signed: Callable[[], tuple[KeyPair, ...]], report: Report
) -> Plan:
    """Decide everything that *config* leaves to be decided; report what cannot be had.

    *self_signed* makes (or finds) the pairs for listeners that have none of their own.
    """
    settings = config.settings
    features = features_of(inputs.nginx_version)
    listen = _listen_groups(config, self_signed)
    destinations = _destinations(config, features, inputs, report)
    flavor = flavor_of(settings)
    access = AccessPlanner(config, inputs.target, report)
    tables, groups = plan_tables(
        request_candidates(config, report),
        config.entities.services,
        destinations,
        access,
        tls_listener=any(x.ssl for x in settings.listeners.get("proxy", ())),
        joins_headers=features.joins_headers,
        report=report,
    )
    stream = _plan_stream(config, features, inputs, self_signed, report)
    lua = plan_lua(settings, inputs)
    headers = plan_headers(settings, report)
    # A trusted peer may have been asked over HTTPS; debug headers name the route.
    alike = not settings.items("trusted_ips") and not headers.debug
    https_only = https_only_tables(tables) if alike else ()
    report_open_ways(tables, report)
    report_untold(tables, report)
    report_uncompiled_streams(config, inputs.target, report)
    report_groups(tables, report)
    report_cost(tables, features, inputs.nginx_version, report)
    for defaults, reached in (
        (config.materials.upstream, [d for d in destinations.values() if not d.speaks_grpc]),
        (config.materials.grpc_upstream, [d for d in destinations.values() if d.speaks_grpc]),
    ):
        _report_policy_cas(config, defaults, reached, report)
    streams = () if stream is None else stream.destinations
    _report_policy_cas(config, config.materials.stream, streams, report)
    named = [d for d in (*destinations.values(), *streams) if any(peer.resolve for peer in d.peers)]
    asked = lua is not None and access.looks_up_responders()
    lookup = (
        plan_lookup(settings, features, _plain_name(named), report) if named or asked else Lookup()
    )
    secured = [group.pairs for group in listen.values() if group.name == "proxy"]
    secured += [] if stream is None else [stream.pairs]
    return Plan(
        features=features,
        listen=listen,
        sni=plan_sni(config, next(filter(None, secured), ())),
        tables=tables,
        https_only=https_only,
        handshakes=_plan_handshakes(tables, https_only, config, inputs, report),
        consumers=access.consumers(),
        credentials=access.credentials(),
        memberships=access.memberships,
        groups=groups,
        common_tls=plan_common_policy(tables, config.materials.upstream, grpc=False),
        common_grpc_tls=plan_common_policy(tables, config.materials.grpc_upstream, grpc=True),
        resolvers=plan_resolvers(settings, named, inputs, report, responders=asked),
        lookup=lookup,
        directives=plan_directives(settings, lua=lua is not None),
        dhparam=config.materials.dhparam,
        ciphers=settings.text("ssl_ciphers"),
        weak_ciphers=settings.text("ssl_cipher_suite") == "old",
        session_cache_size=settings.text("ssl_session_cache_size") or "10m",
        headers=headers,
        errors=plan_errors(settings, config.materials.templates),
        keepalive=_keepalive(settings, many=len(groups) >= LARGE),
        trusted_ips=settings.items("trusted_ips"),
        port_maps=_port_maps(settings),
        checks_utf8=flavor != "traditional"
        and any(_compares_paths(r) for r in config.entities.routes.values()),
        ports_by_scheme=flavor == "traditional",
        logs={name: settings.text(name) or "off" for name in _LOGS},
        log_level=settings.text("log_level") or "notice",
        stream=stream,
        traced=plan_trace(tables, tls=any(x.ssl for x in settings.listeners.get("proxy", ()))),
        lua=lua,
    )


def _plan_handshakes(
    tables: tuple[HostTable, ...],
    https_only: tuple[HttpsOnly, ...],
    config: Config,
    inputs: Inputs,
    report: Report,
) -> tuple[Handshake, ...]:
    listeners = config.settings.listeners.get("proxy", ())
    plain = any(not listener.ssl for listener in listeners)
    away = {key for found in https_only for key in found.keys}
    handshakes = plan_handshakes(
        tables,
        away if plain else {table.key for table in tables},
        report,
        verifies=inputs.target == "nginx",
    )
    if any(listener.ssl for listener in listeners):
        report_asked(tables, handshakes, report)
    return handshakes


def _request_routes(config: Config) -> list[Route]:
    return [route for route in config.entities.routes.values() if not is_stream(route.protocols)]


def _compares_paths(route: Route) -> bool:
    return bool(route.paths) or "http.path" in (route.expression or "")


def _plan_stream(
    config: Config,
    features: Features,
    inputs: Inputs,
    self_signed: Callable[[], tuple[KeyPair, ...]],
    report: Report,
) -> StreamPlan | None:
    planner = StreamDestinationPlanner(
        config, features, names_at_start=inputs.names_at_start, report=report
    )

    def pairs() -> tuple[KeyPair, ...]:
        return one_per_type(config.materials.server.get("proxy") or self_signed())

    return plan_stream(config, inputs, pairs, planner, report)


def _listen_groups(
    config: Config, self_signed: Callable[[], tuple[KeyPair, ...]]
) -> dict[str, ListenGroup]:
    found = {}
    for group in HTTP_GROUPS:
        listeners = config.settings.listeners.get(group, ())
        if not listeners:
            continue
        pairs: tuple[KeyPair, ...] = ()
        if any(listener.ssl for listener in listeners):
            pairs = config.materials.server.get(group) or self_signed()
        found[group] = ListenGroup(name=group, listeners=listeners, pairs=one_per_type(pairs))
    return found


def one_per_type(pairs: tuple[KeyPair, ...]) -> tuple[KeyPair, ...]:
    """Keep the last pair of each key type: OpenSSL holds one of each."""
    return tuple({pair.leaf.key_type: pair for pair in pairs}.values())


def _destinations(
    config: Config, features: Features, inputs: Inputs, report: Report
) -> dict[str, Destination]:
    planner = DestinationPlanner(
        config, features, names_at_start=inputs.names_at_start, report=report
    )
    own_name: dict[str, bool] = {}
    for route in _request_routes(config):
        if route.service is not None:
            own_name[route.service] = own_name.get(route.service, False) or not route.preserve_host
    return {
        identifier: planner.plan(
            config.entities.services[identifier], sends_own_name=own_name[identifier]
        )
        for identifier in own_name
        if config.entities.services[identifier].enabled
    }


def _plain_name(named: Iterable[Destination]) -> str | None:
    """Return a name that is looked up for its addresses, None when there is none."""
    peers = (peer for destination in named for peer in destination.peers)
    return next((peer.host for peer in peers if peer.resolve and not peer.srv), None)


def _report_policy_cas(
    config: Config,
    defaults: UpstreamTlsDefaults,
    destinations: Iterable[Destination],
    report: Report,
) -> None:
    """Say whose CAs verify where tls_certificate_verify asks for it and nothing names any."""
    because = defaults.because["trusted"]
    used = any(
        d.tls is not None and d.tls.policy.verify and d.tls.policy.trusted is defaults.trusted
        for d in destinations
    )
    if because.name != POLICY_CAS or not used or defaults.trusted is None:
        return
    origin = config.settings.origin("tls_certificate_verify")
    shown = ("PEM text" if "-----" in item else item for item in config.settings.items(POLICY_CAS))
    report.add(
        tls_rules.VERIFY_FROM_POLICY,
        place_of(origin),
        source=", ".join(shown),
        origin=origin,
        setting=defaults.trusted_setting,
    )


def _port_maps(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return the ports of listeners with those that clients connect to."""
    pairs = (item.partition(":") for item in settings.items("port_maps"))
    return tuple(sorted((port.strip(), outer.strip()) for outer, _, port in pairs))


def _keepalive(settings: Settings, *, many: bool) -> Keepalive:
    chosen = not isinstance(settings.origin("upstream_keepalive_pool_size"), Default)
    size = settings.number("upstream_keepalive_pool_size") or 0
    usual = IDLE_CONNECTIONS_OF_MANY if many else IDLE_CONNECTIONS
    return Keepalive(
        connections=size if chosen else usual,
        requests=settings.number("upstream_keepalive_max_requests") or 0,
        seconds=settings.number("upstream_keepalive_idle_timeout") or 0,
    )


def check_listeners(settings: Settings, report: Report) -> None:
    """Report a gateway that serves nothing."""
    off = settings.items("proxy_listen")[:1] == ("off",)
    if off and not settings.listeners.get("stream"):
        report.add(rules.PROXY_OFF, place_of(settings.origin("proxy_listen")))
