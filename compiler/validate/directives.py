"""Injected directives: their values are nginx by definition, their names have to be names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.catalog.lua_directives import needs_module, takes_lua
from compiler.model.place import FromEnvironment, FromFile, place_of

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.model.settings import Settings

_NAME = re.compile(r"[a-z0-9_]+")


_STREAM_BLOCKS = frozenset({"stream", "sproxy", "supstream"})
_DECIDED_BY_SERVICES = frozenset({"proxy_pass", "proxy_ssl", "ssl_preread"})
"""Directives of streams that say where connections go, and whether with TLS."""


def check_directives(settings: Settings, *, lua: bool, report: Report) -> None:
    """Report injected directives whose names nginx cannot know, and those that are left out.

    *lua* tells that the nginx that is compiled for has the Lua module.
    """
    for block, directives in settings.directives.items():
        for directive in directives:
            place = place_of(directive.origin)
            if not _NAME.fullmatch(directive.name):
                report.add(rules.DIRECTIVE_NAME, place, block=block, directive=directive.name)
            elif isinstance(directive.origin, FromFile | FromEnvironment):
                reason = _left_out(block, directive.name, settings, lua=lua)
                if reason is not None:
                    report.add(
                        rules.DIRECTIVE_IGNORED,
                        place,
                        block=block,
                        directive=directive.name,
                        reason=reason,
                    )


def _left_out(block: str, name: str, settings: Settings, *, lua: bool) -> str | None:
    """Say why a directive that somebody injected is not written, None when it is."""
    if (block in {"http", "proxy"} and name == "proxy_set_header") or name == "grpc_set_header":
        return "Kong's locations have headers of their own, so that it has no effect there either"
    if block in _STREAM_BLOCKS and not settings.listeners.get("stream"):
        return "stream_listen is off"
    if block in _STREAM_BLOCKS and name in _DECIDED_BY_SERVICES:
        return "services decide that"
    if name == "merge_slashes":
        return "routes are compared with Kong's normal form of the path, which has single slashes"
    return _no_module(block, name, lua=lua) if needs_module(name) else None


def _no_module(block: str, name: str, *, lua: bool) -> str | None:
    if not lua:
        return "it needs a module that stock nginx does not have"
    if takes_lua(block, name):
        return None
    if name.startswith("wasm_"):
        return "it needs a module that OpenResty does not have"
    return "streams are served without Lua"
