"""Whether it can be known, of the certificates that plugins trust, which were revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import revocation_rules as rules
from compiler.catalog.plugins import LOOKS_UP_CONSUMERS
from compiler.model.diagnostic import Severity
from compiler.model.place import Place
from compiler.validate.plugins import compiled_plugins, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin
    from compiler.model.revocation import RevocationList

_TROUBLE = {
    "STRICT": "who names none, or one that does not answer, is refused",
    "IGNORE_CA_ERROR": "who names none, or one that does not answer, is let in",
}


def check_revocation(config: Config, target: str, *, now: datetime, report: Report) -> None:
    """Report lists that are missing or do not hold now."""
    plugins = list(_checking(config, target))
    for plugin in plugins:
        _check_missing(plugin, config, target, report)
    _check_dates(plugins, config, target, now=now, report=report)


def _checking(config: Config, target: str) -> Iterator[Plugin]:
    """Yield the plugins that want to know who was revoked."""
    for plugin in compiled_plugins(config, target, *LOOKS_UP_CONSUMERS):
        if plugin.config["revocation_check_mode"] != "SKIP":
            yield plugin


def _check_missing(plugin: Plugin, config: Config, target: str, report: Report) -> None:
    materials = config.materials
    trusted = dict.fromkeys(plugin.config["ca_certificates"])
    missing = [
        materials.cas[i].subject
        for i in trusted
        if i in materials.cas and i not in materials.revoked
    ]
    if not missing:
        return
    mode = plugin.config["revocation_check_mode"]
    said: dict[str, Any] = {"missing": ", ".join(missing)}
    if target == "openresty":
        rule = rules.RESPONDERS_ASKED
        said["effect"] = _TROUBLE[mode]
    elif mode == "STRICT":
        rule = rules.STRICT_WITHOUT_LISTS
    elif not materials.lists_for(trusted):
        rule = rules.REVOCATION_UNCHECKED
        said = {"mode": mode}
    else:
        rule = rules.REVOCATION_IN_PART
        said["mode"] = mode
    name = "revocation_check_mode"
    written = plugin.written
    report.add(
        rule,
        written.place(name) if name in written else plugin.source.place("config"),
        entity=plugin.ref,
        plugin=plugin.name,
        scope=scope_of(plugin, config),
        **said,
    )


def _check_dates(
    plugins: list[Plugin], config: Config, target: str, *, now: datetime, report: Report
) -> None:
    used: dict[RevocationList, set[str]] = {
        found: set() for found in config.materials.revoked.values()
    }
    for plugin in plugins:
        for found in config.materials.lists_for(plugin.config["ca_certificates"]).lists:
            used[found].add(plugin.config["revocation_check_mode"])
    for found, modes in used.items():
        if found.begins <= now <= found.ends:
            continue
        ended = found.ends < now
        report.add(
            rules.LIST_OUT_OF_DATE,
            Place(found.source),
            severity=Severity.ERROR if "STRICT" in modes and target != "openresty" else None,
            issuer=found.issuer,
            what="ended on" if ended else "begins on",
            date=f"{found.ends if ended else found.begins:%Y-%m-%d}",
            effect=_effect(modes, target),
        )


def _effect(modes: set[str], target: str) -> str:
    if not modes:
        return "no plugin asks for it"
    if target == "openresty":
        return "responders (OCSP) are asked about those certificates that it does not revoke"
    if "STRICT" in modes:
        return "under STRICT every certificate of that authority is refused"
    return "nginx refuses every certificate of that authority"
