"""What Lua needs of nginx, for the target that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.lua import LuaPlan
from compiler.plan.directives import LUA_PATH

if TYPE_CHECKING:
    from compiler.model.inputs import Inputs
    from compiler.model.settings import Settings


def plan_lua(settings: Settings, inputs: Inputs) -> LuaPlan | None:
    """Return what Lua needs, None for a target without it."""
    if inputs.target != "openresty":
        return None
    # What nginx loads because the user says so must not be loaded twice.
    loaded = [d.value for d in settings.directives.get("main", ()) if d.name == "load_module"]
    path = settings.directive("http", LUA_PATH)
    return LuaPlan(
        modules=tuple(
            file
            for file in inputs.lua.files
            if not any(file.rpartition("/")[2] in value for value in loaded)
        ),
        package_path=None if path is None else _unquoted(path.value),
    )


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
