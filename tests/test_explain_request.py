from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.diffing import CA_ID

from compiler.explain.because import _WORDS
from compiler.explain.nginx_path import PathRefusedError, decoded
from compiler.router.match import CHECKS

if TYPE_CHECKING:
    from conftest import Certs
    from support.explaining import Gateway

API = "https://api.test"


def route(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


@pytest.fixture
def shop(gateway: Gateway, certs: Certs) -> Gateway:
    """Make a gateway whose routes ask for one thing each beside a host and a path."""
    orders = {"hosts": ["api.test"], "paths": ["/orders"]}
    gateway.write(
        {
            "ca_certificates": [{"id": CA_ID, "cert": certs.root.cert_pem}],
            "services": [
                {
                    "name": "orders",
                    "url": "https://orders.internal:8443/v1",
                    "tls_verify": True,
                    "ca_certificates": [CA_ID],
                    "routes": [
                        route("orders", **orders),
                        route("writing", **orders, methods=["POST", "PUT"]),
                        route("newer", **orders, headers={"X-Version": ["2", "~*^v[34]$"]}),
                        route("named", **orders, snis=["*.sni.test", "sni.test"]),
                        route("elsewhere", hosts=["other.test", "*.x.test"], paths=["/orders"]),
                        route("items", hosts=["api.test"], paths=[r"~/items/\d+$", "/things"]),
                        route("secure", hosts=["secure.test"], protocols=["https"]),
                        route("moved", hosts=["moved.test"], protocols=["https"],
                              https_redirect_status_code=301),
                        route("kept", hosts=["*.kept.test"], preserve_host=True),
                    ],
                },
                {"name": "pool", "host": "peers", "routes": [route("pool", paths=["/pool"])]},
                {"name": "empty", "host": "none", "routes": [route("empty", paths=["/empty"])]},
                {"name": "off", "host": "h", "enabled": False,
                 "routes": [route("off", hosts=["off.test"])]},
            ],
            "routes": [route("alone", hosts=["alone.test"])],
            "upstreams": [
                {"name": "peers", "targets": [{"target": f"10.0.0.{n}:80"} for n in (1, 2)]},
                {"name": "none"},
            ],
        },
        tls_certificate_verify="off",
        dns_resolver="10.0.0.53",
        trusted_ips="192.0.2.0/24",
    )  # fmt: skip
    return gateway


def ask(gateway: Gateway, method: str, url: str, *words: str, code: int = 0) -> dict[str, Any]:
    return gateway.ask("request", method, url, *words, code=code)


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {item["route"]: item["because"] for item in answer["candidates"]}


def test_a_request_that_is_sent_on(shop: Gateway, certs: Certs) -> None:
    answer = ask(shop, "GET", f"{API}/orders/7?y=1&z")
    assert (answer["status"], answer["route"]["name"]) == (200, "orders")
    assert answer["service"]["name"] == "orders"
    assert answer["matched_path"] == "/orders"
    upstream = answer["upstream"]
    assert (upstream["scheme"], upstream["host"], upstream["port"]) == (
        "https",
        "orders.internal",
        8443,
    )
    assert (upstream["uri"], upstream["host_header"]) == ("/v1/7?y=1&z", "orders.internal:8443")
    assert upstream["tls"] == {
        "verify": True,
        "depth": 5,
        "trusted_certificates": [certs.root.sha256],
        "name": "orders.internal",
        "server_name": True,
        "client_certificate": None,
    }
    assert answer["client_auth"] is None


def test_the_keys_are_those_that_programs_rely_on(shop: Gateway) -> None:
    promised = {
        "status", "route", "service", "matched_path", "upstream", "client_auth", "candidates",
        "diagnostics",
    }  # fmt: skip
    for url in (f"{API}/orders", "http://nowhere.test/", f"{API}/%zz", "http://secure.test/"):
        answer = ask(shop, "GET", url)
        assert answer.keys() >= promised
        assert all({"route", "matched", "because"} <= c.keys() for c in answer["candidates"])
        upstream = answer["upstream"]
        if upstream is not None:
            assert upstream.keys() >= {"scheme", "host", "port", "uri", "host_header", "tls"}


@pytest.mark.parametrize(
    ("method", "url", "status", "name", "location"),
    [
        ("GET", "http://nowhere.test/", 404, None, None),
        ("GET", "http://off.test/", 404, None, None),
        ("GET", "http://secure.test/x", 426, "secure", None),
        ("GET", "https://secure.test/x", 200, "secure", None),
        ("GET", "http://Moved.test:8000/x//?y", 301, "moved", "https://moved.test/x//?y"),
        ("GET", "http://alone.test/", 503, "alone", None),
        ("GET", "http://any.test/empty", 503, "empty", None),
        ("TRACE", "http://any.test/pool", 405, None, None),
        ("GET", "http://any..test/pool", 400, None, None),
        ("GET", "http://any.test/pool%zz", 400, None, None),
        ("GET", "http://any.test/pool%2", 400, None, None),
        ("GET", "http://any.test/pool%00", 400, None, None),
        ("GET", "http://any.test/pool/../..", 400, None, None),
        ("GET", "http://any.test/pool/%2e%2e%2F..", 400, None, None),
        ("GET", "http://any.test/pool/a%2Fb/../c", 400, None, None),
        ("GET", "http://any.test/pool/a%2F%41", 400, None, None),
        ("GET", "http://any.test/pool/a%2Fb//c", 200, "pool", None),
        ("GET", "http://any.test/\udcff", 404, None, None),
    ],
)
def test_what_the_gateway_itself_answers(
    shop: Gateway, method: str, url: str, status: int, name: str | None, location: str | None
) -> None:
    answer = ask(shop, method, url)
    assert (answer["status"], answer["location"]) == (status, location)
    assert (answer["route"] and answer["route"]["name"]) == name
    assert (answer["upstream"] is not None) is (status == 200 or name == "empty")
    assert answer["reason"] in shop.run("request", method, url).stdout


def test_what_is_no_utf8_matches_nothing(shop: Gateway) -> None:
    answer = ask(shop, "GET", "http://any.test/pool/%FF")
    assert (answer["status"], answer["candidates"]) == (404, [])
    assert "UTF-8" in answer["reason"]


def test_other_routes_are_told_apart(shop: Gateway) -> None:
    for words, name in (
        (("POST", f"{API}/orders"), "writing"),
        (("GET", f"{API}/orders", "-H", "x-version: 2"), "newer"),
        (("GET", f"{API}/orders", "-H", "X_VERSION:V4"), "newer"),
        (("GET", f"{API}/orders", "--sni", "A.sni.test"), "named"),
        (("GET", "http://a.x.test:99/orders"), "elsewhere"),
        (("GET", f"{API}/orders", "-H", "Host: other.test"), "elsewhere"),
        (("GET", "http://API.test./items/12"), "items"),
    ):
        assert ask(shop, *words)["route"]["name"] == name, words


def test_each_because(shop: Gateway) -> None:
    answer = ask(shop, "DELETE", f"{API}/orders", "-H", "X-Version: 1", "-H", "x-version: 3")
    found = reasons(answer)
    assert found["writing"] == "method is DELETE"
    assert found["newer"] == 'header x-version is "1" and "3", wants "2" or a match of ^v[34]$'
    assert found["named"] == "server name is api.test, wants *.sni.test or sni.test"
    assert found["orders"] == "host is api.test; the path begins with /orders"
    bare = ask(shop, "DELETE", f"{API}/orders", "--sni", "")
    assert reasons(bare)["newer"].startswith("header x-version is missing, wants ")
    assert reasons(bare)["named"].startswith("no server name is sent, wants ")
    away = ask(shop, "GET", "https://x.test/orders")
    assert reasons(away)["elsewhere"] == "host is x.test, wants other.test or *.x.test"
    other = ask(shop, "GET", f"{API}/none")
    assert other["status"] == 404
    assert reasons(other)["orders"] == "the path does not begin with /orders"
    assert (
        reasons(other)["items"] == r"the path does not match or begin with ~/items/\d+$ or /things"
    )


def test_every_kind_of_condition_has_words() -> None:
    assert _WORDS.keys() == CHECKS.keys()


def test_candidates_are_in_kongs_order_and_end_with_the_winner(shop: Gateway) -> None:
    candidates = ask(shop, "GET", f"{API}/orders", "-H", "X-Version: v4")["candidates"]
    names = [item["route"] for item in candidates]
    # A regular expression weighs more than a header, and that more than a method.
    assert names[-1] == "newer"
    assert [item["matched"] for item in candidates] == [name == "newer" for name in names]
    names = [item["route"] for item in ask(shop, "GET", f"{API}/orders")["candidates"]]
    assert names[:2] == ["items", "newer"]
    assert set(names[2:4]) == {"writing", "named"}
    assert names[4:] == ["orders"]


def test_what_meets_neither_host_nor_path_is_not_close(shop: Gateway) -> None:
    assert "elsewhere" not in reasons(ask(shop, "GET", f"{API}/none"))
    assert "elsewhere" in reasons(ask(shop, "GET", "http://other.test/none"))


def test_the_path_is_taken_as_it_is_typed(shop: Gateway) -> None:
    for typed, path, uri in (
        ("/pool//a/./b/../%63?d=//e/../%2F", "/pool/a/c", "/a/c?d=//e/../%2F"),
        ("/pool/a%2fb", "/pool/a%2Fb", "/a%2Fb"),
        ("/pool/é", "/pool/é", "/%C3%A9"),
        ("/pool?", "/pool", "/?"),
        ("/pool//?", "/pool/", "/"),
        ("/pool//?a?", "/pool/", "/?a?"),
    ):
        answer = ask(shop, "GET", f"http://any.test{typed}")
        assert (answer["path"], answer["upstream"]["uri"]) == (path, uri), typed
    assert ask(shop, "GET", "http://secure.test?a=/b")["path"] == "/"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (b"/a//b/./c/../%64", b"/a/b/d"),
        (b"/a/b/..", b"/a/"),
        (b"/a/.", b"/a/"),
        (b"/%2Fa%2f..%2fb", b"/b"),
        (b"/%252e%252e", b"/%2e%2e"),
        (b"/..", None),
        (b"/a/../../b", None),
        (b"/%", None),
        (b"/%0", None),
        (b"/%00", None),
    ],
)
def test_what_nginx_makes_of_a_path(path: bytes, uri: bytes | None) -> None:
    if uri is not None:
        assert decoded(path) == uri
        return
    with pytest.raises(PathRefusedError):
        decoded(path)


