"""`*_listen` properties to listeners."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.model.place import place_of
from compiler.model.settings import Listener
from compiler.resolve.addresses import parse_address
from compiler.resolve.values import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.settings import Setting

_COMMON = {
    "proxy_protocol": r"proxy_protocol",
    "bind": r"bind",
    "reuseport": r"reuseport",
    "backlog": r"backlog=[0-9]+",
    "ipv6only": r"ipv6only=(?:on|off)",
    "so_keepalive": r"so_keepalive=(?:on|off|[A-Za-z0-9]*:[A-Za-z0-9]*:[0-9]*)",
}
_HTTP = {"ssl": r"ssl", "http2": r"http2", "deferred": r"deferred", **_COMMON}
_STREAM = {"udp": r"udp", "ssl": r"ssl", **_COMMON}

_GROUPS = {
    "proxy": _HTTP,
    "admin": _HTTP,
    "admin_gui": _HTTP,
    "status": _HTTP,
    "stream": _STREAM,
    "cluster": _HTTP,
}

_SPELLINGS = {
    "backlog": "backlog=<number>",
    "ipv6only": "ipv6only=on|off",
    "so_keepalive": "so_keepalive=on|off|<idle>:<interval>:<count>",
}

# The largest number that nginx can read; a backlog beyond it stops nginx from starting.
_INT_MAX = 2**31 - 1


def parse_listeners(
    properties: Mapping[str, Setting], report: Report
) -> dict[str, tuple[Listener, ...]]:
    """Return the listeners of every group; entries that cannot be read are reported."""
    return {
        group: _parse_group(properties[f"{group}_listen"], flags, report)
        for group, flags in _GROUPS.items()
    }


def _parse_group(
    setting: Setting, flags: Mapping[str, str], report: Report
) -> tuple[Listener, ...]:
    entries = setting.value if isinstance(setting.value, tuple) else ()
    if entries[:1] == ("off",):
        return ()
    listeners = []
    for entry in entries or ("",):
        listener = _parse_entry(entry, flags)
        if isinstance(listener, Listener):
            listeners.append(listener)
        else:
            report.add(
                rules.INVALID_LISTENER,
                place_of(setting.origin),
                name=setting.name,
                entry=show(entry, secret=False),
                problem=listener,
                flags=", ".join(_SPELLINGS.get(flag, flag) for flag in flags),
            )
    return tuple(listeners)


def _parse_entry(entry: str, flags: Mapping[str, str]) -> Listener | str:
    """Return the listener that *entry* describes, or what is wrong with it."""
    rest, found = _take_flags(entry, flags)
    words = rest.split()
    if len(words) != 1:
        return (
            f"{show(words[1], secret=False)} is unknown here or repeated"
            if words
            else "it has no <ip>:<port>"
        )
    if words[0] == "off":
        return "off can only stand alone"
    if words[0].startswith("unix:"):
        return "Kong listens on no unix sockets"
    address = parse_address(words[0])
    if address is None or address.port is None:
        form = "<ip>:<port>, with a port from 1 to 65535"
        return f"{show(words[0], secret=False)} is not of the form {form}"
    backlog = found.get("backlog", "").partition("=")[2].lstrip("0")[:11] or "0"
    if int(backlog) > _INT_MAX:
        return f"{found['backlog']} is too large"
    return Listener(
        ip=address.host,
        port=address.port,
        ssl="ssl" in found,
        http2="http2" in found,
        proxy_protocol="proxy_protocol" in found,
        deferred="deferred" in found,
        bind="bind" in found,
        reuseport="reuseport" in found,
        backlog=int(backlog) if "backlog" in found else None,
        ipv6only=found["ipv6only"].endswith("=on") if "ipv6only" in found else None,
        so_keepalive=found["so_keepalive"].partition("=")[2] if "so_keepalive" in found else None,
        udp="udp" in found,
    )


def _take_flags(entry: str, flags: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Split *entry* into what is no flag, and the flags as they are written.

    Each flag takes the blanks around it along, so that of two equal ones side by side the
    second stays behind and is refused, as in Kong.
    """
    rest = f" {entry} "
    found: dict[str, str] = {}
    for flag, pattern in flags.items():
        matched = re.search(rf"\s({pattern})\s", rest, re.ASCII)
        if matched:
            found[flag] = matched[1]
            rest = re.sub(rf"\s(?:{pattern})\s", " ", rest, flags=re.ASCII)
    return rest.strip(), found
