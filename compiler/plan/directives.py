"""Which injected directives are written, and which the plan compiles or the target cannot take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.lua_directives import needs_module, takes_lua
from compiler.model.place import Default, place_of

if TYPE_CHECKING:
    from compiler.model.settings import Directive, Settings

_POLICY = ("verify", "verify_depth", "trusted_certificate", "name", "server_name")
COMPILED = frozenset(
    {
        "ssl_dhparam",
        "merge_slashes",
        *(f"{prefix}_ssl_{part}" for prefix in ("proxy", "grpc") for part in _POLICY),
    }
)
"""Directives whose meaning is in the plan: the upstream's TLS policy, the name it is known by, and
the form in which paths are compared."""

_COMPILED_IN_STREAMS = frozenset({"proxy_pass", "proxy_ssl", "ssl_preread"})
_STREAM_BLOCKS = frozenset({"stream", "sproxy"})

LUA_PATH = "lua_package_path"
"""Where Lua looks for libraries: what is injected is a part of the plan's own."""

_AUTO = frozenset({"worker_connections", "worker_rlimit_nofile"})
"""Directives for which Kong works out `auto` when it starts; nginx does not know the word."""


def plan_directives(settings: Settings, *, lua: bool) -> dict[str, tuple[Directive, ...]]:
    """Return the directives to write, by block; *lua* tells that requests may meet Lua."""
    return {
        block: tuple(
            d
            for d in directives
            if _is_written(block, d, lua=lua)
            and not (block in _STREAM_BLOCKS and d.name in _COMPILED_IN_STREAMS)
        )
        for block, directives in settings.directives.items()
    }


def _is_without_effect(block: str, name: str) -> bool:
    """Tell whether Kong's locations have directives of this name, which hide the injected one."""
    if name == "proxy_set_header":
        return block in {"http", "proxy"}
    return name == "grpc_set_header"


def _is_written(block: str, directive: Directive, *, lua: bool) -> bool:
    name = directive.name
    if name in COMPILED or name == LUA_PATH or _is_without_effect(block, name):
        return False
    if needs_module(name):
        return lua and takes_lua(block, name) and place_of(directive.origin) is not None
    if name in _AUTO and directive.value == "auto":
        return False
    # A daemon directive is the caller's business: run and systemd want different ones.
    return not (name == "daemon" and isinstance(directive.origin, Default))
