"""The request that heads nginx.conf: it goes where Kong sends it, by locations that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import compile_texts

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.request import Request
from compiler.router.upstream import outcome as outcome_of
from compiler.router.upstream import upstream_uri

if TYPE_CHECKING:
    from support.compiling import Outcome

    from compiler.router.patterns import Flavor

CASES = json.loads((Path(__file__).parent / "data/router_cases.json").read_text())
LISTEN = {"http": "127.0.0.1:8000", "https": "127.0.0.1:8000, 127.0.0.1:8443 ssl"}
SERVICE = {"name": "s", "url": "http://192.0.2.1:8080/base"}


def compiled(
    services: Any, *, routes: Any = (), scheme: str = "http", flavor: str = "traditional_compatible"
) -> Outcome:
    return compile_texts(
        {"_format_version": "3.0", "services": services, "routes": list(routes)},
        {
            "proxy_listen": LISTEN[scheme],
            "dns_resolver": "127.0.0.1",
            "tls_certificate_verify": "off",
            "router_flavor": flavor,
        },
    )


def traced(outcome: Outcome) -> list[str]:
    """Give the lines of the trace."""
    head = outcome.conf.partition("\n\n")[0]
    return [line.removeprefix("#     ") for line in head.splitlines() if line.startswith("#   ")]


def of_routes(*routes: dict[str, Any], **options: Any) -> list[str]:
    return traced(compiled([{**SERVICE, "routes": list(routes)}], **options))


@pytest.mark.parametrize("scheme", LISTEN)
@pytest.mark.parametrize("flavor", ["traditional_compatible", "traditional"])
def test_it_goes_where_kong_sends_it(scheme: str, flavor: Flavor) -> None:
    found = 0
    for case in CASES:
        services = [{**service, "enabled": True} for service in case["services"]]
        outcome = compiled(services, routes=case["routes"], scheme=scheme, flavor=flavor)
        if outcome.compiled is None or not traced(outcome):
            continue
        found += 1
        first, second, third = traced(outcome)
        url = first.removeprefix("GET ").partition(", ")[0]
        assert url.startswith(f"{scheme}://")
        host, slash, path = url.partition("://")[2].partition("/")
        request = Request(
            scheme=scheme, host=host.replace("HOST", "h.invalid"), target=slash + path
        )
        entities = outcome.compiled.config.entities
        winner = match(candidates(entities.routes.values(), flavor), request)
        shown = outcome.compiled.plan.traced
        assert winner is not None, (case["name"], first)
        assert shown is not None
        assert winner.candidate.route.id == shown.answer.route.id, (case["name"], first)
        assert outcome_of(winner, request) is None
        service = entities.services[winner.candidate.route.service or ""]
        assert third.endswith(upstream_uri(winner, service, request))
        for location in re.findall(r"location (\S+)", second):
            assert re.search(rf"location (?:= )?\"?{re.escape(location)}\"? ", outcome.conf)
    assert found >= 20


def test_a_host_of_its_own_is_shown_rather_than_any() -> None:
    anywhere = {"name": "anywhere", "paths": ["/a"]}
    named = {"name": "named", "hosts": ["z.test"], "paths": ["/z"]}
    assert of_routes(anywhere, named) == [
        "GET http://z.test/z",
        "-> key z.test -> location z.test/z",
        "-> upstream s -> http://192.0.2.1:8080/base",
    ]
    assert of_routes(anywhere)[:2] == [
        "GET http://HOST/a, for a HOST that no route names",
        "-> key * -> location */a",
    ]


def test_what_decides_is_passed_through() -> None:
    routes = (
        {"name": "any", "hosts": ["z.test"], "paths": ["/z"], "strip_path": False},
        {"name": "put", "hosts": ["z.test"], "paths": ["/z"], "methods": ["PUT"]},
        {"name": "new", "hosts": ["z.test"], "paths": ["/z"], "headers": {"x": ["1"]}},
    )
    assert of_routes(*routes)[1:] == [
        "-> key z.test -> location z.test/z -> location route=any/",
        "-> upstream s -> http://192.0.2.1:8080/base/z",
    ]


@pytest.mark.parametrize(
    "route",
    [
        {"protocols": ["https"]},
        {"paths": ["~/a$"]},
        {"paths": ["/é"]},
        {"methods": ["PUT"]},
        {"headers": {"x": ["~*1"]}},
        {"hosts": ["*.test"]},
        {"hosts": ["z.test:8000"]},
        {"plugins": [{"name": "ip-restriction", "config": {"deny": ["192.0.2.0/24"]}}]},
    ],
)
def test_what_need_not_be_served_so_is_not_traced(route: dict[str, Any]) -> None:
    assert of_routes({"name": "r", "paths": ["/"], **route}) == []


def test_it_hangs_on_no_other_route() -> None:
    routes = [{"name": f"r{n}", "hosts": [f"h{n}.test"], "paths": ["/x"]} for n in range(20)]
    routes += [{"name": f"p{n}", "paths": [f"/p{n}"]} for n in range(3)]
    whole = of_routes(*routes)
    without = [of_routes(*(r for r in routes if r is not left_out)) for left_out in routes]
    assert sum(lines != whole for lines in without) == 1
    assert of_routes(*reversed(routes)) == whole
