"""What plugins ask for that nginx cannot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import policy_rules as rules
from compiler.validate.plugins import compiled_plugins, scope_of

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin

_MOST_STATUSES = 70
"""How many statuses plugins may refuse with: each takes a code that HTTP does not use."""
_REDIRECTS = (301, 302, 303, 307, 308)
_ERRORS = range(400, 600)
_FINAL = range(200, 600)


def check_policies(config: Config, target: str, report: Report) -> None:
    """Report what cannot be compiled of plugins that answer requests themselves."""
    seen: set[float] = set()
    for plugin in compiled_plugins(config, target, "ip-restriction"):
        status = plugin.config["status"]
        if status is not None:
            seen.add(status)
            if status not in _ERRORS:
                _report_status(plugin, "no error of HTTP", "400 to 599", config, report)
            elif len(seen) > _MOST_STATUSES:
                _report_status(plugin, "one of too many", "another plugin", config, report)
    for plugin in compiled_plugins(config, target, "request-termination"):
        _check_termination(plugin, config, report)
        seen.add(plugin.config["status_code"])
        if len(seen) > _MOST_STATUSES:
            _report_status(plugin, "one of too many", "another plugin", config, report)


def _check_termination(plugin: Plugin, config: Config, report: Report) -> None:
    status = plugin.config["status_code"]
    if status not in _FINAL:
        _report_status(plugin, "not the last that is answered", "200 to 599", config, report)
    elif status in _REDIRECTS:
        _report_status(plugin, "a redirect to nowhere", "another kind", config, report)
    content_type = plugin.config["content_type"] or ""
    if not content_type.isprintable():
        report.add(
            rules.VALUE,
            plugin.written.place("content_type"),
            entity=plugin.ref,
            plugin=plugin.name,
            field="content_type",
            value="a control character",
            reason="would end its header",
        )
    if plugin.config["echo"]:
        report.add(
            rules.ECHO,
            plugin.written.place("echo"),
            entity=plugin.ref,
            scope=scope_of(plugin, config),
        )


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
