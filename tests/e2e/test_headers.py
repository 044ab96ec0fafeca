"""Headers: what upstreams are sent and clients are answered, byte for byte."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support import pki, ports
from support.gateway import gateway
from support.upstreams import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway

CERT = pki.self_signed("gateway.test")
EDITION = "kong/3.15.0.1-enterprise-edition"


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Serve an answer byte for byte to every request; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    received = b""
                    while b"\r\n\r\n" not in received and (more := connection.recv(65536)):
                        received += more
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


ACCEPT = {"Accept": "application/json"}
_BODY = {"status_code": 418, "body": '{"message": "ended"}', "content_type": "application/json"}
ENDED = {"name": "ended", "plugins": [{"name": "request-termination", "config": _BODY}]}


def entities(port: int) -> dict[str, Any]:
    with ports.reserve() as (closed,):
        dead = {"name": "dead", "host": "127.0.0.1", "port": closed, "retries": 0}
    routes = [
        {"name": "any", "paths": ["/"]},
        {"name": "regex", "paths": ["~/r[0-9]+"]},
        {"name": "root", "paths": ["~/$"], "hosts": ["root.test"]},
    ]
    return {
        "_format_version": "3.0",
        "services": [
            {"name": "s", "host": "127.0.0.1", "port": port, "routes": routes},
            {**dead, "routes": [{"name": "dead", "paths": ["/dead"]}]},
        ],
        "routes": [{"name": "alone", "paths": ["/alone"]}, {**ENDED, "paths": ["/ended"]}],
    }


def files(port: int, conf: str = "") -> dict[str, Any]:
    return {
        "kong.conf": f"ssl_cert = a.pem\nssl_cert_key = a.key\n{conf}",
        "a.pem": CERT.cert_pem,
        "a.key": CERT.key_pem,
        "kong.yml": entities(port),
    }


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Gateway]:
    with upstream() as peer, gateway(engine, folder, files(peer.port)) as running:
        yield running


def sent(served: Gateway, path: str = "/", **options: Any) -> dict[str, str]:
    """Give the headers that the upstream got, each once."""
    answer = served.get(options.pop("host", "a.test"), path, tls=False, **options)
    assert answer.status == 200
    headers = answer.json()["headers"]
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names)), names
    return dict(headers)


def test_a_bare_request_byte_for_byte(served: Gateway) -> None:
    got = sent(served, "/p?q=1", headers={"Accept-Encoding": "gzip, br", "X-Own": "kept"})
    request = got.pop("X-Kong-Request-Id")
    assert re.fullmatch("[0-9a-f]{32}", request)
    host = got.pop("Host")
    assert host.startswith("127.0.0.1:")
    assert got == {
        "Connection": "keep-alive",
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "a.test",
        "X-Forwarded-Port": str(served.http_port),
        "X-Forwarded-Path": "/p",
        "Via": f"1.1 {EDITION}",
        "Accept-Encoding": "gzip, br",
        "X-Own": "kept",
    }


def test_headers_of_one_hop_go_no_further(served: Gateway) -> None:
    given = {
        "Connection": "close, TE, Trailer, http2-settings",
        "Keep-Alive": "timeout=5",
        "Proxy-Connection": "keep-alive",
        "Proxy": "http://evil.test",
        "Trailer": "X-Sum",
        "HTTP2-Settings": "AAMAAABk",
        "TE": "gzip;q=0.5, Trailers",
        "Upgrade": "h2c",
    }
    got = sent(served, headers=given)
    assert got["Connection"] == "keep-alive"
    assert got["TE"] == "trailers"
    assert not {"Keep-Alive", "Proxy-Connection", "Proxy", "Trailer", "HTTP2-Settings",
                "Upgrade"} & got.keys()  # fmt: skip
    unnamed = {"Trailer": "X-Sum", "Proxy-Authorization": "Basic x", "TE": "gzip"}
    got = sent(served, headers=unnamed)
    assert (got["Trailer"], got["Proxy-Authorization"]) == ("X-Sum", "Basic x")
    assert "TE" not in got


def test_via_grows_with_each_hop(served: Gateway, engine: Engine, workdir: Path) -> None:
    assert sent(served, headers={"Via": "1.0 before"})["Via"] == f"1.0 before, 1.1 {EDITION}"
    with upstream() as peer:
        for version, expected in (("3.7", None), ("3.9.1", "1.1 kong/3.9.1")):
            args = ["--kong-version", version]
            with gateway(engine, workdir, files(peer.port), args=args) as other:
                assert sent(other).get("Via") == expected


@pytest.mark.parametrize(
    ("version", "via", "expected"),
    [("1.0", "", "1"), ("1.1", "", "1.1"), ("1.9", "", "1.1"), ("1.1", "5", "5, 1.1"),
     ("1.0", "1.1:", "1.1:, 1"), ("1.1", "1.0 before:", "1.0 before:, 1.1")],
)  # fmt: skip
def test_via_tells_how_the_client_asked(
    served: Gateway, version: str, via: str, expected: str
) -> None:
    before = f"Via: {via}\r\n" if via else ""
    request = f"GET / HTTP/{version}\r\nHost: a.test\r\n{before}Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.http_port), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    body = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
    assert dict(body["headers"])["Via"] == f"{expected} {EDITION}"


def test_peers_are_added_where_an_address_is_injected(engine: Engine, workdir: Path) -> None:
    conf = "nginx_proxy_set_real_ip_from = 127.0.0.1\n"
    with upstream() as peer, gateway(engine, workdir, files(peer.port, conf)) as other:
        got = sent(other, headers={"X-Real-IP": "192.0.2.9", "X-Forwarded-For": "192.0.2.1"})
        assert (got["X-Real-IP"], got["X-Forwarded-For"]) == ("192.0.2.9", "192.0.2.1, 127.0.0.1")


def test_prefixes_of_regular_expressions_are_what_they_matched(served: Gateway) -> None:
    assert sent(served, "/r123/x")["X-Forwarded-Prefix"] == "/r123"
    assert sent(served, "/r1%2Fx")["X-Forwarded-Prefix"] == "/r1"
    assert "X-Forwarded-Prefix" not in sent(served, "/other")
    assert "X-Forwarded-Prefix" not in sent(served, "/", host="root.test")


def test_ports_that_clients_connected_to(engine: Engine, workdir: Path) -> None:
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        conf = f"port_maps = 443:{secure}, 80:{plain}\nheaders_upstream = off\n"
        given = files(peer.port, conf)
        with gateway(engine, workdir, given, http_port=plain, https_port=secure) as other:
            got = sent(other)
            assert got["X-Forwarded-Port"] == "80"
            assert "X-Kong-Request-Id" not in got


@pytest.mark.parametrize(
    ("header", "recursive", "chain", "expected"),
    [
        ("X-Forwarded-For", "off", "192.0.2.1, 192.0.2.2", "192.0.2.2"),
        ("X-Forwarded-For", "on", "192.0.2.1, 192.0.2.2, 127.0.0.9", "192.0.2.2"),
        ("X-Client", "off", "192.0.2.3", "192.0.2.3"),
    ],
)
def test_the_address_of_the_client(
    engine: Engine, workdir: Path, header: str, recursive: str, chain: str, expected: str
) -> None:
    conf = (
        f"trusted_ips = 127.0.0.0/8\nreal_ip_header = {header}\nreal_ip_recursive = {recursive}\n"
    )
    with upstream() as peer, gateway(engine, workdir, files(peer.port, conf)) as other:
        got = sent(other, headers={header: chain})
        assert got["X-Real-IP"] == expected
        given = f"{chain}, 127.0.0.1" if header == "X-Forwarded-For" else expected
        assert got["X-Forwarded-For"] == given


def names(answer: Response) -> set[str]:
    return {name.lower() for name, _ in answer.headers}


def test_answers_of_upstreams(served: Gateway) -> None:
    answer = served.get("a.test", "/", tls=False)
    assert answer.values("via") == [f"1.1 {EDITION}"]
    assert re.fullmatch(r"\d+", str(answer.header("x-kong-upstream-latency")))
    assert re.fullmatch("[0-9a-f]{32}", str(answer.header("x-kong-request-id")))
    assert "x-kong-response-latency" not in names(answer)
    assert "x-kong-upstream-status" not in names(answer)


def test_own_answers(served: Gateway) -> None:
    for path in ("/alone", "/alone?x"):
        answer = served.get("a.test", path, tls=False)
        assert re.fullmatch(r"\d+", str(answer.header("x-kong-response-latency")))
        assert not {"via", "x-kong-upstream-latency", "upgrade", "grpc-status"} & names(answer)
    failed = served.get("a.test", "/dead", tls=False)
    assert failed.status == 502
    assert failed.values("via") == [f"1.1 {EDITION}"]
    assert re.fullmatch(r"\d+", str(failed.header("x-kong-upstream-latency")))


UPSTREAM = (
    b"HTTP/1.1 203 Odd\r\nServer: theirs\r\nDate: Tue, 01 Sep 2026 00:00:00 GMT\r\n"
    b"Via: 1.0 behind\r\nX-Kong-Upstream-Latency: forged\r\nX-Kong-Request-Id: forged\r\n"
    b"Upgrade: h2c\r\nTrailer: X-Sum\r\nKeep-Alive: timeout=9\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 2\r\nX-Own: kept\r\n\r\nhi"
)


def test_headers_of_upstreams_are_kept_or_replaced(engine: Engine, workdir: Path) -> None:
    conf = "headers = server_tokens, latency_tokens, X-Kong-Request-Id, X-Kong-Upstream-Status\n"
    with answering(UPSTREAM) as port, gateway(engine, workdir, files(port, conf)) as other:
        answer = other.get("a.test", "/", tls=False)
        assert (answer.status, answer.body) == (203, b"hi")
        for name, values in {
            "Server": ["theirs"],
            "Date": ["Tue, 01 Sep 2026 00:00:00 GMT"],
            "Via": [f"1.0 behind, 1.1 {EDITION}"],
            "X-Kong-Upstream-Status": ["203"],
            "X-Own": ["kept"],
            "Upgrade": [],
            "Trailer": [],
            "Keep-Alive": [],
        }.items():
            assert answer.values(name) == values, name
        assert "forged" not in dict(answer.headers).values()
        asked = other.get("a.test", "/", tls=False, headers={"TE": "trailers"})
        assert asked.values("trailer") == ["X-Sum"]
        failed = other.get("a.test", "/dead", tls=False)
        assert failed.values("x-kong-upstream-status") == ["502"]


def test_headers_off(engine: Engine, workdir: Path) -> None:
    with (
        answering(UPSTREAM) as port,
        gateway(engine, workdir, files(port, "headers = off\n")) as other,
    ):
        answer = other.get("a.test", "/", tls=False)
        assert answer.values("via") == ["1.0 behind"]
        assert answer.values("x-kong-upstream-latency") == ["forged"]
        own = other.get("a.test", "/alone", tls=False)
        assert not {name for name in names(own) if name.startswith(("x-kong", "via"))}


def test_via_of_older_versions_is_theirs_alone(engine: Engine, workdir: Path) -> None:
    args = ["--kong-version", "3.7.1"]
    with answering(UPSTREAM) as port, gateway(engine, workdir, files(port), args=args) as other:
        assert other.get("a.test", "/", tls=False).values("via") == ["kong/3.7.1"]


def test_latencies_are_milliseconds(engine: Engine, workdir: Path) -> None:
    """What nginx writes in seconds; the upstream's answer is never early."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                threading.Event().wait(1.05)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with gateway(engine, workdir, files(port)) as other:
            answer = other.get("a.test", "/", tls=False)
        thread.join()
    assert 1000 <= int(str(answer.header("x-kong-upstream-latency"))) < 60_000


