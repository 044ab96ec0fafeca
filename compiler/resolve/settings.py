"""kong.conf and the environment to `Settings`: types, precedence, what follows from what."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.catalog.properties import PROPERTIES, is_sensitive
from compiler.catalog.properties_shape import Kind, Property
from compiler.model.place import Default, Derived, place_of
from compiler.model.settings import Setting, Settings
from compiler.resolve.cipher_suites import suite_settings
from compiler.resolve.directives import resolve_directives
from compiler.resolve.layers import collect_layers
from compiler.resolve.listeners import parse_listeners
from compiler.resolve.setting_checks import check_settings
from compiler.resolve.shadowed import report_shadowed
from compiler.resolve.values import UNSET, Reading, read_value, show, split_list
from compiler.resolve.vaults import EnvironmentVault, is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.settings import ConfFile, Value
    from compiler.resolve.layers import Layer, Layers

_NOBODY = frozenset({"nobody", "nobody nobody"})


def resolve_settings(
    conf: ConfFile | None,
    environment: Mapping[str, str],
    *,
    kong_version: tuple[int, ...],
    report: Report,
) -> Settings:
    """Return every property of Kong *kong_version* with its value and origin.

    *environment* is the whole environment: `KONG_*` variables set properties, the others may
    be what references to the vault `env` stand for. Mistakes go to *report*; the value of a
    property with a mistake in it is its default.
    """
    layers = collect_layers(conf, environment, version=kong_version, report=report)
    report_shadowed(layers, report)
    vault = _vault(layers, environment, report)
    properties = {name: _setting(name, layers[name], vault, report) for name in sorted(layers)}
    properties |= _users(properties)
    properties |= _paths(properties, report)
    properties |= _trusted_certificates(properties)
    properties |= suite_settings(properties, kong_version, report)
    listeners = parse_listeners(properties, report)
    check_settings(properties, listeners, report)
    return Settings(
        kong_version=kong_version,
        properties=properties,
        directives=resolve_directives(properties, listeners, kong_version, report),
        listeners=listeners,
    )


def _vault(layers: Layers, environment: Mapping[str, str], report: Report) -> EnvironmentVault:
    """Return the vault `env` as the properties that configure it have it."""
    unread = EnvironmentVault(environment, "", loaded=True)
    loaded = _setting("vaults", layers["vaults"], unread, report).value or ()
    prefix = layers.get("vault_env_prefix", ())
    return EnvironmentVault(
        environment,
        prefix=prefix[0].text.strip() if prefix else "",
        loaded=isinstance(loaded, tuple)
        and loaded[:1] != ("off",)
        and bool({"bundled", "env"} & set(loaded)),
    )


def _setting(
    name: str, layers: tuple[Layer, ...], vault: EnvironmentVault, report: Report
) -> Setting:
    known = PROPERTIES.get(name) or Property(name, Kind.TEXT, sensitive=is_sensitive(name))
    if not layers:
        return Setting(name, UNSET[known.kind], Default(), sensitive=known.sensitive)
    top, *rest = layers
    value, from_vault = _value_in_force(known, top, vault, report)
    return Setting(
        name,
        value,
        top.origin,
        overridden=tuple((read_value(known, layer.text).value, layer.origin) for layer in rest),
        sensitive=known.sensitive or (from_vault and known.kind in {Kind.TEXT, Kind.LIST}),
    )


def _value_in_force(
    known: Property, layer: Layer, vault: EnvironmentVault, report: Report
) -> tuple[Value, bool]:
    """Return the value of *layer* and whether a secret is in it; report what is wrong with it."""
    # A text passed on from another property is that property's: same report, reported once.
    name = layer.origin.setting if isinstance(layer.origin, Derived) else known.name
    place = place_of(layer.origin)
    if known.kind is Kind.LIST:
        entries = [
            vault.read(entry, name, place, report) if is_reference(entry) else entry
            for entry in split_list(layer.text)
        ]
        value: Value = tuple(entry.strip() for entry in entries if entry is not None)
        _check_rewritten(known, name, layer, report)
        return value, any(is_reference(entry) for entry in split_list(layer.text))
    text: str | None = layer.text.strip()
    from_vault = is_reference(layer.text.strip())
    if from_vault:
        text = vault.read(layer.text.strip(), name, place, report)
    reading = Reading(UNSET[known.kind]) if text is None else read_value(known, text)
    shown = show(text or "", secret=known.sensitive or from_vault)
    reading.tell(name, shown, place, report)
    _check_rewritten(known, name, layer, report)
    return reading.value, from_vault


def _check_rewritten(known: Property, name: str, layer: Layer, report: Report) -> None:
    if layer.text != layer.written and known.kind in {Kind.TEXT, Kind.LIST}:
        secret = is_sensitive(name)
        report.add(
            rules.NUMBER_REWRITTEN,
            place_of(layer.origin),
            name=name,
            value=show(layer.text, secret=secret),
            written=show(layer.written, secret=secret),
            variable=f"KONG_{name.upper()}",
        )


def _users(properties: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the two names of nginx's user, unset where Kong writes no `user` directive.

    The default user counts as absent: whether a host has a user "kong" is not known here, and
    where it has none Kong leaves the default out.
    """
    names = ("nginx_user", "nginx_main_user")
    default = all(properties[name].is_default for name in names)
    return {
        name: replace(properties[name], value=None)
        for name in names
        if default or " ".join(str(properties[name].value).split()) in _NOBODY
    }


def _paths(properties: Mapping[str, Setting], report: Report) -> dict[str, Setting]:
    prefix, cpath = properties["prefix"], properties["lua_package_cpath"]
    if not prefix.value:
        report.add(rules.EMPTY_VALUE, place_of(prefix.origin), name=prefix.name)
    return {
        "prefix": replace(prefix, value=posixpath.normpath(str(prefix.value or "."))),
        "lua_package_cpath": replace(cpath, value=cpath.value or ""),
    }


def _trusted_certificates(properties: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return `lua_ssl_trusted_certificate` with what a data plane adds to it."""
    trusted = properties["lua_ssl_trusted_certificate"]
    shared = properties["cluster_mtls"].value == "shared"
    added = properties["cluster_cert" if shared else "cluster_ca_cert"]
    if properties["role"].value != "data_plane" or not isinstance(added.value, str):
        return {}
    listed = trusted.value if isinstance(trusted.value, tuple) else ()
    overridden = ((trusted.value, trusted.origin), *trusted.overridden)
    value, origin = (*listed, added.value), Derived(added.name, added.origin)
    return {trusted.name: replace(trusted, value=value, origin=origin, overridden=overridden)}
