"""The gateway's own answers, byte for byte: format, text, headers."""

from __future__ import annotations

import itertools
import re
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from support import pki, ports
from support.gateway import gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway

CERT = pki.self_signed("gateway.test")
JSON, HTML, PLAIN, XML = (
    f"{name}; charset=utf-8"
    for name in ("application/json", "text/html", "text/plain", "application/xml")
)
NOTHING = "no Route matched with those values"
NO_PEER = "failure to get a peer from the ring-balancer"


def body(content_type: str, message: str, request: str) -> str:
    return {
        JSON: f'{{\n  "message":"{message}",\n  "request_id":"{request}"\n}}',
        HTML: (
            '<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n'
            "    <title>Error</title>\n  </head>\n  <body>\n    <h1>Error</h1>\n"
            f"    <p>{message}.</p>\n    <p>request_id: {request}</p>\n  </body>\n</html>\n"
        ),
        PLAIN: f"{message}\nrequest_id: {request}\n",
        XML: (
            '<?xml version="1.0" encoding="UTF-8"?>\n<error>\n'
            f"  <message>{message}</message>\n  <requestid>{request}</requestid>\n</error>\n"
        ),
    }[content_type]


def entities(**fields: Any) -> dict[str, Any]:
    with ports.reserve() as (closed,):
        dead = {"name": "dead", "host": "127.0.0.1", "port": closed, "retries": 0}
    routes = [
        {"name": "dead", "paths": ["/dead"]},
        {"name": "secure", "paths": ["/secure"], "protocols": ["https"]},
    ]
    moved = [
        {"paths": [f"/{status}"], "protocols": ["https"], "https_redirect_status_code": status}
        for status in (301, 302, 307, 308)
    ]
    return {
        "_format_version": "3.0",
        "services": [
            {**dead, "routes": [*routes, *moved], **fields},
            {"name": "empty", "host": "empty.upstream", "routes": [{"paths": ["/empty"]}]},
        ],
        "upstreams": [
            {"name": "empty.upstream", "targets": [{"target": "127.0.0.1:9", "weight": 0}]}
        ],
        "routes": [{"name": "alone", "paths": ["/alone"]}],
    }


def files(conf: str = "", **more: Any) -> dict[str, Any]:
    conf = f"ssl_cert = a.pem\nssl_cert_key = a.key\n{conf}"
    return {
        "kong.conf": conf,
        "a.pem": CERT.cert_pem,
        "a.key": CERT.key_pem,
        "kong.yml": entities(),
        **more,
    }


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Gateway]:
    conf = "nginx_proxy_large_client_header_buffers = 2 1k\nnginx_proxy_client_max_body_size = 10\n"
    with gateway(engine, folder, files(conf)) as running:
        yield running


def ask(served: Gateway, path: str, **options: Any) -> Response:
    return served.get("a.test", path, tls=False, **options)


