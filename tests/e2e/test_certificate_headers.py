"""What upstreams are told of clients' certificates (tls-metadata-headers): never by clients."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import hashes
from support import pki, ports
from support.client import Identity, client_context, spellings
from support.gateway import gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import HandshakeResult
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

AUTHORITY = pki.ca("Clients CA")
BELOW = pki.intermediate(AUTHORITY, "Below Clients CA")
ALICE = pki.leaf(AUTHORITY, cn="alice", client=True)
CAROL = pki.leaf(BELOW, cn="carol", client=True)
STRANGER = pki.leaf(pki.ca("Unknown CA"), cn="stranger", client=True)

HEADERS = ("X-Client-Cert", "X-Serial", "X-Client-Cert-Issuer-DN", "X-Client-Cert-Subject-DN",
           "X-Client-Cert-Fingerprint")  # fmt: skip
ID = "11111111-0000-4000-8000-000000000001"
TELLS = {
    "name": "tls-metadata-headers",
    "config": {"inject_client_cert_details": True, "client_serial_header_name": "X-Serial"},
}
VERIFIES = {
    "name": "mtls-auth",
    "config": {
        "ca_certificates": [ID],
        "skip_consumer_lookup": True,
        "revocation_check_mode": "SKIP",
    },
}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Telling:
    """A gateway and its upstream."""

    def __init__(self, gateway: Gateway, peer: Upstream) -> None:
        self.gateway = gateway
        self.peer = peer
        self.tells_chains = gateway.running.engine.name == "openresty"

    def told(
        self, host: str, client: pki.Cert | None = None, **options: Any
    ) -> tuple[dict[str, str], HandshakeResult]:
        """Give the headers that the upstream gets, by names in lower case, and the handshake."""
        shown = None if client is None else identity(client)
        answer = self.gateway.get(host, client=shown, **options)
        assert answer.status == 200
        assert answer.tls is not None
        return {name.lower(): value for name, value in self.peer.last["headers"]}, answer.tls


BY_HOST: dict[str, list[Any]] = {
    "asked.test": [{"name": "tls-handshake-modifier"}, TELLS],
    "untold.test": [VERIFIES],
    "open.test": [],
}


def entities(port: int, routes: dict[str, list[Any]]) -> dict[str, Any]:
    """Give each host a route with plugins; without hosts there is one route for all."""
    return {
        "_format_version": "3.0",
        "services": [
            {
                "name": "things",
                "url": f"http://127.0.0.1:{port}",
                "routes": [
                    {"name": host.partition(".")[0], "hosts": [host], "plugins": plugins}
                    for host, plugins in routes.items()
                ]
                or [{"name": "all", "paths": ["/"]}],
            }
        ],
        "ca_certificates": [{"id": ID, "cert": AUTHORITY.cert_pem}],
    }


@pytest.fixture(scope="module")
def telling(engine: Engine, folder: Path) -> Iterator[Telling]:
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        listen = f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl http2\n"
        files = secured_files(entities(peer.port, BY_HOST), listen)
        with gateway(engine, folder, files, http_port=plain, https_port=secure) as running:
            yield Telling(running, peer)


@pytest.mark.parametrize("client", [ALICE, CAROL, STRANGER], ids=lambda cert: cert.cn)
def test_upstreams_are_told_of_any_certificate(telling: Telling, client: pki.Cert) -> None:
    told, _ = telling.told(
        "asked.test", client, headers=dict.fromkeys(spellings(HEADERS), "forged")
    )
    assert "forged" not in told.values()
    sent = client.chain_pem if telling.tells_chains else client.cert_pem
    assert unquote(told["x-client-cert"]) == sent
    assert not set(told["x-client-cert"]) & set(" +/=\n")
    assert int(told["x-serial"], 16) == client.certificate.serial_number
    issuer = client.issuer or client
    assert told["x-client-cert-issuer-dn"] == f"CN={issuer.cn}"
    assert told["x-client-cert-subject-dn"] == f"CN={client.cn}"
    fingerprint = client.certificate.fingerprint(hashes.SHA1())  # noqa: S303 - Kong's choice
    assert told["x-client-cert-fingerprint"] == fingerprint.hex()


@pytest.mark.parametrize("host", ["asked.test", "open.test", "untold.test"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_upstreams_are_told_of_no_certificate_that_a_client_makes_up(
    telling: Telling, host: str, *, tls: bool
) -> None:
    client = ALICE if host == "untold.test" else None
    forged = dict.fromkeys(spellings(HEADERS), "forged")
    shown = None if client is None else identity(client)
    answer = telling.gateway.get(host, client=shown, headers=forged, tls=tls)
    if host == "untold.test" and not tls:
        assert answer.status == 401
        return
    assert answer.status == 200
    told = {name.lower().replace("_", "-") for name, _ in telling.peer.last["headers"]}
    assert told.isdisjoint(name.lower() for name in HEADERS)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize(
    ("plugin", "sent"),
    [({"name": "tls-handshake-modifier"}, CAROL.cert_pem), (VERIFIES, CAROL.chain_pem)],
    ids=["asked", "verified"],
)
def test_intermediates_of_a_resumed_session_are_told_if_they_were_verified(
    engine: Engine, workdir: Path, plugin: dict[str, Any], sent: str, version: ssl.TLSVersion
) -> None:
    with upstream() as peer:
        files = secured_files({**entities(peer.port, {}), "plugins": [plugin, TELLS]})
        with gateway(engine, workdir, files) as running:
            telling = Telling(running, peer)
            told, _ = telling.told("a.test", CAROL)
            assert (unquote(told["x-client-cert"]) == CAROL.chain_pem) == telling.tells_chains
            first = running.handshake(
                "a.test",
                client=identity(CAROL),
                minimum=version,
                maximum=version,
                keep_session=True,
            )
            told, second = telling.told("a.test", resume=first)
    assert second.session_reused
    assert unquote(told["x-client-cert"]) == (sent if telling.tells_chains else CAROL.cert_pem)


def test_of_too_many_certificates_the_clients_own_is_told(telling: Telling) -> None:
    for count in (10, 11):
        chain = CAROL.cert_pem + BELOW.cert_pem * count
        told, _ = telling.told(
            "asked.test", context=client_context(client=Identity(chain, CAROL.key_pem))
        )
        whole = telling.tells_chains and count == 10
        assert unquote(told["x-client-cert"]) == (chain if whole else CAROL.cert_pem)


def test_an_older_kong_tells_no_intermediates(engine: Engine, workdir: Path) -> None:
    with upstream() as peer:
        files = secured_files(entities(peer.port, BY_HOST))
        with gateway(engine, workdir, files, args=["--kong-version", "3.7"]) as running:
            told, _ = Telling(running, peer).told("asked.test", CAROL)
    assert unquote(told["x-client-cert"]) == CAROL.cert_pem
