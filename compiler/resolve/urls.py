"""The `url` of a service: a shorthand for protocol, host, port and path."""

from __future__ import annotations

import re
from typing import Any

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)"
)
_PORT = re.compile(r":([^:\]]*)\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def expand_url(url: str) -> dict[str, Any]:
    """Return what the fields of a service become; None stands for a missing part.

    Only http and https have a port of their own: all others get 80, as in Kong.
    """
    match = _URL.match(url)
    parts = {} if match is None else match.groupdict()
    host, port = _split(parts.get("authority") or "")
    implied = {80: "http", 443: "https"}.get(port) if isinstance(port, int) else None
    protocol = parts.get("scheme") or implied or "http"
    return {
        "protocol": protocol,
        "host": host or None,
        "port": _DEFAULT_PORTS.get(protocol, 80) if port is None else port,
        "path": parts.get("path") or None,
    }


def _split(authority: str) -> tuple[str, int | str | None]:
    host = authority.rpartition("@")[2]
    match = _PORT.search(host)
    if match is None:
        return host.strip("[]"), None
    text = match[1]
    port: int | str | None = int(text) if text.isdigit() and len(text) < 10 else text or None
    return host[: match.start()].strip("[]"), port
