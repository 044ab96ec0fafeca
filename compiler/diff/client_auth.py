"""Routes that other plugins than before ask who their clients are, though no plugin says so.

A plugin that comes, goes or changes is told as such. What is told here is which one applies: a
route may be moved to another service, or have one of its own in place of one for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.diff.changes import Change, risk
from compiler.diff.entities import guards
from compiler.diff.guard_risk import guard_risk
from compiler.diff.spelling import as_json, spelt
from compiler.plan.scopes import ScopedPlugins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.diff.changes import Risk
    from compiler.diff.entities import EntityDiff
    from compiler.diff.records import Record
    from compiler.model.config import Config
    from compiler.model.diagnostic import EntityRef
    from compiler.model.entities import Route

_NAMES = ("mtls-auth", "header-cert-auth")


def client_auth_changes(
    old: tuple[Config, str], new: tuple[Config, str], entities: EntityDiff
) -> Iterator[Change]:
    """Yield the routes of two configurations, each with its target, that another plugin guards."""
    sides = [ScopedPlugins(config, target) for config, target in (old, new)]
    halves = _Halves(entities)
    for before, after in entities.pairs["routes"]:
        routes = old[0].entities.routes[before.id], new[0].entities.routes[after.id]
        for name in _NAMES:
            was = _applying(name, sides[0], entities.plugins[0], routes[0])
            is_now = _applying(name, sides[1], entities.plugins[1], routes[1])
            if not halves.tell(was, is_now):
                yield from _change(routes[1], name, was, is_now)
    yield from _open_ways(new[0], sides[1], entities)


def _applying(
    name: str, plugins: ScopedPlugins, records: dict[str, Record], route: Route
) -> Record | None:
    plugin = plugins.applying(name, route)
    return None if plugin is None else records[plugin.id]


class _Halves:
    """Knows which plugins of the two sides are the same."""

    def __init__(self, entities: EntityDiff) -> None:
        pairs = entities.pairs["plugins"]
        self._after = {before.id: after for before, after in pairs}
        self._before = {after.id: before for before, after in pairs}

    def tell(self, was: Record | None, is_now: Record | None) -> bool:
        """Tell whether what differs, if anything does, is told of the plugin itself."""
        if was is not None and is_now is not None:
            return self._after.get(was.id) is is_now
        if was is not None:
            other = self._after.get(was.id)
        elif is_now is not None:
            other = self._before.get(is_now.id)
        else:
            return True
        return other is None or not guards(other)


def _change(route: Route, name: str, was: Record | None, is_now: Record | None) -> Iterator[Change]:
    if was is None and is_now is not None:
        message = f"clients are now asked who they are, by plugin {is_now.label}"
        yield _made(route, "added", "strengthens", None, is_now.label, message)
    elif was is not None and is_now is None:
        message = f"clients are no longer asked who they are, as they were by plugin {was.label}"
        yield _made(route, "removed", "weakens", was.label, None, message)
    elif was is not None and is_now is not None:
        differing = [
            field
            for field in dict.fromkeys((*is_now.fields, *was.fields))
            if field.startswith("config.") and was.fields.get(field) != is_now.fields.get(field)
        ]
        if differing:
            shown = [f"{f} {spelt(was.fields.get(f), is_now.fields.get(f))}" for f in differing]
            yield _made(
                route,
                "changed",
                guard_risk(was.fields, is_now.fields),
                {field: as_json(was.fields.get(field)) for field in differing},
                {field: as_json(is_now.fields.get(field)) for field in differing},
                f"{name} is now that of plugin {is_now.label}, was {was.label}: {'; '.join(shown)}",
            )


def _open_ways(config: Config, plugins: ScopedPlugins, entities: EntityDiff) -> Iterator[Change]:
    """Yield new routes that lead, without a certificate, where others ask for one."""
    asking: dict[str, Route] = {}
    for route in config.entities.routes.values():
        if route.service is not None and _refuses(route, plugins):
            asking.setdefault(route.service, route)
    known = {after.id for _, after in entities.pairs["routes"]}
    for route in config.entities.routes.values():
        guarded = asking.get(route.service or "")
        if guarded is None or route.id in known or any(plugins.applying(n, route) for n in _NAMES):
            continue
        yield Change(
            kind="service-open-way-added",
            risk=risk(weakens=True, strengthens=False),
            entity=route.ref,
            before=None,
            after=guarded.label,
            message=f"route {route.label}: leads to its service without the client's certificate "
            f"that route {guarded.label} asks for",
        )


def _refuses(route: Route, plugins: ScopedPlugins) -> bool:
    found = [plugin for name in _NAMES if (plugin := plugins.applying(name, route)) is not None]
    return bool(found) and all(plugin.config["anonymous"] is None for plugin in found)


def _made(route: Route, what: str, level: Risk, before: Any, after: Any, message: str) -> Change:
    ref: EntityRef = route.ref
    return Change(
        kind=f"route-client-auth-{what}",
        risk=level,
        entity=ref,
        before=before,
        after=after,
        message=f"route {route.label}: {message}",
    )
