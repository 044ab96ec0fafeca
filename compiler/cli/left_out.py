"""The plugins without which routes are served because the user allowed it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from compiler.cli.show import printable
from compiler.validate.plugins import allowed_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.entities import Plugin, Route
    from compiler.model.inputs import Inputs
    from compiler.pipeline import Compiled


def left_out(compiled: Compiled | None, inputs: Inputs) -> dict[str, int]:
    """Return how many routes each plugin that was allowed to be left out is for, by its name.

    Nothing was, where nothing was compiled.
    """
    if compiled is None:
        return {}
    config = compiled.config
    found: dict[str, list[Plugin]] = {}
    allowed = inputs.allow_uncompiled
    for plugin in allowed_plugins(config, target=inputs.target, allowed=allowed):
        found.setdefault(plugin.name, []).append(plugin)
    routes = config.entities.routes.values()
    return {
        name: sum(any(_is_for(plugin, route) for plugin in plugins) for route in routes)
        for name, plugins in sorted(found.items())
    }


def show_left_out(found: Mapping[str, int]) -> None:
    """Say the same in a line on standard error; nothing where nothing was left out."""
    if found:
        plugins = [f"{name} ({n} route{'' if n == 1 else 's'})" for name, n in found.items()]
        said = f"served without {', '.join(plugins)}: allowed by --allow-uncompiled"
        print(printable(said), file=sys.stderr)


def left_out_json(found: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the same as programs read it."""
    return [{"plugin": name, "routes": routes} for name, routes in found.items()]


def _is_for(plugin: Plugin, route: Route) -> bool:
    return plugin.route in {None, route.id} and plugin.service in {None, route.service}