def raw(served: Gateway, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", served.http_port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while more := connection.recv(65536):
            received += more
    return received


def told(answer: Response) -> tuple[str | None, str]:
    """Give an answer's type, and its message; the whole text must be as expected."""
    content_type = answer.header("content-type")
    text = answer.body.decode()
    request = answer.header("x-kong-request-id")
    assert content_type is not None
    assert request is not None
    assert re.fullmatch("[0-9a-f]{32}", request)
    patterns = {JSON: '"message":"(.*)"', HTML: "<p>(.*)\\.</p>", PLAIN: "(.*)\n",
                XML: "<message>(.*)</message>"}  # fmt: skip
    found = re.search(patterns[content_type], text)
    assert found is not None
    assert text == body(content_type, found[1], request)
    assert answer.header("content-length") == str(len(answer.body))
    return content_type, found[1]


ACCEPTED = [
    ("application/json", JSON),
    ("text/html", HTML),
    ("text/plain", PLAIN),
    ("application/xml", XML),
    ("text/*", PLAIN),
    ("application/*", JSON),
    ("*/*", JSON),
    ("image/png", JSON),
    ("nonsense", JSON),
    ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", HTML),
    ("image/png, text/html", JSON),
    ("text/html;q=0.3, application/xml;q=0.7", XML),
    ("text/html;q=0.30, application/xml;q=0.300", HTML),
    ("text/html;q=0, text/plain;q=0.1", PLAIN),
    ("text/html;q=0.000", JSON),
    ("text/html;level=1;q=0.4, text/plain;q=0.5", PLAIN),
    ("text/html ; level=1 , text/plain", HTML),
    ("text/html;q=1.0, text/plain", HTML),
    ("text/html;q=0.05, text/plain;q=0.2", PLAIN),
    ("Text/HTML", JSON),
    ("*;q=.2, text/html", HTML),
    ("text/htm", JSON),
]


@pytest.mark.parametrize(("accept", "expected"), ACCEPTED)
def test_the_format_follows_accept(served: Gateway, accept: str, expected: str) -> None:
    headers = {"Accept": accept}
    assert told(ask(served, "/none?x=1", headers=headers)) == (expected, NOTHING)
    failed = told(ask(served, "/dead", headers=headers))
    assert failed == (expected, "An invalid response was received from the upstream server")
    assert told(ask(served, "/empty?x=1", headers=headers)) == (expected, NO_PEER)


def test_the_router_answers_in_json_where_nothing_is_accepted(served: Gateway) -> None:
    headers = {"Content-Type": "text/html"}
    assert told(ask(served, "/none")) == (JSON, NOTHING)
    assert told(ask(served, "/none", headers=headers)) == (JSON, NOTHING)
    assert told(ask(served, "/alone")) == (JSON, "no Service found with those values")
    assert told(ask(served, "/secure")) == (JSON, "Please use HTTPS protocol")
    assert told(ask(served, "/empty", headers=headers)) == (JSON, NO_PEER)


def test_an_upstream_without_targets_is_unavailable(served: Gateway) -> None:
    for path in ("/empty", "/empty/a%2Fb", "/empty?peer"):
        answer = ask(served, path)
        assert (answer.status, told(answer)) == (503, (JSON, NO_PEER))
        assert answer.header("via") is None
    # Nobody else is told so.
    assert told(ask(served, "/alone?peer"))[1] == "no Service found with those values"


def test_other_errors_follow_the_type_of_the_request_and_then_the_default(
    served: Gateway, engine: Engine, workdir: Path
) -> None:
    assert told(ask(served, "/dead"))[0] == PLAIN
    assert told(ask(served, "/dead", headers={"Content-Type": "application/xml"}))[0] == XML
    both = {"Content-Type": "application/xml", "Accept": "text/html"}
    assert told(ask(served, "/dead", headers=both))[0] == HTML
    with gateway(engine, workdir, files("error_default_type = application/xml\n")) as other:
        assert told(ask(other, "/dead"))[0] == XML
        assert told(ask(other, "/none"))[0] == JSON


def test_heads_have_the_length_of_the_text_and_no_text(served: Gateway) -> None:
    for path, status in (("/none", 404), ("/alone", 503), ("/dead", 502), ("/empty", 503)):
        told_in_full = ask(served, path)
        head = ask(served, path, method="HEAD")
        assert (head.status, head.body) == (status, b"")
        assert head.header("content-length") == told_in_full.header("content-length")
        assert head.header("content-type") == told_in_full.header("content-type")


def test_https_is_asked_for_by_an_upgrade(served: Gateway) -> None:
    answer = ask(served, "/secure?x=1")
    assert told(answer) == (JSON, "Please use HTTPS protocol")
    assert answer.status == 426
    assert answer.values("upgrade") == ["TLS/1.2, HTTP/1.1"]
    assert "Upgrade" in answer.values("connection")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_have_no_text(served: Gateway, status: int) -> None:
    answer = ask(served, f"/{status}/x?y=%2F", headers={"Accept": "text/html"})
    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("location") == f"https://a.test/{status}/x?y=%2F"
    assert answer.header("content-length") == "0"
    assert answer.header("content-type") is None


def test_what_nginx_refuses_is_told_as_kong_would(served: Gateway) -> None:
    long = "x" * 3000
    assert told(ask(served, f"/{long}", headers={"Accept": "text/html"})) == (PLAIN, "URI too long")
    large = ask(served, "/none", headers={"X-Long": long})
    assert (large.status, told(large)) == (400, (PLAIN, "Request header or cookie too large"))
    body_too_large = ask(served, "/dead", method="POST", body=b"x" * 11)
    assert body_too_large.status == 413
    assert told(body_too_large) == (PLAIN, "Payload too large")
    refused = ask(served, "/none", headers=[("Host", "a"), ("Host", "b")])
    assert (refused.status, told(refused)) == (400, (PLAIN, "Bad request"))
    traced = ask(served, "/none", method="TRACE")
    assert (traced.status, told(traced)) == (405, (PLAIN, "Method not allowed"))
    expected = ask(served, "/none", headers={"Content-Length": "nothing"})
    assert (expected.status, told(expected)) == (400, (PLAIN, "Bad request"))


def test_malformed_request_lines(served: Gateway) -> None:
    answer = raw(served, b"nonsense\x01\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\n\r\nBad request\nrequest_id: " in answer


def test_http_0_9_is_routed(served: Gateway) -> None:
    answer = raw(served, b"GET /none\r\n")
    assert b'"message":"no Route matched' in answer


def test_a_timeout_of_an_upstream(engine: Engine, workdir: Path) -> None:
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        given = entities(port=silent.getsockname()[1], read_timeout=1)
        served = stack.enter_context(gateway(engine, workdir, files(**{"kong.yml": given})))
        answer = ask(served, "/dead")
        assert answer.status == 504
        assert told(answer) == (PLAIN, "The upstream server is timing out")


TEMPLATE = "\"quoted\" 'single' $uri ${uri} \\n \\\\ {}; # %% é\n%s\tand %s\n"


def test_texts_of_the_user(engine: Engine, workdir: Path) -> None:
    conf = "".join(f"error_template_{name} = {name}.txt\n" for name in ("html", "json", "plain"))
    given = {
        "html.txt": f"<!-- {TEMPLATE} -->",
        "json.txt": "%s",
        "plain.txt": "no placeholder at all",
    }
    with gateway(engine, workdir, files(conf, **given)) as served:
        answer = ask(served, "/none", headers={"Accept": "text/html"})
        request = answer.header("x-kong-request-id")
        filled = given["html.txt"].replace("%%", "%").replace("%s", NOTHING, 1)
        assert answer.body.decode() == filled.replace("%s", str(request))
        assert answer.header("content-type") == HTML
        assert ask(served, "/none").body.decode() == NOTHING
        assert ask(served, "/dead").body.decode() == "no placeholder at all"
        assert told(ask(served, "/none", headers={"Accept": "application/xml"})) == (XML, NOTHING)


def test_texts_longer_than_a_word_of_nginx(engine: Engine, workdir: Path) -> None:
    parts = itertools.cycle(["\"'\\\n", "$", "é", "word "])
    text = "".join(itertools.islice(parts, 7_000))
    given = {"long.html": f"{text}%s{text}%s{text}"}
    with gateway(engine, workdir, files("error_template_html = long.html\n", **given)) as served:
        answer = ask(served, "/none", headers={"Accept": "text/html"})
        filled = given["long.html"].replace("%s", NOTHING, 1)
        assert answer.body.decode() == filled.replace("%s", str(answer.header("x-kong-request-id")))


def test_texts_of_older_versions_name_no_request(engine: Engine, workdir: Path) -> None:
    with gateway(engine, workdir, files(), args=["--kong-version", "3.4"]) as served:
        xml = '<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>%s</message>\n</error>\n'
        for accept, text in (
            ("application/json", f'{{\n  "message":"{NOTHING}"\n}}'),
            ("text/plain", f"{NOTHING}\n"),
            ("application/xml", xml % NOTHING),
        ):
            assert ask(served, "/none", headers={"Accept": accept}).body.decode() == text
        html = ask(served, "/none", headers={"Accept": "text/html"}).body.decode()
        assert html.endswith(f"<p>{NOTHING}.</p>\n  </body>\n</html>\n")
