from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.diffing import CA_ID, pair

if TYPE_CHECKING:
    from conftest import Certs
    from support.explaining import Gateway

CLIENT_ID = "22222222-2222-4222-8222-222222222222"


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
