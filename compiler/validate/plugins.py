"""Plugins and other entities that are read and not compiled: never dropped in silence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from compiler.catalog import access_rules
from compiler.catalog import plan_rules as rules
from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS
from compiler.catalog.plugins import HARMLESS, LOOKS_UP_CONSUMERS, is_compiled
from compiler.model.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin
    from compiler.model.place import Place

_OF_CONSUMERS = {
    "consumers": LOOKS_UP_CONSUMERS,
    "acls": frozenset({"acl"}),
    "mtls_auth_credentials": frozenset({"mtls-auth"}),
    "header_cert_auth_credentials": frozenset({"header-cert-auth"}),
}
"""Kinds of entities, and the plugins to which alone they matter."""

_OF_CONSUMER_GROUPS = ("consumer_groups", "consumer_group_consumers")
"""Kinds of entities that matter to acl alone, and there only where it is told to look at them."""

_PROTECTION = "routes are served with less protection than was asked for"


def compiled_plugins(config: Config, target: str, *names: str) -> list[Plugin]:
    """Return the plugins of those *names* that are compiled for *target*.

    Those of which something that they cannot do without was reported already are left out.
    """
    return [
        plugin
        for plugin in config.entities.plugins.values()
        if plugin.name in names
        and plugin.enabled
        and is_compiled(plugin, target)
        and all(
            plugin.config[field] is not None
            for field, told in PLUGIN_SCHEMAS[plugin.name].items()
            if told.required and field in plugin.config
        )
    ]


def allowed_plugins(config: Config, *, target: str, allowed: AbstractSet[str]) -> Iterator[Plugin]:
    """Yield the plugins that are left out because they are *allowed* to be."""
    for plugin in config.entities.plugins.values():
        left_out = plugin.enabled and not is_compiled(plugin, target)
        if left_out and plugin.name in allowed and plugin.name not in HARMLESS:
            yield plugin


def check_plugins(
    config: Config, *, target: str, allowed: AbstractSet[str], report: Report
) -> None:
    """Report each plugin: a warning where it is harmless or *allowed*, an error elsewhere."""
    for plugin in config.entities.plugins.values():
        if not plugin.enabled or is_compiled(plugin, target):
            continue
        severity = Severity.WARNING if plugin.name in allowed else None
        place, scope = plugin.source.place("name"), scope_of(plugin, config)
        if is_compiled(plugin, "openresty"):
            report.add(
                access_rules.NEEDS_LUA,
                place,
                entity=plugin.ref,
                severity=severity,
                plugin=plugin.name,
                scope=scope,
            )
            continue
        loss = HARMLESS.get(plugin.name)
        report.add(
            rules.PLUGIN_REFUSED if loss is None else rules.PLUGIN_IGNORED,
            place,
            entity=plugin.ref,
            severity=severity,
            plugin=plugin.name,
            scope=scope,
            loss=loss or _PROTECTION,
        )


def check_uncompiled(config: Config, *, target: str, report: Report) -> None:
    """Report, once per kind, entities that nothing in the output uses."""
    used = {p.name for p in config.entities.plugins.values() if is_compiled(p, target)}
    first: dict[str, Place] = {}
    counts = Counter(entity.kind for entity in config.entities.uncompiled)
    for entity in config.entities.uncompiled:
        first.setdefault(entity.kind, entity.source.place())
    unused = [kind for kind, plugins in _OF_CONSUMERS.items() if used.isdisjoint(plugins)]
    acls = compiled_plugins(config, target, "acl")
    if not any(plugin.config.get("include_consumer_groups") for plugin in acls):
        unused += _OF_CONSUMER_GROUPS
    for kind in unused:
        found = getattr(config.entities, kind)
        if found:
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
    if plugin.consumer_group is not None and plugin.consumer_group in entities.consumer_groups:
        parts.append(f"consumer group {entities.consumer_groups[plugin.consumer_group].name}")
    return ", ".join(parts) or "all routes"
