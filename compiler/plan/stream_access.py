"""Streams that a plugin protects: it would be left out in silence, so they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import policy_rules as rules
from compiler.plan.scopes import ScopedPlugins
from compiler.router.priority import is_stream

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report


def report_restricted_streams(config: Config, target: str, report: Report) -> None:
    """Report each route of connections whose clients' addresses are restricted."""
    plugins = ScopedPlugins(config, target, connections=True)
    for route in config.entities.routes.values():
        if not is_stream(route.protocols):
            continue
        plugin = plugins.applying("ip-restriction", route)
        if plugin is not None:
            report.add(
                rules.STREAM_ADDRESSES,
                plugin.source.place("name"),
                entity=plugin.ref,
                route=route.label,
            )
