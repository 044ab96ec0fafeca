"""The table of all kong.conf properties, and what their names mean by their beginnings.

To add a property, add a line to the table it belongs to; a default that changes gets an entry
in `changed`, a property that goes away an `until`. Nothing is ever taken out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from compiler.catalog.properties_enterprise import ENTERPRISE_PROPERTIES
from compiler.catalog.properties_nginx import NGINX_PROPERTIES
from compiler.catalog.properties_node import NODE_PROPERTIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.catalog.properties_shape import Line, Property

PROPERTIES: Mapping[str, Property] = MappingProxyType(
    {p.name: p for p in (*NGINX_PROPERTIES, *NODE_PROPERTIES, *ENTERPRISE_PROPERTIES)}
)
"""Every property of every version, by name."""

DEEPER_CHAINS_SINCE: Mapping[Line, tuple[int, ...]] = MappingProxyType(
    {
        (3, 10): (3, 10, 0, 15),
        (3, 12): (3, 12, 0, 9),
        (3, 13): (3, 13, 0, 7),
        (3, 14): (3, 14, 0, 7),
        (3, 15): (3, 15, 0, 1),
    }
)
"""The patch of each line from which certificate chains may be `DEEPER_CHAIN` long by default."""

DEEPER_CHAIN = "5"
"""`lua_ssl_verify_depth` and nginx's `proxy_ssl_verify_depth` in those patches."""

BLOCKS = (
    "main",
    "events",
    "http",
    "proxy",
    "location",
    "upstream",
    "admin",
    "status",
    "stream",
    "sproxy",
    "supstream",
)
"""The nginx blocks that `nginx_<block>_<directive>` injects into, as Kong names them."""

DYNAMIC_PREFIXES = (
    *(f"nginx_{block}_" for block in BLOCKS),
    "nginx_debug_",
    "nginx_wasm_",
    "pluginserver_",
    "vault_",
)
"""A property whose name begins so need not be in the table."""

NOT_INJECTED = frozenset(
    {
        ("http", "upstream_keepalive"),
        ("http", "upstream_keepalive_timeout"),
        ("http", "upstream_keepalive_requests"),
        # Kong's own templates write these two.
        ("http", "lua_ssl_protocols"),
        ("stream", "lua_ssl_protocols"),
    }
)
"""Block and directive of the injections that Kong leaves out."""

SECRET_WORDS = ("password", "secret", "token", "_key")
"""A property outside the table whose name has one of these is taken for a secret."""

NOT_PROPERTIES = frozenset(
    {
        "conf",
        "license_data",
        "license_path",
        "password",
        "process_secrets",
        "sha256",
        "test",
        "version",
    }
)
"""What follows `KONG_` in variables that Kong itself or its images use for something else."""


def has_deeper_chains(version: tuple[int, ...]) -> bool:
    """Tell whether Kong *version* verifies chains of up to `DEEPER_CHAIN` by default."""
    first = DEEPER_CHAINS_SINCE.get((version[0], version[1]))
    return first is not None and version >= first


def default_text(name: str, version: tuple[int, ...]) -> str | None:
    """Return the default of property *name* in Kong *version*, as kong.conf would spell it."""
    if name == "lua_ssl_verify_depth" and has_deeper_chains(version):
        return DEEPER_CHAIN
    return PROPERTIES[name].default_in((version[0], version[1]))


def is_dynamic(name: str) -> bool:
    """Tell whether *name* has one of the `DYNAMIC_PREFIXES`, with something behind it."""
    return any(name.startswith(p) and len(name) > len(p) for p in DYNAMIC_PREFIXES)


def is_sensitive(name: str) -> bool:
    """Tell whether the value of property *name* must never be shown."""
    known = PROPERTIES.get(name)
    if known is not None:
        return known.sensitive
    return not name.startswith("nginx_") and any(word in name for word in SECRET_WORDS)
