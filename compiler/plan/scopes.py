"""Which of several plugins of one name Kong runs for a route: the one closest to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.plugin_protocols import STREAM_PROTOCOLS
from compiler.catalog.plugins import is_compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.config import Config
    from compiler.model.entities import Plugin, Route


class ScopedPlugins:
    """Finds compiled plugins by route; with *connections* those that run for streams.

    The protocols of a plugin say for which of the two it runs, and no more.
    """

    def __init__(self, config: Config, target: str, *, connections: bool = False) -> None:
        self._plugins = {
            (plugin.name, plugin.route, plugin.service): plugin
            for plugin in config.entities.plugins.values()
            if plugin.enabled
            and is_compiled(plugin, target)
            and _runs_for(plugin, connections=connections)
        }

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._plugins)

    def applying(self, name: str, route: Route) -> Plugin | None:
        """Return the plugin of that name that runs for *route*, None where none does."""
        for scope in _scopes(route):
            found = self._plugins.get((name, *scope))
            if found is not None:
                return found
        return None


def _runs_for(plugin: Plugin, *, connections: bool) -> bool:
    return any((protocol in STREAM_PROTOCOLS) is connections for protocol in plugin.protocols)


def _scopes(route: Route) -> Iterator[tuple[str | None, str | None]]:
    """Yield the scopes (route, service) that a route's requests are in, closest first."""
    if route.service is not None:
        yield route.id, route.service
    yield route.id, None
    if route.service is not None:
        yield None, route.service
    yield None, None
