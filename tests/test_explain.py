from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from conftest import Certs

EXACT_ID = "11111111-1111-4111-8111-111111111111"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
CA_ID = "33333333-3333-4333-8333-333333333333"


class Gateway:
    """A folder with a configuration, and the command line run in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        self.folder = folder

    def write(self, entities: Any, **conf: str) -> None:
        text = "".join(f"{name} = {value}\n" for name, value in conf.items())
        (self.folder / "kong.conf").write_text(text)
        document = {"_format_version": "3.0", **entities}
        (self.folder / "kong.json").write_text(json.dumps(document, indent=1))

    def run(self, *words: str) -> Result:
        options = ("-c", "kong.conf", "-e", "kong.json", "--no-env", "--nginx-version", "1.28.0")
        return CliRunner().invoke(app, ["explain", *words, *options])

    def ask(self, *words: str, code: int = 0) -> dict[str, Any]:
        result = self.run(*words, "--format", "json")
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return Gateway(tmp_path, monkeypatch)


def pair(cert: pki.Cert, *names: str, **more: str) -> dict[str, Any]:
    snis = [{"name": name} for name in names]
    return {"cert": cert.chain_pem, "key": cert.key_pem, "snis": snis, **more}


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


@pytest.fixture
def billing(gateway: Gateway, certs: Certs) -> Gateway:
    """Make a gateway with services that say all, or nothing, about TLS."""
    gateway.write(
        {
            "certificates": [pair(certs.client, id=CLIENT_ID)],
            "ca_certificates": [{"id": CA_ID, "cert": certs.root.cert_pem}],
            "services": [
                {
                    "name": "billing",
                    "url": "https://billing.internal:8443/v1",
                    "tls_verify": True,
                    "tls_verify_depth": 2,
                    "ca_certificates": [CA_ID],
                    "client_certificate": CLIENT_ID,
                    "routes": [{"name": "api", "paths": ["/api"]}],
                },
                {"name": "plain", "host": "plain.internal"},
                {
                    "name": "pool",
                    "host": "pool-peers",
                    "protocol": "https",
                    "port": 443,
                    "routes": [{"name": "any", "paths": ["/p"], "preserve_host": True}],
                },
            ],
            "upstreams": [
                {
                    "name": "pool-peers",
                    "host_header": "pool.internal",
                    "client_certificate": CLIENT_ID,
                    "targets": [{"target": "10.0.0.1:443"}, {"target": "10.0.0.2:443"}],
                }
            ],
        },
        tls_certificate_verify="off",
    )
    return gateway


def test_a_service_with_all_of_tls(billing: Gateway, certs: Certs) -> None:
    answer = billing.ask("service", "billing")
    assert answer["service"]["name"] == "billing"
    upstream = answer["upstream"]
    assert (upstream["scheme"], upstream["host"], upstream["port"]) == (
        "https",
        "billing.internal",
        8443,
    )
    assert upstream["host_header"] == "billing.internal:8443"
    assert upstream["tls"] == {
        "verify": True,
        "depth": 2,
        "trusted_certificates": [certs.root.sha256],
        "name": "billing.internal",
        "server_name": True,
        "client_certificate": certs.client.sha256,
    }


def test_because_names_the_winner_first(billing: Gateway) -> None:
    because = billing.ask("service", "billing")["because"]
    assert because.keys() == {
        "verify",
        "depth",
        "trusted_certificates",
        "name",
        "server_name",
        "client_certificate",
    }
    lines = (billing.folder / "kong.json").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if '"tls_verify":' in text)
    assert because["verify"][0] == f"services.billing.tls_verify (kong.json:{line})"
    assert because["verify"][1] == "nginx's default: proxy_ssl_verify off"
    assert because["name"][0].startswith("services.billing.url (kong.json:")


def test_a_service_is_found_by_its_id(billing: Gateway) -> None:
    identifier = billing.ask("service", "billing")["service"]["id"]
    for wanted in (identifier, identifier.upper()):
        assert billing.ask("service", wanted)["service"]["name"] == "billing"


def test_a_service_without_routes_is_explained(billing: Gateway) -> None:
    answer = billing.ask("service", "plain")
    assert answer["upstream"]["tls"] is None
    assert (answer["because"], answer["routes"]) == ({}, [])
    text = billing.run("service", "plain").stdout
    assert "routes: none, so no request reaches it" in text
    assert "TLS: none" in text


def test_an_upstream_decides_for_its_service(billing: Gateway, certs: Certs) -> None:
    answer = billing.ask("service", "pool")
    upstream = answer["upstream"]
    assert [target["host"] for target in upstream["targets"]] == ["10.0.0.1", "10.0.0.2"]
    assert upstream["tls"]["name"] == "pool.internal"
    assert upstream["tls"]["client_certificate"] == certs.client.sha256
    because = answer["because"]
    assert because["client_certificate"][0].startswith("upstreams.pool-peers.client_certificate")
    # All its routes send the client's Host, so that decides before anything else.
    assert because["name"][0].startswith("routes.any.preserve_host (kong.json:")
    assert because["name"][1].startswith("upstreams.pool-peers.host_header (kong.json:")


def test_an_unverified_service_trusts_nothing(billing: Gateway) -> None:
    tls = billing.ask("service", "pool")["upstream"]["tls"]
    assert (tls["verify"], tls["trusted_certificates"]) == (False, [])
    assert "any certificate is accepted" in billing.run("service", "pool").stdout


def test_an_unknown_service_is_wrong_usage_with_a_hint(billing: Gateway) -> None:
    result = billing.run("service", "biling")
    assert result.exit_code == 2
    assert "did you mean billing?" in result.stderr


def test_a_service_in_words(billing: Gateway) -> None:
    text = billing.run("service", "billing").stdout
    assert "sends to: https://billing.internal:8443" in text
    assert "depth: 2  # services.billing.tls_verify_depth (kong.json:" in text
    assert "CN=client.example sha256:" in text


def test_no_answer_shows_a_key(billing: Gateway, certs: Certs) -> None:
    body = certs.client.key_pem.splitlines()[1]
    for words in (("service", "billing"), ("sni", "a.test"), ("sni",)):
        for extra in ((), ("--format", "json")):
            result = billing.run(*words, *extra)
            assert body not in result.output
            assert "PRIVATE KEY" not in result.output
