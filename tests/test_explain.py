from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import pki
from support.diffing import pair

if TYPE_CHECKING:
    from conftest import Certs
    from support.explaining import Gateway

EXACT_ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def served(gateway: Gateway, certs: Certs) -> Gateway:
    """Make a gateway with an SNI of each sort and a default certificate."""
    (gateway.folder / "default.crt").write_text(certs.rsa.chain_pem)
    (gateway.folder / "default.key").write_text(certs.rsa.key_pem)
    wild = pki.leaf(certs.intermediate, "*.example.com")
    gateway.write(
        {
            "certificates": [
                pair(pki.leaf(certs.root, "a.example.com"), "a.example.com", id=EXACT_ID),
                pair(wild, "*.example.com", "mail.*"),
            ]
        },
        ssl_cert="default.crt",
        ssl_cert_key="default.key",
    )
    return gateway


@pytest.mark.parametrize(
    ("name", "rule", "sni", "source"),
    [
        ("a.example.com", "exact", "a.example.com", "entity"),
        ("A.Example.COM.", "exact", "a.example.com", "entity"),
        ("b.example.com", "prefix-wildcard", "*.example.com", "entity"),
        ("mail.test", "suffix-wildcard", "mail.*", "entity"),
        ("example.com", "default", None, "ssl_cert"),
        ("x.b.example.com", "default", None, "ssl_cert"),
        ("192.0.2.1", "default", None, "ssl_cert"),
    ],
)
def test_the_rule_that_decides(
    served: Gateway, name: str, rule: str, sni: str | None, source: str
) -> None:
    answer = served.ask("sni", name)
    assert (answer["server_name"], answer["rule"], answer["sni"]) == (name, rule, sni)
    assert answer["certificate"]["source"] == source


def test_no_name_is_no_sni(served: Gateway, certs: Certs) -> None:
    answer = served.ask("sni")
    assert answer["server_name"] is None
    assert (answer["rule"], answer["sni"], answer["tried"]) == ("no-sni", None, [])
    assert answer["certificate"]["sha256"] == certs.rsa.sha256
    assert answer["certificate"]["id"] is None


def test_the_catch_all_is_for_clients_that_send_a_name(gateway: Gateway, certs: Certs) -> None:
    gateway.write({"certificates": [pair(certs.ec, "*")]})
    assert gateway.ask("sni", "whatever.test")["rule"] == "catch-all"
    # Nor do clients send an address as a name.
    for words in (("sni",), ("sni", "192.0.2.1"), ("sni", "2001:db8::1")):
        assert gateway.ask(*words)["certificate"]["source"] == "generated"


def test_the_certificate_is_described(served: Gateway) -> None:
    answer = served.ask("sni", "a.example.com")
    found = answer["certificate"]
    written = json.loads((served.folder / "kong.json").read_text())["certificates"][0]["cert"]
    leaf = pki.x509.load_pem_x509_certificate(written.encode())
    assert found["id"] == EXACT_ID
    assert found["sha256"] == leaf.fingerprint(pki.hashes.SHA256()).hex()
    assert found["subject"] == "CN=a.example.com"
    assert found["not_after"] == f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert answer["tried"] == ["a.example.com", "*.example.com", "a.example.*", "*"]
    assert answer["client_certificate"] == "not-requested"


def test_a_second_key_type_is_an_alternative(gateway: Gateway, certs: Certs) -> None:
    both = {
        **pair(certs.ec, "example.com"),
        "cert_alt": certs.rsa.chain_pem,
        "key_alt": certs.rsa.key_pem,
    }
    gateway.write({"certificates": [both]})
    answer = gateway.ask("sni", "example.com")
    assert answer["certificate"]["sha256"] == certs.ec.sha256
    assert [other["sha256"] for other in answer["alternatives"]] == [certs.rsa.sha256]


def test_a_generated_certificate_is_not_known(gateway: Gateway) -> None:
    gateway.write({})
    found = gateway.ask("sni")["certificate"]
    assert found["source"] == "generated"
    assert (found["sha256"], found["subject"], found["not_after"]) == (None, None, None)


@pytest.mark.parametrize("value", ["on", "optional", "optional_no_ca"])
def test_clients_are_asked_for_certificates(gateway: Gateway, value: str) -> None:
    gateway.write({}, nginx_proxy_ssl_verify_client=value)
    # The directive needs CAs, which is for check to say.
    assert gateway.ask("sni")["client_certificate"] == "requested"


def test_the_inner_block_has_the_last_word(gateway: Gateway) -> None:
    gateway.write({}, nginx_http_ssl_verify_client="on", nginx_proxy_ssl_verify_client="off")
    assert gateway.ask("sni")["client_certificate"] == "not-requested"


def test_a_proxy_without_tls_is_said(gateway: Gateway) -> None:
    gateway.write({}, proxy_listen="0.0.0.0:8000")
    result = gateway.run("sni", "a.test")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "proxy_listen has no listener with ssl (kong.conf:1" in result.stderr
    answer = gateway.ask("sni", "a.test", code=1)
    assert answer["certificate"] is None
    assert "no listener with ssl" in answer["problem"]


def test_an_empty_name_is_wrong_usage(gateway: Gateway) -> None:
    gateway.write({})
    assert gateway.run("sni", "").exit_code == 2


def test_what_is_served_in_words(served: Gateway) -> None:
    text = served.run("sni", "b.example.com").stdout
    assert "b.example.com gets the certificate of CN=*.example.com" in text
    assert "for SNI *.example.com (kong.json:" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert lines["b.example.com"].endswith("no such SNI")
    assert lines["*.example.com"].endswith("found")
    assert lines["b.example.*"].endswith("not reached")


def test_a_certificate_that_is_not_for_the_name_is_said(served: Gateway) -> None:
    text = served.run("sni", "mail.test").stdout
    assert "it is not valid for mail.test, only for *.example.com" in text
    assert served.ask("sni", "mail.test")["covers_server_name"] is False


def test_errors_elsewhere_do_not_hide_the_answer(gateway: Gateway, certs: Certs) -> None:
    gateway.write(
        {
            "certificates": [pair(certs.ec, "example.com")],
            "plugins": [{"name": "key-auth"}],
        }
    )
    answer = gateway.ask("sni", "example.com", code=1)
    assert answer["certificate"]["sha256"] == certs.ec.sha256
    assert [d["name"] for d in answer["diagnostics"] if d["severity"] == "error"]


def test_unreadable_input_answers_nothing(gateway: Gateway) -> None:
    gateway.write({"services": [{"name": "no host"}]})
    for words in (("sni", "a.test"), ("service", "x")):
        answer = gateway.ask(*words, code=1)
        assert answer["diagnostics"]
