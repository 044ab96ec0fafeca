"""As whom a certificate lets somebody in (mtls-auth), and what upstreams are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from support import pki
from support.gateway import gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

CA, OTHER = pki.ca("Clients"), pki.ca("Others")
CA_ID, OTHER_ID = (f"11111111-0000-4000-8000-00000000000{digit}" for digit in (1, 2))
ALICE, BOB, CAROL, NOBODY, ODD, SPACED, TIED = (
    f"22222222-0000-4000-8000-00000000000{digit}" for digit in range(1, 8)
)
CREDENTIAL = "33333333-0000-4000-8000-000000000001"

ODD_NAME = 'a,b+c="d" <e>; \\é#'
TOLD = ("X-Consumer-ID", "X-Consumer-Username", "X-Consumer-Custom-ID", "X-Credential-Identifier",
        "X-Anonymous-Consumer", "X-Client-Cert-Dn")  # fmt: skip


@dataclass(frozen=True)
class Guarded:
    gateway: Gateway
    peer: Upstream

    @property
    def knows_names(self) -> bool:
        """Whether subject alternative names are known: stock nginx does not tell them."""
        return self.gateway.running.engine.name == "openresty"

    def ask(self, host: str, client: pki.Cert | None, **options: Any) -> Response:
        shown = None if client is None else identity(client)
        return self.gateway.get(host, client=shown, **options)

    def told(self, host: str, client: pki.Cert | None) -> dict[str, str]:
        """Give what the upstream is told of a client that is let in, whatever it says itself."""
        answer = self.ask(host, client, headers=dict.fromkeys(TOLD, "forged"))
        assert answer.status == 200, answer.text
        seen = {name.lower(): value for name, value in self.peer.last["headers"]}
        return {name: seen[name.lower()] for name in TOLD if name.lower() in seen}


def mtls(**config: Any) -> list[dict[str, Any]]:
    said = {"ca_certificates": [CA_ID], "revocation_check_mode": "SKIP", **config}
    return [{"name": "mtls-auth", "config": said}]


def named(*names: tuple[x509.ObjectIdentifier, str]) -> pki.Cert:
    """Make a client's certificate with a subject of its own."""
    return pki.with_subject(CA, x509.Name([x509.NameAttribute(*name) for name in names]))


def entities(port: int) -> dict[str, Any]:
    plugins = {
        "names.test": mtls(),
        "custom.test": mtls(consumer_by=["custom_id"]),
        "credentials.test": mtls(consumer_by=[]),
        "default.test": mtls(default_consumer="nobody"),
        "anonymous.test": mtls(anonymous=NOBODY),
        "anybody.test": mtls(anonymous="nobody", skip_consumer_lookup=True),
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
        "consumers": [
            {"id": ALICE, "username": "alice", "custom_id": "a-1"},
            {"id": BOB, "username": "Alice", "mtls_auth_credentials": [
                {"id": CREDENTIAL, "subject_name": "bob.example"}]},
            {"id": CAROL, "custom_id": "carol", "username": "$uri; }"},
            {"id": NOBODY, "username": "nobody"},
            {"id": ODD, "username": ODD_NAME},
            {"id": SPACED, "username": "alice smith"},
            {"id": TIED, "username": "tied", "mtls_auth_credentials": [
                {"subject_name": "trusted.example", "ca_certificate": CA_ID},
                {"subject_name": "other.example", "ca_certificate": OTHER_ID}]},
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def guarded(engine: Engine, folder: Path) -> Iterator[Guarded]:
    with upstream() as peer:
        files = secured_files(entities(peer.port))
        with gateway(engine, folder, files) as running:
            yield Guarded(running, peer)


def cn(name: str) -> pki.Cert:
    return named((NameOID.COMMON_NAME, name))


def test_a_common_name_is_a_username_or_a_custom_id(guarded: Guarded) -> None:
    known = {"X-Consumer-ID": ALICE, "X-Consumer-Username": "alice", "X-Consumer-Custom-ID": "a-1"}
    assert guarded.told("names.test", cn("alice")) == known
    assert guarded.told("names.test", cn("a-1")) == known
    assert guarded.told("custom.test", cn("a-1")) == known
    assert guarded.ask("custom.test", cn("alice")).status == 401


@pytest.mark.parametrize("name", [ODD_NAME, "alice smith"])
def test_odd_names_are_those_of_their_consumers_alone(guarded: Guarded, name: str) -> None:
    told = guarded.told("names.test", cn(name))
    assert told["X-Consumer-ID"] == {ODD_NAME: ODD, "alice smith": SPACED}[name]


def test_letter_case_counts(guarded: Guarded) -> None:
    assert guarded.told("names.test", cn("Alice"))["X-Consumer-ID"] == BOB
    assert guarded.told("names.test", cn("alice"))["X-Consumer-ID"] == ALICE
    assert guarded.ask("names.test", cn("ALICE")).status == 401
    assert guarded.ask("names.test", cn("A-1")).status == 401


def test_a_consumers_name_is_text_whatever_it_says(guarded: Guarded) -> None:
    told = guarded.told("names.test", cn("carol"))
    assert told == {"X-Consumer-ID": CAROL, "X-Consumer-Username": "$uri; }",
                    "X-Consumer-Custom-ID": "carol"}  # fmt: skip


def test_a_credential_names_a_consumer(guarded: Guarded) -> None:
    known = {"X-Consumer-ID": BOB, "X-Consumer-Username": "Alice",
             "X-Credential-Identifier": CREDENTIAL}  # fmt: skip
    for host in ("names.test", "credentials.test"):
        assert guarded.told(host, cn("bob.example")) == known
    assert guarded.ask("credentials.test", cn("alice")).status == 401


def test_a_credential_counts_for_its_own_authority_alone(guarded: Guarded) -> None:
    assert guarded.told("credentials.test", cn("trusted.example"))["X-Consumer-ID"] == TIED
    assert guarded.ask("credentials.test", cn("other.example")).status == 401


FORGED = {
    "in the organisation": ((NameOID.ORGANIZATION_NAME, "x,CN=alice"),),
    "in an organisation before": ((NameOID.ORGANIZATION_NAME, "alice"),
                                  (NameOID.COMMON_NAME, "mallory")),
    "behind a separator": ((NameOID.COMMON_NAME, "mallory,CN=alice"),),
    "behind an escaped separator": ((NameOID.COMMON_NAME, "mallory\\,CN=alice"),),
    "behind a line": ((NameOID.COMMON_NAME, "mallory\nalice"),),
    "with a consumer behind": ((NameOID.COMMON_NAME, f"mallory {ALICE} -"),),
    "with more behind": ((NameOID.COMMON_NAME, "alice "),),
    "twice": ((NameOID.COMMON_NAME, "alice"), (NameOID.COMMON_NAME, "mallory")),
    "twice, the other way": ((NameOID.COMMON_NAME, "mallory"), (NameOID.COMMON_NAME, "alice")),
    "in another attribute": ((NameOID.SURNAME, "CN=alice"),),
    "nowhere": (),
}  # fmt: skip


@pytest.mark.parametrize("how", FORGED)
@pytest.mark.parametrize("host", ["names.test", "custom.test", "credentials.test"])
def test_a_name_elsewhere_is_nobodys(guarded: Guarded, host: str, how: str) -> None:
    before = len(guarded.peer.requests)
    answer = guarded.ask(host, named(*FORGED[how]))
    assert answer.status == 401
    assert answer.json()["message"] == "TLS certificate failed verification"
    assert len(guarded.peer.requests) == before


@pytest.mark.parametrize("length", range(48))
@pytest.mark.parametrize("host", ["names.test", "default.test"])
def test_a_certificate_with_other_names_is_not_known_by_its_common_name(
    guarded: Guarded, host: str, length: int
) -> None:
    """The extension may begin at any byte of a line of base64."""
    several = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * (length + 1)),
        x509.NameAttribute(NameOID.COMMON_NAME, "alice"),
    ])  # fmt: skip
    with_names = pki.with_subject(CA, several, alternatives=[x509.DNSName("mallory.test")])
    if host == "default.test" and guarded.knows_names:
        assert guarded.told(host, with_names)["X-Consumer-ID"] == NOBODY
    else:
        assert guarded.ask(host, with_names).status == 401


