"""Tables of connections to `map` and `geo` blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.lower.maps import map_key
from compiler.model.nginx import Map, Source
from compiler.model.stream import OTHER
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from compiler.model.stream import StreamAnswer, StreamRow, StreamServer, StreamTable

_BETWEEN = "|"


@dataclass(frozen=True, slots=True)
class _Dimension:
    """One thing that rows differ in: its classes, and where nginx finds the value."""

    field: str
    what: str
    variable: str
    source: str
    classes: tuple[str, ...]
    by_address: bool = False
    hostnames: bool = False


def lower_tables(
    server: StreamServer, label: str, target: Callable[[StreamAnswer], str]
) -> tuple[Map, ...]:
    """Return the maps that decide a server's connections, the one to ask first at the end.

    *label* tells the server's variables from others'. What the maps give is what *target* says
    of each answer, or nothing, which closes the connection.
    """
    default: Expression | Literal | None = None
    if server.otherwise is not None:
        default = Literal(target(server.otherwise))
    maps: list[Map] = []
    last = len(server.tables) - 1
    for index in range(last, -1, -1):
        suffix = label if index == 0 else f"{label}_{index + 1}"
        found = _table(server, server.tables[index], suffix, default, target)
        maps += found
        default = Expression(found[-1].variable)
    return tuple(maps)


def _table(
    server: StreamServer,
    table: StreamTable,
    label: str,
    default: Expression | Literal | None,
    target: Callable[[StreamAnswer], str],
) -> list[Map]:
    used = [d for d in _dimensions(server, table, label) if d.classes]
    alone = len(used) == 1 and not used[0].by_address
    helpers = [] if alone else [_classes(dimension) for dimension in used]
    source = used[0].source if alone else _BETWEEN.join(d.variable for d in used)
    decides = Map(
        why=f"the route, by {' and '.join(d.what for d in used)}",
        source=Expression(source),
        variable=f"$route_{label}",
        default=default,
        entries=tuple(
            (Literal(map_key(_key(row, used))), Literal(target(row.answer))) for row in table.rows
        ),
        options=("hostnames",) if alone and used[0].hostnames else (),
        sources=tuple(_source(row) for row in table.rows),
    )
    return [*helpers, decides]


def _dimensions(server: StreamServer, table: StreamTable, label: str) -> list[_Dimension]:
    ends_tls = server.handling is not None and server.handling.terminates
    name = "$ssl_server_name" if ends_tls else "$ssl_preread_server_name"
    return [
        _Dimension("name", "server name", f"$name_{label}", name, table.names, hostnames=True),
        _Dimension(
            "prefix", "first labels", f"$labels_{label}", name, table.prefixes, hostnames=True
        ),
        _Dimension(
            "source", "client address", f"$client_{label}", "$remote_addr", table.sources,
            by_address=True,
        ),
        _Dimension(
            "source_port", "client port", f"$client_port_{label}", "$remote_port",
            table.source_ports,
        ),
        _Dimension(
            "destination", "local address", f"$local_{label}", "$server_addr",
            table.destinations, by_address=True,
        ),
    ]  # fmt: skip


def _classes(dimension: _Dimension) -> Map:
    """Return the map from a value to what the rows know of it; to nothing for all others."""
    return Map(
        why=f"the {dimension.what}, as far as routes ask for it",
        source=Expression(dimension.source),
        variable=dimension.variable,
        default=None,
        entries=tuple((Literal(map_key(c)), Literal(c)) for c in dimension.classes),
        by_address=dimension.by_address,
        options=("hostnames",) if dimension.hostnames else (),
    )


def _key(row: StreamRow, used: list[_Dimension]) -> str:
    return _BETWEEN.join(getattr(row, dimension.field) or OTHER for dimension in used)


def _source(row: StreamRow) -> Source:
    route = row.answer.route
    return Source("route", route.id, route.name, route.source)
