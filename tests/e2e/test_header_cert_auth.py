"""Certificates that a proxy has seen and tells in a header (header-cert-auth)."""

from __future__ import annotations

import base64
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from support import engines, pki
from support.gateway import compile_tree, gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

MISSING = "No required TLS certificate was sent"
UNVERIFIED = "TLS certificate failed verification"

CA, OTHER = pki.ca("Clients"), pki.ca("Others")
CA_ID, OTHER_ID = (f"11111111-0000-4000-8000-00000000000{digit}" for digit in (1, 2))
ALICE_ID, CREDENTIAL = (f"22222222-0000-4000-8000-00000000000{digit}" for digit in (1, 2))
ALICE = pki.with_subject(
    CA, x509.Name([]), alternatives=[x509.DNSName("x.test"), x509.DNSName("alice.test")]
)


@dataclass(frozen=True)
class Guarded:
    gateway: Gateway
    peer: Upstream

    def ask(self, host: str, *values: str, **options: Any) -> Response:
        headers = [("X-Client-Cert", value) for value in values] + options.pop("headers", [])
        return self.gateway.get(host, headers=headers, **options)

    def told(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.peer.last["headers"]}


def plugin(**config: Any) -> list[dict[str, Any]]:
    said = {
        "ca_certificates": [CA_ID], "revocation_check_mode": "SKIP",
        "certificate_header_name": "X-Client-Cert", "certificate_header_format": "base64_encoded",
        **config,
    }  # fmt: skip
    return [{"name": "header-cert-auth", "config": said}]


def entities(port: int) -> dict[str, Any]:
    mtls = {
        "name": "mtls-auth",
        "config": {
            "ca_certificates": [CA_ID],
            "revocation_check_mode": "SKIP",
            "skip_consumer_lookup": True,
        },
    }
    plugins = {
        "other.test": plugin(ca_certificates=[OTHER_ID], skip_consumer_lookup=True),
        "der.test": plugin(),
        "pem.test": plugin(certificate_header_format="url_encoded", skip_consumer_lookup=True),
        "anybody.test": plugin(secure_source=False),
        "both.test": [*plugin(), mtls],
        "open.test": [],
    }
    return {
        "_format_version": "3.0",
        "ca_certificates": [{"id": CA_ID, "cert": CA.cert_pem},
                            {"id": OTHER_ID, "cert": OTHER.cert_pem}],
        "services": [{
            "name": "things", "url": f"http://127.0.0.1:{port}",
            "routes": [{"name": host, "hosts": [host], "plugins": p}
                       for host, p in plugins.items()],
        }],
        "consumers": [{"id": ALICE_ID, "username": "alice", "header_cert_auth_credentials": [
            {"id": CREDENTIAL, "subject_name": "alice.test", "ca_certificate": CA_ID}]}],
    }  # fmt: skip


def files(port: int, trusted: str) -> dict[str, Any]:
    return secured_files(
        entities(port),
        f"trusted_ips = {trusted}\nnginx_proxy_large_client_header_buffers = 8 24k\n",
    )


