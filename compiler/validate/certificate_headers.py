"""Headers that tell upstreams of certificates (tls-metadata-headers): their names, and when."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.catalog.plugin_schemas_tls import INTERMEDIATES_TOLD_SINCE
from compiler.validate.plugins import compiled_plugins, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin

NAMES = (
    "client_cert_header_name",
    "client_serial_header_name",
    "client_cert_issuer_dn_header_name",
    "client_cert_subject_dn_header_name",
    "client_cert_fingerprint_header_name",
)
"""The fields that hold the names."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TAKEN = re.compile(
    r"host|connection|upgrade|te|trailer|via|cookie|authorization|content-.*|transfer-encoding"
    r"|x-real-ip|x-forwarded-.*|x-kong-request-id|http2-settings|proxy|proxy-.*|sec-websocket-.*"
    r"|x-consumer-.*|x-credential-identifier|x-anonymous-consumer|x-client-cert-san"
    r"|x-client-cert-dn|x-authenticated-groups",
    re.IGNORECASE,
)
"""Headers that upstreams are sent for other reasons."""


def check_certificate_headers(config: Config, target: str, report: Report) -> None:
    """Report names that cannot be, or already mean something else, and what is not told."""
    for plugin in compiled_plugins(config, target, "tls-metadata-headers"):
        if target == "nginx":
            _report_intermediates(plugin, config, report)
        for field, reason in _problems(plugin):
            report.add(
                rules.CERTIFICATE_HEADER_TAKEN,
                plugin.written.place(field),
                entity=plugin.ref,
                scope=scope_of(plugin, config),
                field=field,
                reason=reason,
            )


def _report_intermediates(plugin: Plugin, config: Config, report: Report) -> None:
    if plugin.config["inject_client_cert_details"] and (
        config.settings.kong_version >= INTERMEDIATES_TOLD_SINCE
    ):
        name = "inject_client_cert_details"
        report.add(
            rules.INTERMEDIATES_NOT_TOLD,
            plugin.written.place(name),
            entity=plugin.ref,
            scope=scope_of(plugin, config),
        )


def _problems(plugin: Plugin) -> Iterator[tuple[str, str]]:
    if not plugin.config["inject_client_cert_details"]:
        return
    seen: dict[str, str] = {}
    for field in NAMES:
        name = plugin.config[field]
        if not _TOKEN.fullmatch(name):
            yield field, f"{name!r} is no name of a header"
        elif _TAKEN.fullmatch(name):
            yield field, f"the header {name} already tells upstreams something else"
        elif name.lower() in seen:
            yield field, f"the header {name} is that of {seen[name.lower()]}, too"
        seen.setdefault(name.lower(), field)
