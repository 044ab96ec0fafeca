"""What `explain` says of clients' certificates: who is asked for one, and whom it lets in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import certificate
from support.diffing import CA_ID, OTHER_CA_ID

if TYPE_CHECKING:
    from support.explaining import Gateway

TARGETS = pytest.mark.parametrize("target", ["nginx", "openresty"])
CAS = [
    {"id": CA_ID, "cert": certificate("ca.crt")},
    {"id": OTHER_CA_ID, "cert": certificate("second.crt")},
]
ALICE, GUEST = (f"55555555-5555-4555-8555-55555555555{digit}" for digit in (1, 2))
PLUGIN = "66666666-6666-4666-8666-666666666666"
CONSUMERS = [
    {"id": ALICE, "username": "alice", "mtls_auth_credentials": [{"subject_name": "a"}]},
    {"id": GUEST, "username": "guest"},
]


def mtls(*cas: str, **config: Any) -> dict[str, Any]:
    said = {"revocation_check_mode": "SKIP", "skip_consumer_lookup": True, **config}
    return {"name": "mtls-auth", "config": {"ca_certificates": list(cas), **said}}


def in_header(**config: Any) -> dict[str, Any]:
    said = {"certificate_header_name": "X-Client-Cert", "certificate_header_format": "url_encoded"}
    return {**mtls(CA_ID, **said, **config), "name": "header-cert-auth"}


def entities(routes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    service = {"name": "site", "url": "http://192.0.2.10", "routes": routes}
    return {"services": [service], "ca_certificates": CAS, "consumers": CONSUMERS, **more}


def hosts(name: str, *plugins: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": name, "hosts": [f"{name}.test"], "plugins": list(plugins), **fields}


@pytest.fixture
def guarded(gateway: Gateway) -> Gateway:
    """Make a gateway with hosts that ask for certificates of different authorities, or none."""
    known = mtls(CA_ID, skip_consumer_lookup=False, default_consumer=GUEST)
    gateway.write(
        entities(
            [
                hosts("one", {**mtls(CA_ID), "id": PLUGIN}),
                hosts("both", mtls(CA_ID, OTHER_CA_ID)),
                hosts("known", known),
                hosts("guests", mtls(CA_ID, anonymous=GUEST)),
                hosts("open"),
                hosts("any", {"name": "tls-handshake-modifier"}),
                hosts("wild", mtls(CA_ID), hosts=["*.wild.test"]),
                hosts("below", hosts=["open.wild.test"]),
                {"name": "snis", "snis": ["*.sni.test"], "paths": ["/snis"],
                 "protocols": ["https"], "plugins": [mtls(OTHER_CA_ID)]},
            ]
        )
    )  # fmt: skip
    return gateway


@TARGETS
@pytest.mark.parametrize(
    ("name", "authorities"),
    [
        ("one.test", [CA_ID]),
        ("ONE.test.", [CA_ID]),
        ("both.test", [CA_ID, OTHER_CA_ID]),
        ("any.test", []),
        ("a.wild.test", [CA_ID]),
        ("a.b.wild.test", [CA_ID]),
        ("*.wild.test", [CA_ID]),
        ("a.sni.test", [OTHER_CA_ID]),
        ("open.test", None),
        ("open.wild.test", None),
        ("wild.test", None),
        ("sni.test", None),
        ("nobody.test", None),
        ("192.0.2.1", None),
        (None, None),
    ],
)
def test_who_is_asked_for_a_certificate(
    guarded: Gateway, target: str, name: str | None, authorities: list[str] | None
) -> None:
    words = ("sni", *(() if name is None else (name,)), "--target", target)
    answer = guarded.ask(*words)
    asked = "not-requested" if authorities is None else "requested"
    assert (answer["client_certificate"], answer["client_authorities"]) == (
        asked,
        authorities or [],
    )
    text = guarded.run(*words).stdout
    assert f"client certificate: {asked.replace('-', ' ')}" in text
    for ca, subject in ((CA_ID, "CN=Example Root"), (OTHER_CA_ID, "CN=Second Root")):
        assert (f"  {subject} (ca_certificate {ca})" in text) is (ca in (authorities or ()))


@TARGETS
@pytest.mark.parametrize("words", [("sni",), ("sni", "nobody.test"), ("sni", "192.0.2.1")])
def test_a_global_plugin_asks_everybody(
    gateway: Gateway, target: str, words: tuple[str, ...]
) -> None:
    gateway.write(entities([{"name": "all", "paths": ["/"]}], plugins=[mtls(CA_ID)]))
    answer = gateway.ask(*words, "--target", target)
    assert answer["client_certificate"] == "requested"
    assert answer["client_authorities"] == [CA_ID]


def test_with_errors_it_is_not_known_who_is_asked(gateway: Gateway) -> None:
    gateway.write(entities([hosts("one", mtls(CA_ID), {"name": "key-auth"})]))
    assert gateway.ask("sni", "one.test", code=1)["client_certificate"] is None
    assert "not known, as there are errors" in gateway.run("sni", "one.test").stdout


@TARGETS
@pytest.mark.parametrize(
    ("url", "sni", "status", "reason"),
    [
        ("https://one.test/", None, 200, "is sent to the upstream"),
        ("https://ONE.test:8443/", None, 200, "is sent to the upstream"),
        ("http://one.test/", None, 401, "there is no TLS"),
        ("https://one.test/", "", 421, "without a server name"),
        ("https://one.test/", "nobody.test", 421, "shown for nobody.test"),
        ("https://one.test/", "both.test", 421, "handshakes of their own"),
        ("https://any.test/", "one.test", 421, "handshakes of their own"),
        ("https://any.test/", "nobody.test", 200, "is sent to the upstream"),
        ("https://guests.test/", "nobody.test", 200, "is sent to the upstream"),
        ("https://guests.test/", "one.test", 421, "handshakes of their own"),
        ("http://guests.test/", None, 200, "is sent to the upstream"),
        ("https://open.test/", "one.test", 200, "is sent to the upstream"),
        ("https://x.test/snis", "a.sni.test", 200, "is sent to the upstream"),
        ("https://x.test/snis", "one.test", 404, "no route matches"),
    ],
)
def test_who_is_refused_whatever_is_shown(
    guarded: Gateway, target: str, url: str, sni: str | None, status: int, reason: str
) -> None:
    words = ("request", "GET", url, *(() if sni is None else ("--sni", sni)), "--target", target)
    answer = guarded.ask(*words)
    assert (answer["status"], reason in answer["reason"]) == (status, True), answer["reason"]
    assert (answer["upstream"] is None) is (status != 200)
    assert reason in guarded.run(*words).stdout


@TARGETS
def test_who_is_let_in(guarded: Gateway, target: str) -> None:
    words = ("request", "GET", "https://one.test/", "--target", target)
    assert guarded.ask(*words)["client_auth"] == {
        "plugin": "mtls-auth",
        "id": PLUGIN,
        "ca_certificates": [CA_ID],
        "consumers": None,
        "default_consumer": None,
        "anonymous": None,
    }
    line = "let in: who has a certificate of CN=Example Root (mtls-auth, kong.json:"
    assert line in guarded.run(*words).stdout
    for url in ("https://open.test/", "https://any.test/"):
        answer = guarded.ask("request", "GET", url, "--target", target)
        assert (answer["client_auth"], answer["authentications"]) == (None, [])
    both = guarded.ask("request", "GET", "https://both.test/", "--target", target)
    assert both["client_auth"]["ca_certificates"] == [CA_ID, OTHER_CA_ID]


@TARGETS
def test_as_whom(guarded: Gateway, target: str) -> None:
    words = ("request", "GET", "https://known.test/", "--target", target)
    auth = guarded.ask(*words)["client_auth"]
    assert (auth["consumers"], auth["default_consumer"]) == ([ALICE, GUEST], GUEST)
    text = guarded.run(*words).stdout
    assert "and is one of 2 consumers by a name in it, or else the default consumer" in text
    words = ("request", "GET", "https://guests.test/", "--target", target)
    auth = guarded.ask(*words)["client_auth"]
    assert (auth["consumers"], auth["anonymous"]) == (None, GUEST)
    assert "anybody else comes in as consumer guest" in guarded.run(*words).stdout


HEADER = ("-H", "X-Client-Cert: x")


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (HEADER, 200, "is sent to the upstream"),
        ((*HEADER, "--client-ip", "192.0.2.1"), 200, "is sent to the upstream"),
        ((*HEADER, "--client-ip", "198.51.100.1"), 401, "198.51.100.1 is none of them"),
        ((), 401, "has to be in the header X-Client-Cert"),
    ],
)
def test_a_certificate_in_a_header(
    gateway: Gateway, words: tuple[str, ...], status: int, reason: str
) -> None:
    gateway.write(entities([hosts("told", in_header())]), trusted_ips="192.0.2.1")
    asked = ("request", "GET", "http://told.test/", *words, "--target", "openresty")
    answer = gateway.ask(*asked)
    assert (answer["status"], reason in answer["reason"]) == (status, True), answer["reason"]
    assert answer["client_auth"]["plugin"] == "header-cert-auth"
    text = gateway.run(*asked).stdout
    assert "let in: who has a certificate of CN=Example Root in the header X-Client-Cert" in text
    sni = gateway.ask("sni", "told.test", "--target", "openresty")
    assert sni["client_certificate"] == "not-requested"


def test_two_ways_to_say_who_one_is_are_both_told(gateway: Gateway) -> None:
    gateway.write(entities([hosts("two", in_header(), mtls(CA_ID))]), trusted_ips="192.0.2.1")
    words = ("request", "GET", "https://two.test/", *HEADER, "--target", "openresty")
    answer = gateway.ask(*words)
    plugins = [auth["plugin"] for auth in answer["authentications"]]
    assert plugins == ["mtls-auth", "header-cert-auth"]
    assert answer["client_auth"] == answer["authentications"][0]
    assert gateway.run(*words).stdout.count("let in: who has a certificate") == 2


def test_nothing_is_known_of_what_does_not_resolve(gateway: Gateway) -> None:
    gateway.write({"services": [{"name": "no host"}]})
    answer = gateway.ask("request", "GET", "https://one.test/", code=1)
    assert (answer["client_auth"], answer["authentications"]) == (None, [])