@pytest.mark.parametrize(
    "injected",
    [
        "nginx_location_proxy_set_header = X-Injected yes",
        "nginx_location_add_header = X-Injected yes always",
        "nginx_http_add_header = X-Injected yes always",
        "nginx_proxy_add_header = X-Injected yes always",
        "nginx_location_proxy_hide_header = X-Own",
        "nginx_proxy_proxy_hide_header = X-Own",
        "nginx_location_proxy_pass_header = X-Accel-Expires",
    ],
)
def test_what_is_injected_takes_nothing_away(engine: Engine, workdir: Path, injected: str) -> None:
    with upstream() as peer, gateway(engine, workdir, files(peer.port, f"{injected}\n")) as other:
        got = sent(other)
        assert got["X-Forwarded-Host"] == "a.test"
        answer = other.get("a.test", "/", tls=False)
        assert answer.values("via") == [f"1.1 {EDITION}"]
        assert len(answer.values("x-kong-request-id")) == 1
        assert ("X-Injected" in got) == ("set_header" in injected)
        assert bool(answer.values("x-injected")) == ("add_header" in injected)
        for path in ("/alone", "/ended", "/dead"):
            own = other.get("a.test", path, tls=False, headers=ACCEPT)
            assert own.json()["message"]
            assert len(own.values("x-kong-request-id")) == 1
            assert bool(own.values("x-injected")) == ("add_header" in injected)
            assert bool(own.values("x-kong-response-latency")) == (path != "/dead")
