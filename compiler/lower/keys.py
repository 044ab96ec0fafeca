"""Which table of locations a request is looked up in: by its Host, and by its port where asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.lower.paths import KONG_PATH
from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.plan import Plan
    from compiler.model.routing import HostTable

EVERY_HOST = "*"
HTTPS_ONLY = "https-only="
ERRORS = "/./"
"""What locations of errors begin with: no client can ask for a path like that."""


def lower_key_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps that lead from a request to the beginning of its location's name."""
    names = [table for table in plan.tables if table.port is None and table.kind != "default"]
    ports = [table for table in plan.tables if table.port is not None]
    known = "$host_name_key" if ports else "$host_key"
    maps = [_by_name(names, known)]
    if plan.port_maps:
        maps.append(_connection_port(plan))
    if ports:
        maps += [_asked_port(plan), _by_port(ports, known, plan)]
    if plan.https_only:
        maps += _by_scheme(plan)
    return tuple(maps)


def location_key(plan: Plan) -> Expression:
    """Return the name of the location that a request is looked up in."""
    return Expression(f"{'$table_key' if plan.https_only else '$host_key'}{KONG_PATH}")


def _by_name(tables: Iterable[HostTable], variable: str) -> Map:
    found = list(tables)
    # nginx tries all prefix wildcards before all suffix wildcards, which hides hosts that match
    # one of each; regular expressions are tried in the order they are written.
    as_regex = any(table.kind == "both-wildcards" for table in found)
    return Map(
        why="the table of a host: its own, that of a wildcard, or that of all hosts",
        source=Expression("$host"),
        variable=variable,
        default=Literal(EVERY_HOST),
        entries=tuple(
            (Literal(_host_pattern(table, as_regex=as_regex)), expression(table.key))
            for table in found
        ),
        options=("hostnames",),
    )


def _host_pattern(table: HostTable, *, as_regex: bool) -> str:
    if table.kind == "exact" or not as_regex:
        return table.patterns[0]
    return "~^" + _regex(table.patterns)


def _regex(patterns: tuple[str, ...]) -> str:
    """Return a regular expression for hosts that match one wildcard, or a prefix and a suffix."""
    ends = "".join(rf".+{re.escape(p[1:])}$" for p in patterns if p.startswith("*"))
    begins = "".join(rf"{re.escape(p[:-1])}." for p in patterns if p.endswith("*"))
    return f"(?={begins}){ends}" if begins and ends else begins or ends


def _asked_port(plan: Plan) -> Map:
    # Flavor traditional looks at the Host header alone.
    other = Expression("$scheme") if plan.ports_by_scheme else Expression(connection_port(plan))
    return Map(
        why="the port that the client asked for, else what stands for it",
        source=Expression("$http_host"),
        variable="$asked_port",
        default=other,
        entries=((Literal(r"~:0*(?<host_port>\d+)$"), Expression("$host_port")),),
    )


def connection_port(plan: Plan) -> str:
    """Return the variable that holds the port which clients connect to."""
    return "$connection_port" if plan.port_maps else "$server_port"


def _connection_port(plan: Plan) -> Map:
    return Map(
        why="the port that the client connected to (port_maps)",
        source=Expression("$server_port"),
        variable=connection_port(plan),
        default=Expression("$server_port"),
        entries=tuple((Literal(port), Literal(outer)) for port, outer in plan.port_maps),
    )


def _by_port(tables: list[HostTable], known: str, plan: Plan) -> Map:
    entries = [(Literal(table.key), expression(table.key)) for table in tables]
    if plan.ports_by_scheme:
        # There, wildcards are content with the port that the scheme stands for.
        for table in tables:
            scheme = {80: "http", 443: "https"}.get(table.port or 0)
            if scheme is not None and table.kind != "exact":
                name = table.key.removesuffix(f":{table.port}")
                entries.append((Literal(f"{name}:{scheme}"), expression(table.key)))
    return Map(
        why="hosts that routes name with a port",
        source=Expression(f"{known}:$asked_port"),
        variable="$host_key",
        default=Expression(known),
        entries=tuple(entries),
    )


def _by_scheme(plan: Plan) -> list[Map]:
    plain = Map(
        why="hosts that are served over HTTPS alone, when asked without",
        source=Expression("$host_key"),
        variable="$plain_http_key",
        default=Expression("$host_key"),
        entries=tuple(
            (Literal(key), Literal(f"{HTTPS_ONLY}{found.status}"))
            for found in plan.https_only
            for key in found.keys
        ),
    )
    choice = Map(
        why="the table, as far as it depends on what the client used",
        source=Expression("$needs_https"),
        variable="$table_key",
        default=Expression("$host_key"),
        entries=((Literal("1"), Expression("$plain_http_key")),),
    )
    return [plain, choice]
