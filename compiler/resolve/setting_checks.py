"""What Kong demands of properties beyond their types, alone and together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from compiler.catalog import settings_rules as rules
from compiler.catalog.setting_bounds import BOUNDS, ENTRIES
from compiler.model.place import Derived, place_of
from compiler.resolve.addresses import is_ip_or_cidr, parse_address
from compiler.resolve.cluster_checks import check_cluster
from compiler.resolve.values import show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.settings import Listener, Setting

_PORT_MAP = re.compile(r"\s*0*([0-9]{1,5})\s*:\s*0*([0-9]{1,5})\s*\Z", re.ASCII)
_PLAIN_WORDS = re.compile(r"""[^"'\\;{}#\0\r\n]*|"[^"'\\;{}#\0\r\n]*"|'[^"'\\;{}#\0\r\n]*'""")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


COPIED = frozenset(
    {
        "ssl_protocols",
        "ssl_prefer_server_ciphers",
        "ssl_session_tickets",
        "ssl_session_timeout",
        "lua_ssl_protocols",
        "real_ip_header",
        "real_ip_recursive",
        "client_body_buffer_size",
    }
)
"""Properties that Kong copies into a directive as they are written (`nginx_*` apart: those are
directives by definition)."""


def check_settings(
    properties: Mapping[str, Setting],
    listeners: Mapping[str, tuple[Listener, ...]],
    report: Report,
) -> None:
    """Report every value that Kong would not start with, files and certificates apart."""
    _check_bounds(properties, report)
    _check_entries(properties, report)
    _check_certificate_counts(properties, listeners, report)
    _check_copied(properties, report)
    _check_manager_path(properties["admin_gui_path"], report)
    _check_proxy_server(properties["proxy_server"], report)
    _check_node_id(properties["node_id"], report)
    _check_database(properties["database"], report)
    _check_plugin_servers(properties, report)
    check_cluster(properties, report)


def _check_bounds(properties: Mapping[str, Setting], report: Report) -> None:
    for name, bounds in BOUNDS.items():
        setting = properties[name]
        value = setting.value
        if value is None and bounds.required:
            report.add(rules.EMPTY_VALUE, place_of(setting.origin), name=name)
        elif isinstance(value, int | float) and not bounds.allow(value):
            report.add(
                rules.OUT_OF_RANGE,
                place_of(setting.origin),
                name=name,
                expected=bounds.expected,
                value=value,
            )


def _check_entries(properties: Mapping[str, Setting], report: Report) -> None:
    """Report the entries of lists that are none of what the list may hold."""
    for name, words in ENTRIES.items():
        if name in properties:
            _check_each(properties[name], words.allow, words.expected, report)
    _check_each(
        properties["trusted_ips"],
        lambda entry: entry == "unix:" or is_ip_or_cidr(entry),
        "an IP address, a block such as 10.0.0.0/8, or unix:",
        report,
    )
    _check_each(
        properties["dns_resolver"],
        _is_name_server,
        "an IP address, with or without a port",
        report,
    )
    _check_each(
        properties["port_maps"],
        _is_port_map,
        "a pair of ports such as 443:8443, each from 1 to 65535",
        report,
    )
    tracing = properties["tracing_instrumentations"]
    if isinstance(tracing.value, tuple) and len(tracing.value) > 1 and "off" in tracing.value:
        report.add(
            rules.SETTINGS_CONFLICT,
            place_of(tracing.origin),
            problem="tracing_instrumentations has off beside others",
            advice="off can only stand alone",
        )


def _check_each(
    setting: Setting, accepts: Callable[[str], bool], expected: str, report: Report
) -> None:
    for entry in setting.value if isinstance(setting.value, tuple) else ():
        if not accepts(entry):
            report.add(
                rules.INVALID_ENTRY,
                place_of(setting.origin),
                name=setting.name,
                entry=show(entry, secret=setting.sensitive),
                expected=expected,
                advice="entries are separated by commas, without quotes",
            )


def _is_name_server(entry: str) -> bool:
    address = parse_address(entry)
    return address is not None and address.is_ip


def _is_port_map(entry: str) -> bool:
    found = _PORT_MAP.match(entry)
    return found is not None and all(1 <= int(port) <= 65535 for port in found.groups())


def _check_certificate_counts(
    properties: Mapping[str, Setting],
    listeners: Mapping[str, tuple[Listener, ...]],
    report: Report,
) -> None:
    groups = {
        "ssl": (*listeners["proxy"], *listeners["stream"]),
        "admin_ssl": listeners["admin"],
        "admin_gui_ssl": listeners["admin_gui"],
        "status_ssl": listeners["status"],
    }
    for prefix, group in groups.items():
        if any(listener.ssl for listener in group):
            _check_pair(properties, prefix, report)
    if properties["client_ssl"].value is True:
        _check_pair(properties, "client_ssl", report)


def _check_pair(properties: Mapping[str, Setting], prefix: str, report: Report) -> None:
    cert, key = properties[f"{prefix}_cert"], properties[f"{prefix}_cert_key"]
    certs, keys = (_count(cert), _count(key))
    if certs != keys:
        report.add(
            rules.CERTIFICATE_KEY_COUNT,
            place_of((cert if certs else key).origin),
            cert=cert.name,
            certs=certs or "none",
            key=key.name,
            keys=keys or "none",
        )


def _count(setting: Setting) -> int:
    value = setting.value
    return len(value) if isinstance(value, tuple) else int(value is not None)


def _check_copied(properties: Mapping[str, Setting], report: Report) -> None:
    """Report what would end the directive that it is copied into as it is."""
    for setting in properties.values():
        origin, value = setting.origin, setting.value
        if not isinstance(origin, Derived) or origin.setting not in COPIED:
            continue
        if isinstance(value, str) and not _PLAIN_WORDS.fullmatch(value):
            report.add(
                rules.INVALID_ENTRY,
                place_of(origin),
                name=origin.setting,
                entry=show(value, secret=False),
                expected="made of words that nginx can read",
                advice="it is copied into nginx: leave out ; { } # \\, line ends, stray quotes",
            )


def _check_manager_path(setting: Setting, report: Report) -> None:
    path = setting.value
    if not isinstance(path, str):
        return
    faults = {
        "a path that begins with a slash": not path.startswith("/"),
        "a path that does not end with a slash": len(path) > 2
        and path.startswith("/")
        and path.endswith("/"),
        "a path of letters, digits, '-', '_' and '/'": not re.fullmatch(r"[A-Za-z0-9/_-]*", path),
        "a path without two slashes in a row": "//" in path,
    }
    for expected in (text for text, found in faults.items() if found):
        report.add(
            rules.OUT_OF_RANGE,
            place_of(setting.origin),
            name=setting.name,
            expected=expected,
            value=show(path, secret=False),
        )


def _check_proxy_server(setting: Setting, report: Report) -> None:
    """Report a proxy's URL that Kong cannot use; it may hold a password and is not shown."""
    if not isinstance(setting.value, str):
        return
    try:
        url = urlsplit(setting.value)
        host = url.hostname
    except ValueError:
        url, host = urlsplit(""), None
    plain = not (url.query or url.fragment or ";" in url.path)
    if url.scheme not in {"http", "https"} or not host or not plain:
        report.add(
            rules.OUT_OF_RANGE,
            place_of(setting.origin),
            name=setting.name,
            expected="a URL such as http://proxy.example.com:3128, without parameters",
            value="[redacted]",
        )


def _check_node_id(setting: Setting, report: Report) -> None:
    if isinstance(setting.value, str) and not _UUID.match(setting.value):
        report.add(
            rules.OUT_OF_RANGE,
            place_of(setting.origin),
            name=setting.name,
            expected=f"a UUID such as {UUID(int=1)}",
            value=show(setting.value, secret=False),
        )


def _check_database(setting: Setting, report: Report) -> None:
    if setting.value == "cassandra":
        report.add(
            rules.SETTINGS_CONFLICT,
            place_of(setting.origin),
            problem="database = cassandra is gone: no Kong from 3.4 on can use it",
            advice="set database = off, or postgres",
        )


def _check_plugin_servers(properties: Mapping[str, Setting], report: Report) -> None:
    setting = properties["pluginserver_names"]
    for entry in setting.value if isinstance(setting.value, tuple) else ():
        query = f"pluginserver_{entry.lower().replace('-', '_')}_query_cmd"
        if query not in properties or not properties[query].value:
            report.add(
                rules.SETTINGS_CONFLICT,
                place_of(setting.origin),
                problem=f"pluginserver_names has {show(entry, secret=False)}, but {query} is unset",
                advice=f"set {query}, or remove the name: plugin servers are not compiled anyway",
            )