def test_the_name_of_a_preserved_host_is_verified(shop: Gateway) -> None:
    upstream = ask(shop, "GET", "http://A.kept.test:81/")["upstream"]
    assert upstream["host_header"] == "A.kept.test:81"
    assert (upstream["tls"]["name"], upstream["tls"]["server_name"]) == ("a.kept.test", True)
    because = ask(shop, "GET", "http://a.kept.test/")["because"]["name"]
    assert because[0].startswith("routes.kept.preserve_host (kong.json:")
    assert len(ask(shop, "GET", f"{API}/orders")["because"]["name"]) == 1


def test_several_targets_are_listed(shop: Gateway) -> None:
    upstream = ask(shop, "GET", "http://any.test/pool")["upstream"]
    assert [target["host"] for target in upstream["targets"]] == ["10.0.0.1", "10.0.0.2"]
    assert upstream["tls"] is None


def test_trusted_peers_say_what_the_client_used(shop: Gateway) -> None:
    forwarded = ("-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-Host: Outer.test:1")
    for address, status in (("192.0.2.9", 200), ("198.51.100.1", 426), (None, 426)):
        words = () if address is None else ("--client-ip", address)
        answer = ask(shop, "GET", "http://secure.test/", *forwarded, *words)
        assert answer["status"] == status
    moved = ask(shop, "GET", "http://moved.test/x", *forwarded[2:], "--client-ip", "192.0.2.9")
    assert moved["location"] == "https://Outer.test:1/x"
