"""The configuration of a plugin as it is compared: field by field, references as links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from compiler.catalog.schema_fields import Field
    from compiler.diff.masking import Masker
    from compiler.diff.records import Link
    from compiler.model.entities import Plugin

_SETS = frozenset({"allow", "deny", "origins", "san_dirname_matcher"})


def is_checked(plugin: Plugin) -> bool:
    """Tell whether the fields of the config are known, and have their defaults."""
    return plugin.name in PLUGIN_SCHEMAS


def config_fields(
    plugin: Plugin, link: Callable[[str, str], Link], masker: Masker
) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a config that is checked; unset ones are missing."""
    schema = PLUGIN_SCHEMAS[plugin.name]
    for name, value in plugin.config.items():
        field = schema[name]
        # Empty is the same as unset, but where that has a default.
        if value is None or (value == () and not field.default):
            continue
        yield f"config.{name}", _shown(name, field, value, link, masker)


def _shown(
    name: str, field: Field, value: Any, link: Callable[[str, str], Link], masker: Masker
) -> Any:
    if field.type == "consumer":
        return link("consumers", value)
    if field.elements is not None and field.elements.type == "authority_id":
        links = [link("ca_certificates", item) for item in dict.fromkeys(value)]
        return sorted(links, key=lambda found: found.token)
    shown = masker.value(name, value)
    return sorted(set(shown)) if name in _SETS else shown
