"""Websockets end to end: by routes of http as by those of ws, to upstreams with and without TLS."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import pki, websocket
from support.client import client_context
from support.gateway import check, gateway
from support.upstreams import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway
    from support.websocket import Echo, Handshake

CA = "aaaaaaaa-0000-4000-8000-000000000001"
ROOT = pki.ca("Root")
OWN = pki.leaf(ROOT, "ok.test")
GATEWAY = pki.self_signed("gateway.test")
MESSAGES = [b"hello", b"", b"x" * 125]


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    plain: Echo
    secure: Echo

    def talk(self, path: str, *, tls: bool = False, **options: Any) -> Handshake:
        port = self.gateway.https_port if tls else self.gateway.http_port
        context = client_context() if tls else None
        return websocket.converse(port, "a.test", path, MESSAGES, context=context, **options)


def service(name: str, protocol: str, port: int, *routes: Any, **fields: Any) -> dict[str, Any]:
    return {"name": name, "protocol": protocol, "host": "127.0.0.1", "port": port,
            "routes": list(routes), **fields}  # fmt: skip


def route(path: str, *protocols: str, **fields: Any) -> dict[str, Any]:
    return {"name": path.strip("/"), "paths": [path], "protocols": list(protocols), **fields}


def entities(plain: int, secure: int) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [
            service("http", "http", plain, route("/http", "http", "https")),
            service("ws", "ws", plain, route("/ws", "ws", "wss"), route("/secure", "wss"),
                    path="/base"),
            *(
                service(name, "wss", secure, route(f"/{name}", "ws", "wss"), host=f"{name}.up",
                        tls_verify=True, ca_certificates=[CA])
                for name in ("right", "wrong")
            ),
        ],
        "upstreams": [
            {"name": f"{name}.up", "host_header": host,
             "targets": [{"target": f"127.0.0.1:{secure}"}]}
            for name, host in (("right", "ok.test"), ("wrong", "no.test"))
        ],
        "ca_certificates": [{"id": CA, "cert": ROOT.cert_pem}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    with ExitStack() as stack:
        plain = stack.enter_context(websocket.echo())
        secure = stack.enter_context(websocket.echo(identity(OWN)))
        files: dict[str, Any] = {
            "kong.conf": "ssl_cert = a.pem\nssl_cert_key = a.key\n",
            "a.pem": GATEWAY.cert_pem,
            "a.key": GATEWAY.key_pem,
            "kong.yml": entities(plain.port, secure.port),
        }
        yield Served(stack.enter_context(gateway(engine, folder, files)), plain, secure)


@pytest.mark.parametrize("path", ["/http", "/ws", "/right"])
@pytest.mark.parametrize("tls", [False, True])
def test_frames_pass_both_ways(served: Served, path: str, *, tls: bool) -> None:
    talk = served.talk(path, tls=tls)
    assert talk.status == 101
    assert talk.echoes == MESSAGES
    names = [name.lower() for name, _ in talk.headers]
    assert names.count("upgrade") == names.count("connection") == names.count("via") == 1


def test_what_the_upstream_is_asked(served: Served) -> None:
    served.talk("/ws/x?y", headers={"Origin": "https://a.test", "Upgrade": "WebSocket"})
    got = served.plain.handshakes[-1]
    assert (got["Connection"], got["Upgrade"]) == ("keep-alive, Upgrade", "websocket")
    assert got["Origin"] == "https://a.test"
    assert got["Sec-WebSocket-Version"] == "13"
    assert got["X-Forwarded-Path"] == "/ws/x"
    assert got["X-Forwarded-Prefix"] == "/ws"


def test_extensions_are_negotiated_by_routes_of_http_alone(served: Served) -> None:
    headers = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    for path, passed in (("/ws", False), ("/http", True)):
        assert served.talk(path, headers=headers).status == 101
        assert ("Sec-WebSocket-Extensions" in served.plain.handshakes[-1]) == passed


def test_upstreams_over_tls_are_verified(served: Served) -> None:
    assert served.talk("/right").status == 101
    assert served.secure.handshakes[-1]["Host"] == "ok.test"
    assert served.talk("/wrong").status == 502


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "POST"}, "invalid request method"),
        ({"without": frozenset({"Connection"})}, "invalid/missing 'Connection' header"),
        ({"headers": {"Connection": "close"}}, "invalid/missing 'Connection' header"),
        ({"without": frozenset({"Upgrade"})}, "invalid/missing 'Upgrade' header"),
        ({"headers": {"Upgrade": "h2c"}}, "invalid/missing 'Upgrade' header"),
        ({"without": frozenset({"Sec-WebSocket-Key"})},
         "invalid/missing 'Sec-WebSocket-Key' header"),
        ({"headers": {"Sec-WebSocket-Version": "130"}},
         "invalid/missing 'Sec-WebSocket-Version' header"),
        ({"without": frozenset({"Sec-WebSocket-Version"})},
         "invalid/missing 'Sec-WebSocket-Version' header"),
    ],
)  # fmt: skip
def test_nothing_but_handshakes_is_taken(
    served: Served, options: dict[str, Any], problem: str
) -> None:
    for path in ("/ws", "/right"):
        answer = served.talk(path, **options)
        assert answer.status == 400
        assert answer.body.decode() == f"Cannot complete WebSocket handshake: {problem}"
        names = {name.lower() for name, _ in answer.headers}
        assert "x-kong-response-latency" in names
        assert names.isdisjoint({"content-type", "via"})


def test_plain_text_for_routes_that_want_tls(served: Served) -> None:
    assert served.talk("/secure").status == 426
    assert served.talk("/secure", tls=True).echoes == MESSAGES


@pytest.mark.parametrize("protocol", ["grpcs", "wss"])
def test_tls_fields_are_taken_as_by_the_version(workdir: Path, protocol: str) -> None:
    routes = [{"paths": ["/"], "protocols": ["wss", "ws"] if protocol == "wss" else ["grpcs"]}]
    fields = {"host": "x.test", "port": 1, "protocol": protocol, "tls_verify": True}
    given = {
        "kong.conf": "lua_ssl_trusted_certificate = root.pem\ndns_resolver = 127.0.0.1\n"
                     "proxy_listen = 127.0.0.1:1 http2 ssl\n",
        "root.pem": ROOT.cert_pem,
        "kong.yml": {"_format_version": "3.0",
                     "services": [{"name": "s", **fields, "routes": routes}]},
    }  # fmt: skip
    for version, expected in (("3.13", 1), ("3.14", 0)):
        code, found = check(workdir, given, kong_version=version)
        assert code == expected, found
