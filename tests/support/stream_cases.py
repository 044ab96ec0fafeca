"""Kong 3.10's own answers for connections, and a reader of the tables that are made of routes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.model.document import MappingNode
from compiler.model.entities import Route
from compiler.model.stream import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from compiler.model.stream import StreamAnswer, StreamTable

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "stream_cases.json").read_text()
)


@dataclass(frozen=True)
class Connection:
    """A client's connection; `name` is what it sends as SNI."""

    source: str = "192.0.2.1"
    source_port: int = 4711
    local: str = "127.0.0.1"
    name: str | None = None


def stream_route(**fields: Any) -> Route:
    """Make a route of connections with the fields that matching looks at."""
    unset: dict[str, Any] = dict.fromkeys(Route.__dataclass_fields__)
    unset |= dict.fromkeys(("protocols", "snis", "sources", "destinations"), ())
    given = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
    return Route(**{**unset, "source": MappingNode("routes", (1, 1)), **given})


def look_up(tables: Sequence[StreamTable], asked: Connection) -> StreamAnswer | None:
    """Look a connection up as nginx does, None where no row takes it."""
    for table in tables:
        key = (
            _name(asked.name or "", table.names),
            _prefix(asked.name or "", table.prefixes),
            _network(asked.source, table.sources),
            str(asked.source_port) if str(asked.source_port) in table.source_ports else OTHER,
            _network(asked.local, table.destinations),
        )
        for row in table.rows:
            if key == (row.name, row.prefix, row.source, row.source_port, row.destination):
                return row.answer
    return None


def _name(name: str, listed: Iterable[str]) -> str:
    if name in listed:
        return name
    held = [n for n in listed if n.startswith("*") and name.endswith(n[1:])]
    return max(held, key=len, default=OTHER)


def _prefix(name: str, listed: Iterable[str]) -> str:
    return max((n for n in listed if name.startswith(n[:-1])), key=len, default=OTHER)


def _network(address: str, listed: Iterable[str]) -> str:
    held = [ip_network(n) for n in listed if ip_address(address) in ip_network(n)]
    return str(max(held, key=lambda n: n.prefixlen)) if held else OTHER
