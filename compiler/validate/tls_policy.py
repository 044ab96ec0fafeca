"""tls_certificate_verify: nothing may switch the verification of a TLS connection off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import tls_rules as rules
from compiler.catalog.plugins import TALKS_TLS_ONLY_IF, VERIFY_FIELDS
from compiler.model.diagnostic import Related
from compiler.model.document import MappingNode, SequenceNode
from compiler.model.place import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin, Service, Uncompiled
    from compiler.model.place import Origin, Place

TLS_PROTOCOLS = frozenset({"https", "tls", "grpcs", "wss"})


def check_tls_policy(config: Config, report: Report) -> None:
    """Report every service and plugin field that turns verification off against the policy."""
    if not config.settings.flag("tls_certificate_verify"):
        return
    origin = config.settings.origin("tls_certificate_verify")
    place = place_of(origin)
    said = "set here" if place is not None else "on by default from Kong 3.14"
    related = (Related(f"tls_certificate_verify is {said}", place),)
    for service in config.entities.services.values():
        _check_service(service, origin, related, report)
    for plugin in config.entities.plugins.values():
        for field, place in disabled_fields(plugin):
            report.add(
                rules.VERIFY_DISABLED,
                place,
                entity=plugin.ref,
                related=related,
                subject=f"plugin {plugin.name}",
                field=field,
                origin=origin,
            )
    for entity in config.entities.uncompiled:
        _check_partial(entity, origin, related, report)


def _check_service(
    service: Service, origin: Origin, related: tuple[Related, ...], report: Report
) -> None:
    if service.protocol in TLS_PROTOCOLS and service.tls_verify is False:
        report.add(
            rules.VERIFY_DISABLED,
            service.source.place("tls_verify"),
            entity=service.ref,
            related=related,
            subject=f"service {service.label}",
            field="tls_verify",
            origin=origin,
        )


def _check_partial(
    partial: Uncompiled, origin: Origin, related: tuple[Related, ...], report: Report
) -> None:
    """Check the Redis partials, which plugins share."""
    node = partial.source
    config = node.get("config")
    if partial.kind != "partials" or not isinstance(config, MappingNode):
        return
    if str(node.get("type", "")).startswith("redis") and config.get("ssl_verify") is False:
        report.add(
            rules.VERIFY_DISABLED,
            config.place("ssl_verify"),
            related=related,
            subject=f"partial {node.get('name') or node.get('id') or ''}".rstrip(),
            field="config.ssl_verify",
            origin=origin,
        )


def disabled_fields(plugin: Plugin) -> Iterator[tuple[str, Place]]:
    """Yield each field of *plugin* that is false and must not be, with its place."""
    needed = TALKS_TLS_ONLY_IF.get(plugin.name)
    if needed is not None and not any(plugin.config.get(name) is True for name in needed):
        return
    for path in VERIFY_FIELDS.get(plugin.name, ()):
        if "." not in path:
            # Also what is false by default.
            if plugin.config.get(path) is False:
                yield f"config.{path}", plugin.written.place(path)
            continue
        yield from _false_at(plugin.written, path.split("."), "config")


def _false_at(node: Any, path: list[str], above: str) -> Iterator[tuple[str, Place]]:
    if not isinstance(node, MappingNode):
        return
    name, *rest = path
    key = name.removesuffix("[]")
    value = node.get(key)
    here = f"{above}.{key}"
    if not rest:
        if value is False:
            yield here, node.place(key)
    elif name.endswith("[]") and isinstance(value, SequenceNode):
        for index, item in enumerate(value):
            yield from _false_at(item, rest, f"{here}[{index}]")
    else:
        yield from _false_at(value, rest, here)
