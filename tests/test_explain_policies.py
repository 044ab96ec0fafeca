"""`explain request` says what plugins answer with, and what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import pki

if TYPE_CHECKING:
    from support.explaining import Gateway

CA = pki.ca("Clients")
CA_ID = "11111111-0000-4000-8000-000000000001"
BOB = "22222222-0000-4000-8000-000000000002"


def plugin(kind: str, **config: Any) -> dict[str, Any]:
    return {"name": kind, "config": config}


MTLS = plugin("mtls-auth", ca_certificates=[CA_ID], revocation_check_mode="SKIP")
ROUTES = {
    "addresses": [plugin("ip-restriction", allow=["10.0.0.0/8", "2001:db8::/32"],
                         deny=["10.1.0.0/16"], status=404)],
    "groups": [MTLS, plugin("acl", allow=["staff"])],
    "gold": [MTLS, plugin("acl", allow=["gold"], include_consumer_groups=True)],
    "not-gold": [MTLS, plugin("acl", deny=["gold"], include_consumer_groups=True)],
    "nobody": [plugin("acl", deny=["staff"]), plugin("request-termination")],
    "closed": [plugin("request-termination", status_code=200, message="closed")],
    "some": [plugin("request-termination", status_code=410, trigger="X-Stop")],
    "pages": [plugin("cors", origins=["https://a.test"]),
              plugin("ip-restriction", deny=["0.0.0.0/0"])],
    "through": [plugin("cors", preflight_continue=True)],
}  # fmt: skip


@pytest.fixture
def guarded(gateway: Gateway) -> Gateway:
    routes = [{"name": n, "paths": [f"/{n}"], "plugins": p} for n, p in ROUTES.items()]
    gateway.write(
        {
            "ca_certificates": [{"id": CA_ID, "cert": CA.cert_pem}],
            "consumer_groups": [{"name": "gold"}],
            "consumers": [
                {"username": "alice", "acls": [{"group": "staff"}]},
                {"id": BOB, "username": "bob", "groups": [{"name": "gold"}]},
            ],
            "services": [{"name": "s", "url": "http://192.0.2.1", "routes": routes}],
        },
        trusted_ips="192.0.2.0/24",
        real_ip_header="X-Forwarded-For",
        real_ip_recursive="on",
    )
    return gateway


def status(guarded: Gateway, name: str, *words: str, method: str = "GET") -> int:
    found: int = guarded.ask("request", method, f"http://a.test/{name}", *words)["status"]
    return found


@pytest.mark.parametrize(
    ("address", "header", "wanted"),
    [
        (None, None, 200),
        ("10.0.0.1", None, 200),
        ("10.1.0.1", None, 404),
        ("11.0.0.1", None, 404),
        ("2001:db8::1", None, 200),
        ("::1", None, 404),
        ("::ffff:10.0.0.1", None, 200),
        ("192.0.2.1", "10.0.0.1", 200),
        ("192.0.2.1", "10.0.0.1, 11.0.0.1, 192.0.2.2", 404),
        ("11.0.0.1", "10.0.0.1", 404),
        ("192.0.2.1", "10.0.0.1, unknown", 404),
    ],
)
def test_addresses(guarded: Gateway, address: str | None, header: str | None, wanted: int) -> None:
    words = () if address is None else ("--client-ip", address)
    words += () if header is None else ("-H", f"X-Forwarded-For: {header}")
    assert status(guarded, "addresses", *words) == wanted


def test_answers_in_place_of_a_service(guarded: Gateway) -> None:
    assert status(guarded, "closed") == 200
    assert guarded.ask("request", "GET", "http://a.test/closed")["upstream"] is None
    assert status(guarded, "some") == 200
    assert status(guarded, "some?a&X-Sto%70=1") == 410
    assert status(guarded, "some?x-stop") == 200
    assert status(guarded, "some", "-H", "x-stop: 1") == 410


def test_groups(guarded: Gateway) -> None:
    assert status(guarded, "nobody") == 401
    assert status(guarded, "groups") == 401
    answer = guarded.ask("request", "GET", "https://a.test/groups", code=0)
    assert answer["status"] == 200
    assert answer["acl"]["allow"] == ["staff"]
    assert len(answer["acl"]["consumers"]) == 1


@pytest.mark.parametrize(("name", "who"), [("gold", ""), ("not-gold", "all but ")])
def test_consumer_groups(guarded: Gateway, name: str, who: str) -> None:
    answer = guarded.ask("request", "GET", f"https://a.test/{name}")
    assert answer["acl"]["include_consumer_groups"] is True
    assert answer["acl"]["consumers"] == [BOB]
    text = guarded.run("request", "GET", f"https://a.test/{name}").stdout
    assert f"  let in: {who}members of gold, as consumer groups, too (acl, kong.json:" in text
    other = guarded.ask("request", "GET", "https://a.test/groups")["acl"]
    assert other["include_consumer_groups"] is False
    assert BOB not in other["consumers"]


def test_preflights(guarded: Gateway) -> None:
    words = ("-H", "Origin: https://a.test", "-H", "Access-Control-Request-Method: PUT")
    address = ("--client-ip", "10.0.0.1")
    assert status(guarded, "pages", *words, *address, method="OPTIONS") == 200
    assert status(guarded, "pages", *words, *address) == 403
    answer = guarded.ask("request", "OPTIONS", "http://a.test/through", *words)
    assert answer["upstream"] is not None
    assert answer["cors"]["origins"] == ["*"]


def test_keys_are_there_for_every_answer(guarded: Gateway) -> None:
    keys = {"cors", "ip_restriction", "acl", "request_termination"}
    for name in (*ROUTES, "none"):
        assert keys <= guarded.ask("request", "GET", f"http://a.test/{name}").keys()


def test_people_read_it_too(guarded: Gateway) -> None:
    def read(name: str) -> str:
        return guarded.run("request", "GET", f"http://a.test/{name}").stdout

    assert "closed is answered with 200: plugin request-termination" in read("closed")
    assert (
        "  let in: from 10.0.0.0/8, 2001:db8::/32, none else, but not from 10.1.0.0/16 "
        "(ip-restriction, kong.json:" in read("addresses")
    )
    assert "  let in: members of staff (acl, kong.json:" in read("groups")
    assert "  answered here with 410 where a header or argument is X-Stop (" in read("some")
    assert "  pages of https://a.test may use it (cors, kong.json:" in read("pages")
