"""What plugins ask for that nginx cannot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import policy_rules as rules
from compiler.catalog.plugins import is_compiled
from compiler.validate.plugins import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin

MOST_STATUSES = 80
"""How many statuses plugins may refuse with: each takes a code that HTTP does not use."""


def check_policies(config: Config, report: Report) -> None:
    """Report what cannot be compiled of plugins that answer requests themselves."""
    seen: set[float] = set()
    for plugin in _compiled(config, "ip-restriction"):
        status = plugin.config["status"]
        if status is None:
            continue
        seen.add(status)
        if not 400 <= status <= 599 or status != int(status):
            _report_status(plugin, "no error of HTTP", "400 to 599", config, report)
        elif len(seen) > MOST_STATUSES:
            _report_status(plugin, "one of too many", "another plugin", config, report)


def _compiled(config: Config, name: str) -> Iterator[Plugin]:
    for plugin in config.entities.plugins.values():
        if plugin.name == name and plugin.enabled and is_compiled(plugin):
            yield plugin


def _report_status(
    plugin: Plugin, reason: str, wanted: str, config: Config, report: Report
) -> None:
    field = "status" if plugin.name == "ip-restriction" else "status_code"
    report.add(
        rules.STATUS,
        plugin.written.place(field),
        entity=plugin.ref,
        plugin=plugin.name,
        scope=scope_of(plugin, config),
        status=plugin.config[field],
        reason=reason,
        wanted=wanted,
    )
