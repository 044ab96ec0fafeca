"""Plugins and other entities that are read and not compiled: never dropped in silence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.catalog.plugins import HARMLESS, is_compiled
from compiler.model.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin
    from compiler.model.place import Place

_READ_BY = {
    "consumers": frozenset({"mtls-auth"}),
    "acls": frozenset({"acl"}),
    "mtls_auth_credentials": frozenset({"mtls-auth"}),
    "header_cert_auth_credentials": frozenset({"header-cert-auth"}),
}
"""Kinds of entities, and the plugins to which alone they matter."""

_PROTECTION = "routes are served with less protection than was asked for"


def check_plugins(config: Config, *, allowed: AbstractSet[str], report: Report) -> None:
    """Report each plugin: a warning where it is harmless or *allowed*, an error elsewhere."""
    for plugin in config.entities.plugins.values():
        if not plugin.enabled or is_compiled(plugin):
            continue
        loss = HARMLESS.get(plugin.name)
        rule = rules.PLUGIN_REFUSED if loss is None else rules.PLUGIN_IGNORED
        report.add(
            rule,
            plugin.source.place("name"),
            entity=plugin.ref,
            severity=Severity.WARNING if plugin.name in allowed else None,
            plugin=plugin.name,
            scope=scope_of(plugin, config),
            loss=loss or _PROTECTION,
        )


def check_uncompiled(config: Config, report: Report) -> None:
    """Report, once per kind, entities that nothing in the output uses."""
    first: dict[str, Place] = {}
    counts = Counter(entity.kind for entity in config.entities.uncompiled)
    for entity in config.entities.uncompiled:
        first.setdefault(entity.kind, entity.source.place())
    plugins = config.entities.plugins.values()
    compiled = {plugin.name for plugin in plugins if plugin.enabled and is_compiled(plugin)}
    for kind, readers in _READ_BY.items():
        found = getattr(config.entities, kind)
        if found and readers.isdisjoint(compiled):
            counts[kind] = len(found)
            first[kind] = next(iter(found.values())).source.place()
    for kind, count in sorted(counts.items()):
        report.add(rules.ENTITY_IGNORED, first[kind], count=count, kind=kind)


def scope_of(plugin: Plugin, config: Config) -> str:
    """Return what a plugin is for, in words."""
    entities = config.entities
    parts = []
    if plugin.route is not None and plugin.route in entities.routes:
        parts.append(f"route {entities.routes[plugin.route].label}")
    if plugin.service is not None and plugin.service in entities.services:
        parts.append(f"service {entities.services[plugin.service].label}")
    if plugin.consumer is not None and plugin.consumer in entities.consumers:
        parts.append(f"consumer {entities.consumers[plugin.consumer].ref.name}")
    return ", ".join(parts) or "all routes"
