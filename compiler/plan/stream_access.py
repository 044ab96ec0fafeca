"""Plugins for streams: they would be left out in silence, so such routes are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import access_rules, policy_rules
from compiler.plan.scopes import ScopedPlugins
from compiler.plan.stream import served_routes

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin, Route

_LOSSES = {
    "tls-handshake-modifier": "no client would be asked for a certificate",
    "tls-metadata-headers": "upstreams would be told nothing of certificates",
}
"""Plugins about clients' certificates that may be for TLS alone, and what is missing without."""


def report_uncompiled_streams(config: Config, target: str, report: Report) -> None:
    """Report each route of connections that a plugin is for which is compiled for requests."""
    plugins = ScopedPlugins(config, target, connections=True)
    for route in served_routes(config) if plugins else ():
        plugin = plugins.applying("ip-restriction", route)
        if plugin is not None:
            report.add(
                policy_rules.STREAM_ADDRESSES,
                plugin.source.place("name"),
                entity=plugin.ref,
                route=route.label,
            )
        for name, loss in _LOSSES.items() if "tls" in route.protocols else ():
            plugin = plugins.applying(name, route)
            if plugin is not None and _does_something(plugin):
                _report_certificates(plugin, route, loss, report)


def _does_something(plugin: Plugin) -> bool:
    return bool(plugin.config.get("inject_client_cert_details", True))


def _report_certificates(plugin: Plugin, route: Route, loss: str, report: Report) -> None:
    report.add(
        access_rules.STREAM_CERTIFICATES,
        plugin.source.place("name"),
        entity=plugin.ref,
        plugin=plugin.name,
        route=route.label,
        loss=loss,
    )