def test_a_certificate_with_other_names_is_known_by_them_where_that_can_be(
    guarded: Guarded,
) -> None:
    alternatives: list[x509.GeneralName] = [x509.DNSName("mallory.test"), x509.RFC822Name("a-1")]
    client = pki.with_subject(
        CA, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Alice")]), alternatives=alternatives
    )
    if guarded.knows_names:
        assert guarded.told("names.test", client)["X-Consumer-ID"] == ALICE
    else:
        assert guarded.ask("names.test", client).status == 401


def test_whoever_is_unknown_may_be_one_consumer(guarded: Guarded) -> None:
    assert guarded.told("default.test", cn("mallory"))["X-Consumer-ID"] == NOBODY
    assert guarded.told("default.test", cn("alice"))["X-Consumer-ID"] == ALICE
    assert guarded.ask("default.test", pki.self_signed("alice")).status == 401
    assert guarded.ask("default.test", None).status == 401


@pytest.mark.parametrize(
    "client",
    [None, pki.leaf(None, cn="alice", client=True), cn("mallory"),
     pki.leaf(pki.ca("Others"), cn="alice", client=True)],
    ids=["none", "self-signed", "unknown", "of another authority"],
)  # fmt: skip
def test_whoever_is_not_known_comes_in_as_nobody(guarded: Guarded, client: pki.Cert | None) -> None:
    told = {"X-Consumer-ID": NOBODY, "X-Consumer-Username": "nobody",
            "X-Anonymous-Consumer": "true"}  # fmt: skip
    assert guarded.told("anonymous.test", client) == told


def test_a_known_client_is_not_anonymous(guarded: Guarded) -> None:
    assert guarded.told("anonymous.test", cn("alice")) == {
        "X-Consumer-ID": ALICE, "X-Consumer-Username": "alice", "X-Consumer-Custom-ID": "a-1",
    }  # fmt: skip


def test_a_certificate_shown_to_another_name_makes_anonymous(guarded: Guarded) -> None:
    guarded.ask("anonymous.test", cn("alice"), sni="names.test")
    answer = guarded.ask("anonymous.test", cn("alice"), sni=None)
    assert answer.status == 200
    seen = {name.lower(): value for name, value in guarded.peer.last["headers"]}
    assert seen["x-consumer-id"] == NOBODY


def test_without_a_lookup_the_subject_is_told(guarded: Guarded) -> None:
    assert guarded.told("anybody.test", cn("alice")) == {"X-Client-Cert-Dn": "CN=alice"}
    assert guarded.told("anybody.test", None) == {
        "X-Consumer-ID": NOBODY, "X-Consumer-Username": "nobody", "X-Anonymous-Consumer": "true",
    }  # fmt: skip
