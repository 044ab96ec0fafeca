"""`kcompile settings`: resolved kong.conf settings with where each value came from."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from compiler.cli.failures import FOUND, OK, UsageError
from compiler.cli.gather import gather
from compiler.cli.show import as_json, check_format, print_json, show_diagnostics
from compiler.model.diagnostic import Report
from compiler.model.place import Default, Derived, FromEnvironment, FromFile
from compiler.pipeline import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.cli.gather import Options
    from compiler.model.place import Origin
    from compiler.model.settings import Listener, Setting, Settings, Value

REDACTED = "[redacted]"
_LISTENER_KEYS = (
    "ip", "port", "ssl", "http2", "proxy_protocol", "deferred", "bind", "reuseport", "backlog",
    "ipv6only", "so_keepalive", "udp",
)  # fmt: skip


def settings(options: Options, names: Sequence[str], output_format: str, *, show_all: bool) -> int:
    """Print the settings in *names*, else those that differ from the defaults (text) or all."""
    check_format(output_format)
    report = Report()
    inputs, _ = gather(options, report)
    resolved = read_settings(inputs, report)
    _check_names(names, resolved)
    chosen = {n: resolved[n] for n in names} if names else resolved.properties
    if output_format == "json":
        print_json(_document(resolved, chosen, report))
    else:
        for name, setting in chosen.items():
            if names or show_all or not isinstance(setting.origin, Default):
                print(f"{name} = {_text(setting)}  # {setting.origin}")
        show_diagnostics(report, sys.stderr)
    return FOUND if report.has_errors else OK


def _check_names(names: Sequence[str], resolved: Settings) -> None:
    for name in names:
        if name not in resolved.properties:
            near = get_close_matches(name, resolved.properties, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"there is no setting {name!r}{hint}")


def _text(setting: Setting) -> str:
    if setting.sensitive and setting.value:
        return REDACTED
    match setting.value:
        case None:
            return ""
        case bool():
            return "on" if setting.value else "off"
        case tuple():
            return ", ".join(setting.value)
        case value:
            return str(value)


def _document(resolved: Settings, chosen: Any, report: Report) -> dict[str, Any]:
    return {
        "settings": {name: _setting(setting) for name, setting in chosen.items()},
        "directives": {
            block: [[d.name, d.value] for d in directives]
            for block, directives in resolved.directives.items()
        },
        "listeners": {
            group: [_listener(listener) for listener in listeners]
            for group, listeners in resolved.listeners.items()
        },
        "diagnostics": [as_json(d) for d in report],
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {
        "value": _value(setting.value, sensitive=setting.sensitive),
        "origin": origin_json(setting.origin),
        "overridden": [
            {"value": _value(value, sensitive=setting.sensitive), "origin": origin_json(origin)}
            for value, origin in setting.overridden
        ],
    }


def _value(value: Value, *, sensitive: bool) -> Any:
    if sensitive and value:
        return REDACTED
    return list(value) if isinstance(value, tuple) else value


def origin_json(origin: Origin) -> dict[str, Any]:
    """Return an origin with the keys that programs rely on."""
    match origin:
        case Default():
            return {"kind": "default"}
        case FromFile(place):
            return {"kind": "file", "file": place.file, "line": place.line}
        case FromEnvironment(variable):
            return {"kind": "env", "variable": variable}
        case Derived(setting, inner):
            return {**origin_json(inner), "kind": "derived", "from": setting}


def _listener(listener: Listener) -> dict[str, Any]:
    return {key: getattr(listener, key) for key in _LISTENER_KEYS}
