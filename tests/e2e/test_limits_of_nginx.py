"""What nginx cannot read is refused, or written so that it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import engines
from support.compiling import compile_texts
from support.gateway import gateway

if TYPE_CHECKING:
    from pathlib import Path

    from support.compiling import Outcome
    from support.engines import Engine

CONF = {"proxy_listen": "127.0.0.1:8000, 127.0.0.1:8443 ssl"}


def entities(*routes: dict[str, Any]) -> dict[str, Any]:
    """Return a gateway whose routes have no service: they answer 503."""
    return {"_format_version": "3.0", "routes": list(routes)}


def compiled(engine: Engine, *routes: dict[str, Any]) -> Outcome:
    return compile_texts(entities(*routes), CONF, nginx_version=engine.version[:3])


def said_by_nginx(outcome: Outcome, engine: Engine, tree: Path) -> str:
    """Return what nginx has against a tree; nothing where it takes it."""
    assert outcome.compiled is not None, outcome.diagnostics
    for path, file in outcome.compiled.tree.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(file.data())
    (tree / "logs/tmp").mkdir(parents=True)
    done = engines.nginx_test(engine, tree)
    return done.stderr if done.returncode else ""


def test_hundreds_of_routes_at_one_path(engine: Engine, workdir: Path) -> None:
    routes = [
        {"name": f"a-route-with-number-{n}", "paths": ["/x"], "headers": {"x-n": [str(n)]}}
        for n in range(300)
    ]
    assert said_by_nginx(compiled(engine, *routes), engine, workdir) == ""


LONG = {
    "header values": {"headers": {"x-v": [f"value-number-{n:06}" for n in range(300)]}},
    "a header value": {"headers": {"x-v": ["\\" * 2500]}},
    "a regular expression of a header": {"headers": {"x-v": [f"~*{'a' * 4100}"]}},
    "a name of a header": {"headers": {f"x{'a' * 4100}": ["~*a"]}},
    "many headers": {"headers": {f"x-very-long-name-{n:03}": ["a"] for n in range(250)}},
    "server names": {"protocols": ["https"], "snis": [f"n{n}.example.com" for n in range(400)]},
    "a regular expression that grows": {"paths": [f"~/x/(?i){'a' * 1500}"]},
    "one that is not alone": {"paths": [f"~/x/(?i){'a' * 1500}"], "methods": ["GET"]},
    "a path that grows": {"paths": [f"/{'é' * 700}"]},
    "a host": {"hosts": [".".join(["a" * 60] * 90)]},
    "a name": {"name": "r" * 5000, "methods": ["GET"]},
}
"""What makes words too long, of one route among others."""


@pytest.mark.parametrize("what", LONG)
def test_words_that_nginx_cannot_read_are_refused(what: str) -> None:
    route = {"name": "r", "paths": ["/x"], **LONG[what]}
    other = {"name": "other", "paths": ["/x"], "headers": {"x-v": ["1"]}}
    found = compiled(engines.find("embedded"), other, route)
    assert "K374" in found.codes, found.diagnostics
    assert found.compiled is None
    refused = [d for d in found.report if d.rule.code == "K374"]
    assert {d.entity.name for d in refused if d.entity} == {route["name"]}
    assert all(d.place for d in refused)
    # Tables of hosts, and of what leads to a route, belong to no route alone.
    assert "K362" not in found.codes or what in {"a host", "a name"}


def test_the_longest_words_are_read(engine: Engine, workdir: Path) -> None:
    routes = [
        {"name": f"r{n}", "paths": [f"/{n}"], "headers": {"x-v": ["x" * n]}}
        for n in range(4020, 4080)
    ]
    taken = [route for route in routes if compiled(engine, route).compiled is not None]
    assert 0 < len(taken) < len(routes)
    assert said_by_nginx(compiled(engine, *taken[-3:]), engine, workdir) == ""


@pytest.mark.parametrize("name", ["*", "h.example.com"])
def test_long_paths_hold_nothing_else_or_are_refused(
    engine: Engine, workdir: Path, name: str
) -> None:
    longest = 255 - len(name)
    hosts = {} if name == "*" else {"hosts": [name]}
    for length in (longest, longest + 1, 600):
        routes = [{"name": "long", "paths": ["/" + "a" * (length - 1)], **hosts}]
        outcome = compiled(engine, *routes)
        if length > longest and engine.version < (1, 23, 4):
            assert "K373" in outcome.codes
            continue
        assert outcome.compiled is not None, outcome.diagnostics
        files = {"kong.yml": entities(*routes)}
        with gateway(engine, workdir / str(length), files) as found:
            for asked in (max(length - 256, 1), length // 2, length - 1):
                assert found.get(name, "/" + "a" * (asked - 1)).status == 404
            assert found.get(name, "/" + "a" * (length - 1)).status == 503


@pytest.mark.parametrize(
    ("host", "path", "patch", "refused"),
    [
        ("192.0.2.1", "/a%2Fb", (22, 1), False),
        ("192.0.2.1", "/a$%20b", (22, 1), False),
        ("192.0.2.1", "/a$%2Fb", (29, 0), True),
        ("up.test", "/a%3fb", (27, 2), True),
        ("up.test", "/a%20b", (27, 2), False),
        ("up.test", "/a%3fb", (27, 3), False),
    ],
)
def test_service_paths_that_nginx_would_send_as_something_else(
    host: str, path: str, patch: tuple[int, int], *, refused: bool
) -> None:
    service = {"name": "s", "host": host, "path": path, "routes": [{"paths": ["/x"]}]}
    conf = {**CONF, "dns_resolver": "127.0.0.1"}
    entities = {"_format_version": "3.0", "services": [service]}
    found = compile_texts(entities, conf, nginx_version=(1, *patch))
    assert ("K348" in found.codes) is refused
