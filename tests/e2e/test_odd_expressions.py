"""Expressions whose texts no request can have, or that nginx would take for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import compile_texts
from support.gateway import gateway
from support.upstreams import upstream

if TYPE_CHECKING:
    from pathlib import Path

    from support.compiling import Outcome
    from support.engines import Engine

CONF = "router_flavor = expressions\n"
REFUSED = [
    # A table's key and a path behind it would be the name of another table's location.
    'http.host == "a.test" && http.path ^= ".evil/x"',
    'http.path ^= "!refused"',
    'http.path ^= "x"',
    'http.host == "route=x"',
    'http.host == "/./json"',
    'http.host == "https-only=426"',
    # They would stand for more than one host.
    'http.host == "*"',
    'http.host == "*.a.test"',
    'http.host == ".a.test"',
    'http.host == "~^.*"',
    'http.host == "\\\\default"',
    # nginx refuses them.
    'http.host == "a..b"',
    'http.host =^ "..b"',
    'http.host =^ "."',
    'http.host ^= "."',
    # A dot ends the name of a variable.
    'http.headers.a.b == "x"',
    *(f'http.{field} == "a\0b"' for field in ("path", "host", "method", "headers.x")),
    'http.path ~ "^/\0"',
]


def routes(*expressions: str, **fields: Any) -> dict[str, Any]:
    found = [{"name": f"r{n}", "expression": e, **fields} for n, e in enumerate(expressions)]
    return {"_format_version": "3.0", "routes": found}


def compiled(expression: str) -> Outcome:
    return compile_texts(routes(expression), f"{CONF}proxy_listen = 127.0.0.1:80\n")


@pytest.mark.parametrize("expression", REFUSED)
def test_texts_that_would_mean_something_else_are_refused(expression: str) -> None:
    found = compiled(expression)
    assert found.compiled is None
    assert found.codes & {"K345", "K372"}


@pytest.mark.parametrize(
    "expression",
    ['http.host == "[::1]"', 'http.host == "127.0.0.1"', 'http.host == "A_b-c.TEST"',
     'http.host =^ ".a.test"', 'http.host ^= "a."', 'http.path ^= ""', 'http.path ^= "/\\n{}$;"'],
)  # fmt: skip
def test_usual_texts_are_compiled(expression: str) -> None:
    found = compiled(expression)
    assert found.compiled is not None, found.diagnostics


def test_each_alternative_strips_what_it_matched(engine: Engine, workdir: Path) -> None:
    way = '(http.path ^= "/a" || http.path ^= "/bb" || http.path ~ "^/c+") && http.method == "GET"'
    with upstream() as peer:
        entities = routes(way, strip_path=True, service={"name": "s"})
        entities["services"] = [{"name": "s", "url": f"http://{peer.address}"}]
        files = {"kong.yml": entities, "kong.conf": CONF}
        with gateway(engine, workdir, files) as found:
            for path in ("/a/1", "/bb/2", "/ccc/3"):
                assert found.get("x.test", path).status == 200
    assert [seen["target"] for seen in peer.requests] == ["/1", "/2", "/3"]


def test_no_route_matches_a_path_that_is_not_utf8(engine: Engine, workdir: Path) -> None:
    with gateway(engine, workdir, {"kong.yml": routes('http.path ^= "/"'), "kong.conf": CONF}) as g:
        assert g.get("x.test", b"/\xc3\xa9").status == 503
        assert g.get("x.test", b"/\xff").status == 404
