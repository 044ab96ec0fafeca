"""Which certificates the Lua accepts, and of which handshakes."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from support import access, http2, pki, upstreams
from support.access import ABSENT, FAILED, Data, context_of, exchange, refusal, told
from support.client import client_context
from support.client_certs import client, revocations
from support.upstreams import Identity, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.access import Gateway
    from support.pki import Cert

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

pytestmark = pytest.mark.debian

ROOT = pki.ca("Clients")
BETWEEN = pki.intermediate(ROOT, "Clients, Between")
IMPOSTOR = pki.ca("Clients")
OTHER = pki.ca("Others")
LEAF = client(ROOT, "alice")
CHAINED = client(BETWEEN, "alice")
GONE = client(ROOT, "alice")
CONSTRAINED = client(
    ROOT,
    "Constrained",
    authority=True,
    extensions=[x509.NameConstraints([x509.DNSName("inside.test")], None)],
)


def bare(cert: Cert) -> Cert:
    """Give a certificate that is sent without its intermediates."""
    return pki.Cert(cert.certificate, cert.key)


ACCEPTED: dict[str, Callable[[], Cert]] = {
    "of the root": lambda: LEAF,
    "with an intermediate": lambda: CHAINED,
    "for any use": lambda: client(ROOT, "alice", usages=()),
    "for servers too": lambda: client(
        ROOT,
        "alice",
        usages=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    ),
    "within constraints": lambda: client(
        CONSTRAINED, "x", [x509.RFC822Name("alice"), x509.DNSName("a.inside.test")]
    ),
}
REFUSED: dict[str, Callable[[], Cert]] = {
    "expired": lambda: client(ROOT, "alice", days=(-3, -1)),
    "not yet valid": lambda: client(ROOT, "alice", days=(1, 3)),
    "for servers": lambda: client(ROOT, "alice", usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
    "self-signed": lambda: client(None, "alice"),
    "of another root": lambda: client(OTHER, "alice"),
    "of another root, with it": lambda: client(client(OTHER, "b", authority=True), "alice"),
    "of the root's name and another key": lambda: client(IMPOSTOR, "alice"),
    "of an intermediate of another key": lambda: client(
        pki.intermediate(IMPOSTOR, "Clients, Between"), "alice"
    ),
    "without its intermediate": lambda: bare(client(BETWEEN, "alice")),
    "of an expired intermediate": lambda: client(
        client(ROOT, "Old", authority=True, days=(-3, -1)), "alice"
    ),
    "signed by a leaf": lambda: client(client(ROOT, "bob"), "alice"),
    "beyond constraints": lambda: client(CONSTRAINED, "alice", [x509.DNSName("a.outside.test")]),
}


@pytest.fixture(scope="module")
def data() -> Data:
    made = Data()
    made.consumer("alice")
    trust = made.trust(ROOT)
    made.rules = {
        "mtls": [made.step(trust)],
        "uncached": [made.step(trust, cert_cache_ttl=0)],
        "others": [made.step(made.trust(OTHER))],
        "between": [made.step(made.trust(BETWEEN))],
        "partial": [made.step(made.trust(BETWEEN, partial=True))],
        "both": [made.step(made.trust(ROOT, BETWEEN))],
    }
    return made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("access")
    with upstreams.upstream() as upstream, access.serve(folder, data, upstream) as running:
        yield running


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(gateway: Gateway, name: str) -> None:
    answer = gateway.get("/mtls", ACCEPTED[name]())
    assert told(answer) == {"X-Consumer-ID": "id-of-alice", "X-Consumer-Username": "alice"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(gateway: Gateway, name: str) -> None:
    # Twice: nothing may be remembered of the first time.
    for _ in range(2):
        assert refusal(gateway.get("/mtls", REFUSED[name]())) == FAILED


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
def test_nothing_sent(gateway: Gateway, tls: bool) -> None:  # noqa: FBT001
    assert refusal(gateway.get("/mtls", tls=tls)) == ABSENT


def test_locations_without_rule_take_any_certificate(gateway: Gateway) -> None:
    for cert in (None, LEAF, REFUSED["expired"](), REFUSED["self-signed"]()):
        assert told(gateway.get("/open", cert)) == {}


def test_anchors(gateway: Gateway) -> None:
    assert refusal(gateway.get("/between", CHAINED)) == FAILED
    assert refusal(gateway.get("/between", bare(CHAINED))) == FAILED
    assert told(gateway.get("/partial", CHAINED))
    assert told(gateway.get("/partial", bare(CHAINED)))
    assert refusal(gateway.get("/partial", LEAF)) == FAILED
    assert told(gateway.get("/both", bare(client(BETWEEN, "alice"))))


def test_one_connection_is_verified_for_each_rule(gateway: Gateway) -> None:
    for cert, right, wrong in (
        (LEAF, "/mtls", "/others"),
        (client(OTHER, "alice"), "/others", "/mtls"),
    ):
        made = exchange(gateway.https_port, context_of(cert), right, wrong, right, wrong)
        assert [answer.status for answer in made.answers] == [200, 401, 200, 401]


def test_the_log_tells_reasons_and_subjects_alone(gateway: Gateway) -> None:
    cert = client(ROOT, "Somebody\n[emerg] forged", days=(-3, -1))
    assert refusal(gateway.get("/mtls", cert)) == FAILED
    said = gateway.log()
    assert "[mtls-auth] certificate has expired: CN=Somebody\\0A[emerg] forged" in said
    assert "BEGIN CERT" not in said
    refusal(gateway.get("/mtls"))
    assert "[mtls-auth] no certificate was sent" in gateway.log()


def test_what_is_remembered_ends_with_the_certificate(gateway: Gateway) -> None:
    until = time.time() + 2
    cert = client(ROOT, "alice", days=(-1, 2 / 86400))
    assert told(gateway.get("/mtls", cert))
    time.sleep(until - time.time() + 1)
    assert refusal(gateway.get("/mtls", cert)) == FAILED


def test_http2(gateway: Gateway) -> None:
    answers = [
        http2.request(gateway.https_port, "a.test", "/mtls", method="GET", client=sent)
        for sent in (identity(CHAINED), identity(REFUSED["expired"]()), None)
    ]
    assert [answer.status for answer in answers] == [200, 401, 401]
    assert [answer.body.decode() for answer in answers[1:]] == [FAILED, ABSENT]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("first", ["/uncached", "/mtls"])
@pytest.mark.parametrize("chained", [True, False], ids=["chained", "root's"])
def test_resumed_sessions(gateway: Gateway, version: str, first: str, chained: bool) -> None:  # noqa: FBT001
    context = context_of(client(BETWEEN if chained else ROOT, "alice"), VERSIONS[version])
    before = exchange(gateway.https_port, context, first)
    assert told(before.answers[0])
    after = exchange(gateway.https_port, context, "/uncached", "/others", session=before.session)
    assert after.resumed
    assert told(after.answers[0])["X-Consumer-Username"] == "alice"
    assert refusal(after.answers[1]) == FAILED


@pytest.mark.parametrize("version", VERSIONS)
def test_resumed_sessions_of_which_nothing_is_remembered(gateway: Gateway, version: str) -> None:
    # The first connection asked for nothing that is protected, or was refused.
    for first, cert, status in (
        ("/open", client(BETWEEN, "alice"), 401),
        ("/others", client(BETWEEN, "alice"), 401),
        ("/open", client(ROOT, "alice"), 200),
        ("/open", client(BETWEEN, "alice", days=(-3, -1)), 401),
        ("/open", None, 401),
    ):
        context = context_of(cert, VERSIONS[version])
        before = exchange(gateway.https_port, context, first)
        after = exchange(gateway.https_port, context, "/uncached", session=before.session)
        assert after.resumed
        assert after.answers[0].status == status


LARGE = client(
    ROOT,
    "Large",
    authority=True,
    extensions=[x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(50_000))],
)


def test_what_is_remembered_ends_with_its_time(gateway: Gateway) -> None:
    """Intermediates that are too large to be kept show whether a certificate is verified again."""
    cert = client(LARGE, "alice")
    assert told(gateway.get("/mtls", cert))
    assert told(gateway.get("/mtls", bare(cert)))
    assert refusal(gateway.get("/uncached", bare(cert))) == FAILED
    assert told(gateway.get("/uncached", cert))


def test_many_intermediates(gateway: Gateway) -> None:
    cert = client(BETWEEN, "alice")
    for count, status in ((10, 200), (11, 401)):
        chain = cert.cert_pem + BETWEEN.cert_pem * count
        context = client_context(client=Identity(chain, cert.key_pem))
        assert exchange(gateway.https_port, context, "/uncached").answers[0].status == status


CRLS: dict[str, Callable[[], list[str]]] = {
    "none": list,
    "fresh": lambda: [revocations(ROOT)],
    "revoked": lambda: [revocations(ROOT, GONE)],
    "ended": lambda: [revocations(ROOT, GONE, days=(-3, -1))],
    "to come": lambda: [revocations(ROOT, GONE, days=(1, 3))],
    "forged": lambda: [revocations(ROOT, GONE, signer=OTHER)],
    "of others": lambda: [revocations(OTHER, GONE)],
    "ended and revoked": lambda: [
        revocations(ROOT, days=(-3, -1)),
        revocations(ROOT, GONE),
    ],
    "no longer revoked": lambda: [
        revocations(ROOT, GONE, days=(-3, -1)),
        revocations(ROOT),
    ],
}
REVOKED = {"revoked", "ended", "to come", "ended and revoked"}
PASSES = {
    "SKIP": set(CRLS),
    "IGNORE_CA_ERROR": set(CRLS) - REVOKED,
    "STRICT": {"fresh", "no longer revoked"},
}


@pytest.fixture(scope="module")
def revoking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    data = Data()
    data.consumer("alice")
    for mode in PASSES:
        for name, crls in CRLS.items():
            trust = data.trust(ROOT, mode=mode, crls=crls())
            data.rules[f"{mode}-{name}".replace(" ", "-")] = [data.step(trust)]
        both = [revocations(BETWEEN), revocations(ROOT)]
        for name, lists in {
            "below-revoked": [revocations(ROOT, BETWEEN)],
            "below-unknown": [revocations(BETWEEN)],
            "below-fresh": both,
        }.items():
            trust = data.trust(ROOT, mode=mode, crls=lists)
            data.rules[f"{mode}-{name}"] = [data.step(trust)]
        partial = data.trust(BETWEEN, partial=True, mode=mode, crls=[revocations(BETWEEN)])
        data.rules[f"{mode}-partial"] = [data.step(partial)]
    folder = tmp_path_factory.mktemp("revoking")
    with upstreams.upstream() as upstream, access.serve(folder, data, upstream) as running:
        yield running


@pytest.mark.parametrize("mode", PASSES)
@pytest.mark.parametrize("name", CRLS)
def test_revocation(revoking: Gateway, mode: str, name: str) -> None:
    answer = revoking.get(f"/{mode}-{name}".replace(" ", "-"), GONE)
    assert answer.status == (200 if name in PASSES[mode] else 401)


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("below-revoked", {"SKIP"}),
        ("below-unknown", {"SKIP", "IGNORE_CA_ERROR"}),
        ("below-fresh", set(PASSES)),
        ("partial", set(PASSES)),
    ],
)
def test_revocation_of_intermediates(revoking: Gateway, name: str, modes: set[str]) -> None:
    passed = {mode for mode in PASSES if revoking.get(f"/{mode}-{name}", CHAINED).status == 200}
    assert passed == modes


def test_what_is_remembered_ends_with_the_lists(tmp_path: Path) -> None:
    until = time.time() + 3
    data = Data()
    data.consumer("alice")
    trust = data.trust(ROOT, mode="STRICT", crls=[revocations(ROOT, days=(-1, 3 / 86400))])
    data.rules["strict"] = [data.step(trust)]
    with upstreams.upstream() as upstream, access.serve(tmp_path, data, upstream) as gateway:
        assert told(gateway.get("/strict", LEAF))
        time.sleep(until - time.time() + 1)
        assert refusal(gateway.get("/strict", LEAF)) == FAILED


def test_what_is_remembered_does_not_end_with_lists_that_have_ended(tmp_path: Path) -> None:
    until = time.time() + 2
    data = Data()
    data.consumer("alice")
    lists = [revocations(ROOT), revocations(OTHER, days=(-1, 2 / 86400))]
    trust = data.trust(ROOT, OTHER, mode="IGNORE_CA_ERROR", crls=lists)
    data.rules["tolerant"] = [data.step(trust)]
    with upstreams.upstream() as upstream, access.serve(tmp_path, data, upstream) as gateway:
        time.sleep(until - time.time() + 1)
        cert = client(LARGE, "alice")
        assert told(gateway.get("/tolerant", cert))
        assert told(gateway.get("/tolerant", bare(cert)))


def test_certificates_asked_for_by_nginx(tmp_path: Path, data: Data) -> None:
    """Without Lua at the handshake, nginx judges some itself: it must say 495 for Kong's answer."""
    options: dict[str, Any] = {"ask": "ssl_verify_client optional_no_ca;"}
    with upstreams.upstream() as upstream, access.serve(tmp_path, data, upstream, **options) as it:
        assert told(it.get("/mtls", CHAINED))
        for name in ("expired", "self-signed", "of another root"):
            assert refusal(it.get("/mtls", REFUSED[name]())) == FAILED
        assert refusal(it.get("/mtls")) == ABSENT
