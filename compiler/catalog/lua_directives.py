"""Injected directives that need a module which stock nginx does not have."""

from __future__ import annotations

_WITHOUT_LUA = frozenset({"stream", "sproxy", "supstream"})
"""Blocks of streams, which are served without Lua: few builds of nginx have it there."""


def needs_module(name: str) -> bool:
    """Tell whether a directive is one of such a module."""
    return name.startswith(("lua_", "wasm_")) or "_lua_" in name


def takes_lua(block: str, name: str) -> bool:
    """Tell whether nginx with the Lua module takes such a directive in a block."""
    return not name.startswith("wasm_") and block not in _WITHOUT_LUA