@pytest.fixture(scope="module")
def folder_of_lua(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lua")
    for parent in (made, *list(made.parents)[:2]):
        parent.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def guarded(folder_of_lua: Path) -> Iterator[Guarded]:
    engine = engines.find("openresty")
    with (
        upstream() as peer,
        gateway(engine, folder_of_lua, files(peer.port, "127.0.0.1")) as running,
    ):
        yield Guarded(running, peer)


@pytest.fixture(scope="module")
def distrustful(folder_of_lua: Path) -> Iterator[Guarded]:
    """Make a gateway that trusts another address than the one that asks."""
    engine = engines.find("openresty")
    with (
        upstream() as peer,
        gateway(engine, folder_of_lua, files(peer.port, "127.0.0.9"), out="other") as running,
    ):
        yield Guarded(running, peer)


def der(cert: pki.Cert) -> str:
    return base64.b64encode(cert.der).decode()


def pem(*certs: pki.Cert) -> str:
    return urllib.parse.quote("".join(cert.cert_pem for cert in certs), safe="")


@pytest.mark.parametrize("tls", [True, False])
def test_a_certificate_in_a_header_is_let_in(guarded: Guarded, tls: bool) -> None:  # noqa: FBT001
    assert guarded.ask("der.test", der(ALICE), tls=tls).status == 200
    told = guarded.told()
    assert (told["x-consumer-id"], told["x-consumer-username"]) == (ALICE_ID, "alice")
    assert told["x-credential-identifier"] == CREDENTIAL


def test_without_a_lookup_upstreams_are_told_the_names(guarded: Guarded) -> None:
    carol = pki.leaf(CA, cn="carol", client=True)
    assert guarded.ask("pem.test", pem(carol)).status == 200
    assert guarded.told()["x-client-cert-dn"] == "CN=carol"
    assert guarded.ask("pem.test", pem(ALICE)).status == 200
    assert guarded.told()["x-client-cert-san"] == "x.test,alice.test"


def test_an_intermediate_may_come_along(guarded: Guarded) -> None:
    below = pki.intermediate(CA, "Below")
    leaf = pki.leaf(below, cn="carol", client=True)
    assert guarded.ask("pem.test", pem(leaf, below)).status == 200
    assert guarded.ask("pem.test", pem(leaf)).status == 401


BAD = {
    "of another authority": der(pki.leaf(OTHER, "alice.test", client=True)),
    "expired": der(pki.expired(CA, "alice.test")),
    "of a server": der(pki.leaf(CA, "alice.test")),
    "of nobody": der(pki.leaf(CA, cn="mallory", client=True)),
    "in the other format": pem(ALICE),
    "cut short": der(ALICE)[:-8],
    "with more behind": base64.b64encode(ALICE.der + b"x").decode(),
    "no base64": "!" * 40,
    "a long text": "A" * 20_000,
}


@pytest.mark.parametrize("how", BAD)
def test_bad_certificates_are_refused(guarded: Guarded, how: str) -> None:
    before = len(guarded.peer.requests)
    answer = guarded.ask("der.test", BAD[how])
    assert (answer.status, answer.json()["message"]) == (401, UNVERIFIED)
    assert len(guarded.peer.requests) == before


def test_each_plugin_has_authorities_of_its_own(guarded: Guarded) -> None:
    client = pki.leaf(OTHER, cn="carol", client=True)
    assert guarded.ask("other.test", der(client)).status == 200
    assert guarded.ask("other.test", der(ALICE)).status == 401


def test_two_headers_are_refused(guarded: Guarded) -> None:
    assert guarded.ask("der.test", der(ALICE), der(ALICE)).status == 401


@pytest.mark.parametrize("host", ["der.test", "pem.test", "anybody.test", "both.test"])
def test_none_is_refused(guarded: Guarded, host: str) -> None:
    for values in ((), ("",)):
        answer = guarded.ask(host, *values)
        assert (answer.status, answer.json()["message"]) == (401, MISSING)


def test_a_header_counts_only_from_a_trusted_peer(distrustful: Guarded) -> None:
    answer = distrustful.ask("der.test", der(ALICE))
    assert (answer.status, answer.json()["message"]) == (401, MISSING)
    forged = [("X-Forwarded-For", "127.0.0.9"), ("X-Real-IP", "127.0.0.9")]
    assert distrustful.ask("der.test", der(ALICE), headers=forged).status == 401
    assert distrustful.ask("anybody.test", der(ALICE)).status == 200


def test_both_have_to_be_shown_where_both_are_wanted(guarded: Guarded) -> None:
    own = identity(pki.leaf(CA, cn="proxy", client=True))
    assert guarded.ask("both.test", der(ALICE), client=own).status == 200
    assert guarded.ask("both.test", client=own).status == 401
    assert guarded.ask("both.test", der(ALICE)).status == 401


def test_no_client_can_say_who_it_is(guarded: Guarded) -> None:
    names = ("X-Consumer-ID", "X-Consumer-Username", "X-Client-Cert-Dn", "X-Anonymous-Consumer")
    forged = [(name, "forged") for name in names]
    for host, values in (("der.test", (der(ALICE),)), ("open.test", ())):
        assert guarded.ask(host, *values, headers=forged).status == 200
        assert "forged" not in guarded.told().values()


def test_stock_nginx_refuses_to_do_without(engine: Engine, workdir: Path) -> None:
    if engine.name == "openresty":
        pytest.skip("it can")
    compiled = compile_tree(engine, workdir, files(9, "127.0.0.1"), exit_code=1)
    assert "plugin-not-compiled-for-nginx" in compiled.stderr
    assert not compiled.tree.exists()
