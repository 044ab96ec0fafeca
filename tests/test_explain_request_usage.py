from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compiler.cli.request_options import request_of

if TYPE_CHECKING:
    from support.explaining import Gateway

URL = "http://a.test/"


def service(**fields: Any) -> dict[str, Any]:
    return {"services": [{"name": "s", "host": "10.0.0.1", **fields}]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", URL), "did you mean GET?"),
        (("", URL), "METHOD"),
        (("GE T", URL), "METHOD"),
        (("CONNECT", URL), "CONNECT asks for a tunnel"),
        (("GET", "/orders"), "as https://api.example.com/orders"),
        (("GET", "a.test/orders"), "as https://api.example.com/orders"),
        (("GET", "ftp://a.test/"), "as https://api.example.com/orders"),
        (("GET", "tcp://a.test:1"), "tcp:// is a connection"),
        (("GET", "tls://a.test"), "tls:// is a connection"),
        (("GET", "udp://a.test"), "udp:// is a connection"),
        (("GET", "http:///x"), "no host"),
        (("GET", "http://a.test:x/"), "no host with or without a port"),
        (("GET", "http://a.test:65536/"), "no host with or without a port"),
        (("GET", "http://a.test:0/"), "no host with or without a port"),
        (("GET", "http://user@a.test/"), "no host with or without a port"),
        (("GET", "http://a.test/a b"), "write %20 for a space"),
        (("GET", "http://a.test/a\nb"), "write %20 for a space"),
        (("GET", "http://a.test/a#b"), "write %23"),
        (("GET", URL, "-H", "no colon"), "write 'Name: value'"),
        (("GET", URL, "-H", ": x"), "write 'Name: value'"),
        (("GET", URL, "-H", "a.b: x"), "letters, digits, - and _"),
        (("GET", URL, "-H", "a: x\ny"), "write 'Name: value'"),
        (("GET", URL, "-H", "Host: a", "-H", "host: b"), "Host is given twice"),
        (("GET", URL, "--sni", "a.test"), "--sni: http:// is without TLS"),
        (("GET", URL, "--client-ip", "a.test"), "as 192.0.2.1"),
        (("GET", URL, "--format", "yaml"), "--format"),
    ],
)
def test_wrong_usage_says_what_is_expected(
    gateway: Gateway, words: tuple[str, ...], said: str
) -> None:
    gateway.write({})
    result = gateway.run("request", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_request_is_what_curl_would_send() -> None:
    headers = ["X-A:  b  ", "X-Empty;", "X-None:", "X-a: c"]
    made = request_of("GET", "HTTPS://Api.test:8443/a//b?c", headers, None, "2001:DB8::1")
    assert (made.scheme, made.host, made.port) == ("https", "Api.test:8443", 8443)
    assert (made.target, made.sni, made.source) == ("/a//b?c", "Api.test", "2001:db8::1")
    assert made.headers == (("X-A", "b"), ("X-Empty", ""), ("X-a", "c"))


@pytest.mark.parametrize(
    ("url", "host", "sni"),
    [
        ("https://a.test:443/", "a.test", "a.test"),
        ("https://a.test:80/", "a.test:80", "a.test"),
        ("http://a.test:80/", "a.test", None),
        ("https://a.test./", "a.test.", "a.test"),
        ("https://192.0.2.1:8443/", "192.0.2.1:8443", None),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443", None),
        ("https://bücher.test/", "xn--bcher-kva.test", "xn--bcher-kva.test"),
    ],
)
def test_host_and_server_name_come_from_the_url(url: str, host: str, sni: str | None) -> None:
    made = request_of("GET", url, [], None, None)
    assert (made.host, made.sni) == (host, sni)


def test_host_and_server_name_can_be_others() -> None:
    made = request_of("GET", "https://a.test/", ["Host: b.test:1"], "c.test", None)
    assert (made.host, made.sni, made.headers) == ("b.test:1", "c.test", ())
    assert request_of("GET", "https://a.test/", [], "", None).sni is None
    assert request_of("GET", "https://a.test/", ["Host:"], None, None).host is None


def test_hosts_that_nginx_refuses(gateway: Gateway) -> None:
    gateway.write({})
    for header in (
        "Host:",
        "Host;",
        "Host: .",
        "Host: :80",
        "Host: a/b",
        "Host: a b",
        "Host: a..b",
    ):
        assert gateway.ask("request", "GET", URL, "-H", header)["status"] == 400, header


def test_unreadable_input_answers_nothing(gateway: Gateway) -> None:
    gateway.write({"services": [{"name": "no host"}]})
    answer = gateway.ask("request", "GET", URL, code=1)
    assert (answer["status"], answer["route"], answer["candidates"]) == (None, None, [])
    assert answer["diagnostics"]
    result = gateway.run("request", "GET", URL)
    assert (result.exit_code, result.stdout) == (1, "")


def test_errors_elsewhere_do_not_hide_the_answer(gateway: Gateway) -> None:
    gateway.write({**service(routes=[{"name": "r", "paths": ["/"]}]), "plugins": [{"name": "jwt"}]})
    answer = gateway.ask("request", "GET", URL, code=1)
    assert answer["route"]["name"] == "r"
    result = gateway.run("request", "GET", URL)
    assert result.stdout.startswith("GET http://a.test/ is sent to the upstream of service s\n")
    assert "1 error" in result.stderr


@pytest.mark.parametrize(
    ("url", "listen", "kind"),
    [(URL, "0.0.0.0:8443 ssl", "without"), ("https://a.test/", "0.0.0.0:8000", "with")],
)
def test_a_proxy_that_does_not_listen_is_said(
    gateway: Gateway, url: str, listen: str, kind: str
) -> None:
    gateway.write(service(routes=[{"paths": ["/"]}]), proxy_listen=listen)
    answer = gateway.ask("request", "GET", url, code=1)
    assert answer["status"] is None
    assert f"no listener {kind} ssl (kong.conf:1" in answer["problem"]
    assert answer["problem"] in gateway.run("request", "GET", url).stderr


def test_a_regular_expression_that_cannot_be_evaluated_is_said(gateway: Gateway) -> None:
    routes = [{"name": "odd", "paths": [r"~/a\Kb"]}, {"name": "plain", "paths": ["/"]}]
    gateway.write(service(routes=routes), router_flavor="traditional")
    answer = gateway.ask("request", "GET", "http://a.test/ab", code=1)
    assert answer["status"] is None
    assert "route odd" in answer["problem"]


def test_an_answer_in_words(gateway: Gateway) -> None:
    routes = [
        {"name": "orders", "hosts": ["a.test"], "paths": ["/orders"]},
        {"name": "new", "hosts": ["a.test"], "paths": ["/orders"], "methods": ["POST"]},
    ]
    gateway.write(service(routes=routes, path="/v1"))
    text = gateway.run("request", "GET", "http://a.test/orders//%37?x").stdout
    assert text.splitlines() == [
        "GET http://a.test/orders//%37?x is sent to the upstream of service s",
        "  path, as routes compare it: /orders/7",
        "  route: orders (kong.json:9)",
        "  service: s (kong.json:5)",
        "  sends to: http://10.0.0.1:80",
        "  path and query: /v1/7?x, without /orders",
        "  Host: 10.0.0.1",
        "  TLS: none",
        "routes that come close, in the order in which they are tried:",
        "  new     no: method is GET",
        "  orders  yes: host is a.test; the path begins with /orders",
    ]


def test_text_of_the_input_is_not_obeyed_by_the_terminal(gateway: Gateway) -> None:
    gateway.write(service(routes=[{"name": "r", "paths": ["/"]}]))
    result = gateway.run("request", "GET", "http://a.test/\x9b1m\u202e")
    assert "\x9b" not in result.stdout
    assert "\u202e" not in result.stdout
