"""The tables decide as Kong's router does: looked up as nginx would, against a plain search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from support.compiling import compile_texts

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.routing import Choice, Conditions, HostTable, PathNode
    from compiler.router.patterns import Flavor

HOSTS = (
    "a.test", "b.a.test", "c.b.a.test", "*.a.test", "*.test", "*.b.a.test", "a.*", "b.a.*",
    "a.test:81", "*.a.test:81", "*.b.a.test:82", "d.test:82",
)  # fmt: skip
PATHS = (
    "/", "/x", "/x/", "/x/y", "/xy", "/x/y/z", "~/x/[0-9]+$", "~/x", "~/[^/]+/y", "~/x|/y",
    "~/x/(y|z)", "~/$", "~/x\\.y",
)  # fmt: skip
ASKED_HOSTS = ("a.test", "b.a.test", "c.b.a.test", "x.a.test", "b.c", "a.b.test", "d.test", "z")
ASKED_PATHS = ("/", "/x", "/x/", "/x/y", "/xy/y", "/x/12", "/x/y/z", "/q", "/q/y", "/x.y", "/qx")
METHODS = ("GET", "POST")


def some(values: Sequence[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True)


ROUTES = st.lists(
    st.fixed_dictionaries(
        {
            "hosts": some(HOSTS),
            "paths": some(PATHS),
            "methods": some(METHODS, 1),
            "snis": some(("a.test", "*.a.test"), 1),
            "headers": st.sampled_from(({}, {}, {"x-v": ["1", "2"]}, {"x-w": ["1"], "x-v": ["2"]})),
            "regex_priority": st.sampled_from((0, 0, 5)),
            "created_at": st.integers(1, 5),
        }
    ).filter(lambda route: any(route[k] for k in ("hosts", "paths", "methods", "snis", "headers"))),
    min_size=1,
    max_size=7,
)
REQUESTS = st.builds(
    Request,
    scheme=st.sampled_from(("http", "https")),
    method=st.sampled_from(METHODS),
    host=st.builds(
        lambda name, port: name + port,
        st.sampled_from(ASKED_HOSTS),
        st.sampled_from(("", "", ":81", ":82")),
    ),
    target=st.sampled_from(ASKED_PATHS),
    headers=st.sampled_from(((), (("X-V", "1"),), (("X-V", "2"), ("X-W", "1")))),
    sni=st.sampled_from((None, "a.test", "b.a.test")),
)


@settings(deadline=None, max_examples=100)
@given(routes=ROUTES, requests=st.lists(REQUESTS, min_size=5, max_size=15))
def test_tables_find_the_route_that_kong_finds(
    routes: list[dict[str, Any]], requests: list[Request]
) -> None:
    check(routes, requests, "traditional_compatible")


def check(routes: list[dict[str, Any]], requests: list[Request], flavor: Flavor) -> None:
    entities = [
        {**{k: v for k, v in route.items() if v}, "id": str(UUID(int=n + 1)), "name": f"r{n}",
         "protocols": ["https"] if route["snis"] else ["http", "https"]}
        for n, route in enumerate(routes)
    ]  # fmt: skip
    outcome = compile_texts(
        {"_format_version": "3.0", "routes": entities},
        {"proxy_listen": "127.0.0.1:80, 127.0.0.1:443 ssl", "router_flavor": flavor},
    )
    assert outcome.compiled is not None, outcome.diagnostics
    known = candidates(outcome.compiled.config.entities.routes.values(), flavor)
    for request in requests:
        found = match(known, request)
        expected = None if found is None else found.candidate.route.name
        assert search(outcome.compiled.plan.tables, request) == expected, request


def search(tables: tuple[HostTable, ...], request: Request) -> str | None:
    """Look a request up in the tables as the maps and locations of nginx do."""
    by_key = {table.key: table for table in tables}
    name = next((t for t in by_name(tables) if matches_host(t, request)), tables[0])
    table = by_key.get(f"{name.key}:{request.host_port}", name)
    while True:
        choice = first(table, request)
        if choice is not None:
            return choice.answer.route.name
        if table.otherwise is None:
            return None
        table = by_key[table.otherwise]


def by_name(tables: tuple[HostTable, ...]) -> list[HostTable]:
    """Give the tables of names in nginx's order: exact ones, then as they stand."""
    named = [t for t in tables if t.port is None and t.kind != "default"]
    return sorted(named, key=lambda table: table.kind != "exact")


def matches_host(table: HostTable, request: Request) -> bool:
    host = request.host_name or ""
    return all(
        host.endswith(p[1:]) and len(host) > len(p) - 1
        if p.startswith("*")
        else host.startswith(p[:-1]) and len(host) > len(p) - 1
        if p.endswith("*")
        else host == p
        for p in table.patterns
    )


def first(table: HostTable, request: Request) -> Choice | None:
    node = longest(table, request.path)
    if node is None:
        return None
    return next((c for c in node.choices if holds(c.conditions, request)), None)


def longest(table: HostTable, path: str) -> PathNode | None:
    exact = [node for node in table.nodes if node.exact and node.path == path]
    prefixes = [node for node in table.nodes if not node.exact and path.startswith(node.path)]
    return max(exact or prefixes, key=lambda node: len(node.path), default=None)


def holds(conditions: Conditions, request: Request) -> bool:
    if conditions.methods and request.method not in conditions.methods:
        return False
    if conditions.path is not None and not re.search(
        "^" + conditions.path.replace(r"\z", r"\Z"), request.path
    ):
        return False
    for header in conditions.headers:
        if not set(request.header(header.name)) & set(header.values):
            return False
    if not conditions.names or request.scheme == "http":
        return True
    sni = request.sni or "\0"
    return any(
        sni == name.text if name.kind == "exact" else sni.endswith(name.text)
        for name in conditions.names
    )
