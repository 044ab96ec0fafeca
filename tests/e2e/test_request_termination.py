"""Answers in place of a service (request-termination)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import http2, ports
from support.engines import nginx_test
from support.gateway import compile_tree, gateway
from support.upstreams import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

HOSTILE = "a \"b\" 'c' $uri ${uri} ; } \\ # é 50%\n\treturn 200;"
LONG = "<p>$long 'text'</p>\n" * 700
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=UTF-8"
"""What nginx_http_charset makes of text/html, here as in Kong."""


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    peer: Upstream
    http2_port: int

    def ask(self, host: str, path: str = "/", **options: Any) -> Response:
        return self.gateway.get(host, path, tls=False, **options)

    def call(self, path: str) -> http2.Answer:
        return http2.request(self.http2_port, "grpc.test", path, headers=GRPC, body=b"", tls=False)


def ending(**config: Any) -> list[dict[str, Any]]:
    return [{"name": "request-termination", "config": config}]


ROUTES = {
    "plain.test": ending(),
    "message.test": ending(status_code=406, message="Invalid"),
    "silent.test": ending(status_code=409),
    "teapot.test": ending(status_code=418, body="<b>tea</b>", content_type="text/html"),
    "raw.test": ending(status_code=200, body='{"code": 1}'),
    "empty.test": ending(status_code=204),
    "hostile.test": ending(message=HOSTILE),
    "hostile-body.test": ending(body=HOSTILE, content_type='text/x; a="$uri;}"'),
    "long.test": ending(status_code=503, body=LONG, content_type="text/html"),
    "trigger.test": ending(status_code=404, trigger="x-Stop", message="stopped"),
    "http.test": [*ending(), {"name": "ip-restriction", "config": {"deny": ["127.0.0.1"]}}],
    "off.test": [{**ending()[0], "enabled": False}],
}
CALLS = {
    "/message": ending(message=HOSTILE),
    "/silent": ending(status_code=403),
    "/body": ending(status_code=429, body="slow down"),
    "/typed": ending(status_code=400, body="no gRPC", content_type="text/plain"),
}


def entities(port: int) -> dict[str, Any]:
    calls = [{"paths": [path], "protocols": ["grpc"], "plugins": p} for path, p in CALLS.items()]
    return {
        "_format_version": "3.0",
        "services": [
            {"name": "things", "url": f"http://127.0.0.1:{port}",
             "routes": [{"hosts": [host], "plugins": p} for host, p in ROUTES.items()]},
            {"name": "calls", "url": f"grpc://127.0.0.1:{port}", "routes": calls},
            {"name": "closed", "url": f"http://127.0.0.1:{port}", "plugins": ending(),
             "routes": [
                 {"hosts": ["closed.test"]},
                 {"hosts": ["own.test"], "plugins": ending(status_code=410, trigger="x")}]},
        ],
        "routes": [
            {"name": "alone", "hosts": ["alone.test"], "plugins": ending(status_code=200)},
            {"name": "some", "hosts": ["some.test"],
             "plugins": ending(status_code=200, trigger="x")},
            {"name": "https", "hosts": ["https.test"], "protocols": ["https"],
             "plugins": ending()},
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    with upstream() as peer, ports.reserve(3) as (plain, calls, secure):
        addresses = f"127.0.0.1:{plain}, 127.0.0.1:{calls} http2, 127.0.0.1:{secure} ssl"
        files = {"kong.yml": entities(peer.port), "kong.conf": f"proxy_listen = {addresses}\n"}
        with gateway(engine, folder, files, http_port=plain, https_port=secure) as running:
            yield Served(running, peer, calls)


@pytest.mark.parametrize(
    ("host", "status", "content_type", "body"),
    [
        ("plain.test", 503, JSON, {"message": "Service unavailable"}),
        ("message.test", 406, JSON, {"message": "Invalid"}),
        ("teapot.test", 418, HTML, "<b>tea</b>"),
        ("raw.test", 200, JSON, '{"code": 1}'),
        ("silent.test", 409, None, ""),
        ("empty.test", 204, None, ""),
        ("hostile.test", 503, JSON, {"message": HOSTILE}),
        ("hostile-body.test", 503, 'text/x; a="$uri;}"', HOSTILE),
        ("long.test", 503, HTML, LONG),
        ("closed.test", 503, JSON, {"message": "Service unavailable"}),
        ("alone.test", 200, None, ""),
    ],
)
def test_answers(
    served: Served, host: str, status: int, content_type: str | None, body: Any
) -> None:
    before = len(served.peer.requests)
    # The format does not depend on what is accepted.
    for method in ("GET", "POST", "DELETE"):
        answer = served.ask(host, method=method, headers={"Accept": "text/html"})
        assert answer.status == status
        assert answer.header("content-type") == content_type
        assert (json.loads(answer.text) if isinstance(body, dict) else answer.text) == body
    assert len(served.peer.requests) == before


def test_headers_of_the_gateways_own_answers_come_with_it(served: Served) -> None:
    answer = served.ask("plain.test")
    assert answer.header("x-kong-response-latency") is not None
    assert answer.header("x-kong-upstream-latency") is None


@pytest.mark.parametrize(
    ("path", "headers", "passed"),
    [
        ("/", {}, 1),
        ("/", {"X-Stop": "anything"}, 0),
        ("/?x-Stop", {}, 0),
        ("/?a=1&x-Stop=0&b", {}, 0),
        ("/?x%2dSto%70=1", {}, 0),
        ("/?x-stop=1", {}, 1),
        ("/?ax-Stop=1&x-Stopa=1&a=x-Stop", {}, 1),
        ("/x-Stop", {"X-Other": "x-Stop"}, 1),
    ],
)
def test_only_what_triggers_it_is_answered(
    served: Served, path: str, headers: dict[str, str], passed: int
) -> None:
    before = len(served.peer.requests)
    answer = served.ask("trigger.test", path, headers=headers)
    if not passed:
        assert (answer.status, answer.json()) == (404, {"message": "stopped"})
    else:
        assert (answer.status, answer.json()["target"]) == (200, path)
    assert len(served.peer.requests) == before + passed


def test_a_route_without_a_service_is_answered_or_has_none(served: Served) -> None:
    assert served.ask("some.test", "/?x").status == 200
    assert served.ask("some.test").json()["message"] == "no Service found with those values"


def test_what_comes_before_it_in_kong_comes_before_it(served: Served) -> None:
    assert served.ask("http.test").status == 403
    assert served.ask("https.test").status == 426


def test_the_routes_own_takes_the_place_of_the_services(served: Served) -> None:
    assert served.ask("own.test").status == 200
    assert served.ask("own.test", "/?x").status == 410


def test_clients_of_grpc_are_told_in_headers(served: Served) -> None:
    def told(path: str) -> tuple[int, str | None, str | None]:
        answer = served.call(path)
        headers = dict(answer.headers)
        return answer.status, headers.get("grpc-status"), headers.get("grpc-message")

    text = "a \"b\" 'c' $uri ${uri} ; } \\ # %C3%A9 50%25%0A%09return 200;"
    assert told("/message") == (503, "14", text)
    assert told("/silent") == (403, "7", "PermissionDenied")
    assert told("/body") == (429, "8", "slow down")
    assert told("/typed") == (400, None, None)
    assert served.call("/typed").body == b"no gRPC"


def test_switched_off_it_answers_nothing(served: Served) -> None:
    assert served.ask("off.test").status == 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "grpc://127.0.0.1:1"])
@pytest.mark.parametrize("plugins", [ending(), ending(trigger="x"), []])
def test_nothing_else_has_to_strip_a_prefix(
    engine: Engine, workdir: Path, url: str, plugins: list[dict[str, Any]]
) -> None:
    """What is told of a prefix is worked out of a variable that some location has to set."""
    route = {"paths": ["~/a\\d+"], "plugins": plugins}
    document = {"_format_version": "3.0", "services": [{"url": url, "routes": [route]}]}
    compiled = compile_tree(engine, workdir, {"kong.yml": document})
    assert nginx_test(engine, compiled.tree).returncode == 0
