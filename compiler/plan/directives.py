"""Which injected directives are written, and which the plan compiles or the target cannot take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.place import Default

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

_AUTO = frozenset({"worker_connections", "worker_rlimit_nofile"})
"""Directives for which Kong works out `auto` when it starts; nginx does not know the word."""


def plan_directives(settings: Settings, target: str) -> dict[str, tuple[Directive, ...]]:
    """Return the directives to write, by block."""
    return {
        block: tuple(
            d
            for d in directives
            if _is_written(block, d, target)
            and not (block in _STREAM_BLOCKS and d.name in _COMPILED_IN_STREAMS)
        )
        for block, directives in settings.directives.items()
    }


def _is_without_effect(block: str, name: str) -> bool:
    """Tell whether Kong's locations have directives of this name, which hide the injected one."""
    if name == "proxy_set_header":
        return block in {"http", "proxy"}
    return name == "grpc_set_header"


def _is_written(block: str, directive: Directive, target: str) -> bool:
    name = directive.name
    if name in COMPILED or _is_without_effect(block, name):
        return False
    if target == "nginx" and (name.startswith(("lua_", "wasm_")) or "_lua_" in name):
        return False
    if name in _AUTO and directive.value == "auto":
        return False
    # A daemon directive is the caller's business: run and systemd want different ones.
    return not (name == "daemon" and isinstance(directive.origin, Default))
