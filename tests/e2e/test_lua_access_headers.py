"""Certificates in a header: what is read, and what is refused without harm."""

from __future__ import annotations

import base64
import random
import re
import subprocess
import time
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from support import access, pki, upstreams
from support.access import ABSENT, FAILED, Data, base64_header, refusal, told, url_header
from support.client_certs import client, common_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.access import Gateway

pytestmark = pytest.mark.debian

ROOT = pki.ca("Clients")
BETWEEN = pki.intermediate(ROOT, "Between")
LEAF = client(ROOT, "alice")
CHAINED = client(BETWEEN, "alice")
ALICE = {"X-Consumer-ID": "id-of-alice", "X-Consumer-Username": "alice"}
HEADER = "X-Client-Cert"
UNREADABLE = b"\x30\x82\x01\x00"


def make_data() -> Data:
    data = Data()
    data.consumer("alice")
    trust = data.trust(ROOT)
    data.rules = {
        "base64": [data.step(trust, header=HEADER)],
        "url": [data.step(trust, header=HEADER, certificate_header_format="url_encoded")],
        "secure": [data.step(trust, header=HEADER, secure_source=True)],
        "others": [data.step(data.trust(pki.ca("Clients")), header=HEADER)],
        "uncached": [data.step(trust, header=HEADER, cert_cache_ttl=0)],
    }
    return data


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("headers")
    with upstreams.upstream() as upstream, access.serve(folder, make_data(), upstream) as running:
        yield running


def ask(gateway: Gateway, rule: str, *values: str) -> str:
    """Send a header with values; gives the refusal, or the consumer."""
    headers = [(HEADER, value) for value in values]
    answer = gateway.get(f"/{rule}", headers=headers, tls=False)
    return refusal(answer) if answer.status != 200 else told(answer)["X-Consumer-Username"]


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def armoured(der: bytes) -> str:
    body = base64.b64encode(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def encoded(der: bytes) -> str:
    return base64.b64encode(der).decode()


def test_base64(gateway: Gateway) -> None:
    for _ in range(2):
        answer = gateway.get("/base64", headers={HEADER: base64_header(LEAF)}, tls=False)
        assert told(answer) == ALICE
        # as with Kong, the upstream sees what came
        assert [HEADER, base64_header(LEAF)] in answer.json()["headers"]
        assert ask(gateway, "base64", base64_header(CHAINED)) == FAILED
        assert ask(gateway, "others", base64_header(LEAF)) == FAILED


URL_ENCODED = {
    "alone": quoted(LEAF.cert_pem),
    "chain": quoted(CHAINED.chain_pem),
    "chain with root": quoted(CHAINED.full_chain_pem),
    "safe characters": urllib.parse.quote(LEAF.cert_pem, safe="+=/"),
    "lower case digits": "".join(
        part.lower() if at % 2 else part
        for at, part in enumerate(re.split("(%..)", quoted(LEAF.cert_pem)))
    ),
    "carriage returns": quoted(LEAF.cert_pem.replace("\n", "\r\n")),
    "one line": quoted(armoured(LEAF.der)),
    "everything": "".join(f"%{byte:02X}" for byte in LEAF.cert_pem.encode()),
}


@pytest.mark.parametrize("name", URL_ENCODED)
def test_url_encoded(gateway: Gateway, name: str) -> None:
    for _ in range(2):
        assert ask(gateway, "url", URL_ENCODED[name]) == "alice"


@pytest.mark.parametrize("rule", ["base64", "url", "secure"])
def test_absent(gateway: Gateway, rule: str) -> None:
    assert ask(gateway, rule) == ABSENT
    assert ask(gateway, rule, "") == ABSENT


MALFORMED: dict[str, tuple[str, str | list[str]]] = {
    "no base64": ("base64", "?"),
    "text": ("base64", "alice"),
    "PEM": ("base64", LEAF.cert_pem.replace("\n", "")),
    "encoded PEM": ("base64", encoded(LEAF.cert_pem.encode())),
    "base64 cut": ("base64", base64_header(LEAF)[:-7]),
    "base64 and more": ("base64", base64_header(LEAF) + "AAAA"),
    "base64, spaces": ("base64", base64_header(LEAF).replace("A", " A", 3)),
    "DER cut": ("base64", encoded(LEAF.der[:-1])),
    "DER and a byte": ("base64", encoded(LEAF.der + b"\0")),
    "two DERs": ("base64", encoded(LEAF.der + LEAF.der)),
    "empty sequence": ("base64", encoded(b"\x30\0")),
    "size only": ("base64", encoded(UNREADABLE)),
    "indefinite size": ("base64", encoded(b"\x30\x80" + LEAF.der[4:] + b"\0\0")),
    "size of the whole memory": ("base64", encoded(b"\x30\x84\xff\xff\xff\xff" + LEAF.der)),
    "large": ("base64", encoded(LEAF.der + bytes(70_000))),
    "nothing but padding": ("base64", "===="),
    "url in base64": ("base64", url_header(LEAF)),
    "base64 in url": ("url", base64_header(LEAF)),
    "percent cut": ("url", url_header(LEAF) + "%"),
    "percent of no number": ("url", url_header(LEAF).replace("%0A", "%0G", 1)),
    "percent of no digit": ("url", url_header(LEAF).replace("%0A", "%GA", 1)),
    "another beginning": (
        "url",
        quoted(LEAF.cert_pem.replace("BEGIN CERTIFICATE", "BEGIN CERTIFICATF")),
    ),
    "encoded twice": ("url", quoted(url_header(LEAF))),
    "no end": ("url", url_header(LEAF)[:-40]),
    "no beginning": ("url", url_header(LEAF)[20:]),
    "no certificate": ("url", quoted(armoured(b""))),
    "garbage behind": ("url", url_header(LEAF) + "x"),
    "garbage before": ("url", "x" + url_header(LEAF)),
    "garbage between": ("url", url_header(CHAINED) + "x" + url_header(BETWEEN)),
    "unreadable": ("url", quoted(armoured(UNREADABLE))),
    "DER and a byte in PEM": ("url", quoted(armoured(LEAF.der + b"\0"))),
    "unreadable intermediate": ("url", url_header(LEAF) + quoted(armoured(UNREADABLE))),
    "key": ("url", quoted(LEAF.key_pem)),
    "leaf last": ("url", url_header(BETWEEN, CHAINED)),
    "many": ("url", url_header(LEAF, *[BETWEEN] * 10)),
    "NUL": ("url", url_header(LEAF) + "%00"),
    "long": ("url", "%20" * 66_000 + url_header(LEAF)),
    "twice the same": ("base64", [base64_header(LEAF)] * 2),
    "twice, an empty one first": ("base64", ["", base64_header(LEAF)]),
    "twice, an empty one last": ("base64", [base64_header(LEAF), ""]),
    "another first": ("url", [url_header(client(ROOT, "bob")), url_header(LEAF)]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(gateway: Gateway, name: str) -> None:
    rule, values = MALFORMED[name]
    for _ in range(2):
        sent = [values] if isinstance(values, str) else values
        assert ask(gateway, rule, *sent) == FAILED


def test_a_second_header_behind_many(gateway: Gateway) -> None:
    headers = [
        (HEADER, base64_header(LEAF)),
        *((f"X-{number}", "x") for number in range(900)),
        (HEADER.lower(), base64_header(client(ROOT, "bob"))),
    ]
    assert refusal(gateway.get("/base64", headers=headers, tls=False)) == FAILED
    assert told(gateway.get("/base64", headers=headers[:-1], tls=False)) == ALICE


def test_random_damage(gateway: Gateway) -> None:
    """Whatever one byte is changed to: the signature or the form is wrong, and nothing breaks."""
    random_ = random.Random(1)
    for _ in range(300):
        der = bytearray(LEAF.der)
        at = random_.randrange(len(der))
        der[at] ^= 1 << random_.randrange(8)
        assert ask(gateway, "base64", encoded(bytes(der))) == FAILED
    for _ in range(300):
        text = list(url_header(LEAF))
        text[random_.randrange(len(text))] = random_.choice("%+/-=A0z,;\x01\x7f\xff")
        answer = gateway.get("/url", headers={HEADER: "".join(text)}, tls=False)
        assert answer.status in (200, 401)
        assert answer.status == 401 or told(answer) == ALICE
    assert told(gateway.get("/base64", headers={HEADER: base64_header(LEAF)}, tls=False)) == ALICE


def signed_by(digest: str, folder: Path) -> bytes:
    # The library signs by no digest that is old.
    request = x509.CertificateSigningRequestBuilder().subject_name(common_name("alice"))
    signed = request.sign(LEAF.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    files = {"alice.csr": signed.decode(), "root.pem": ROOT.cert_pem, "root.key": ROOT.key_pem}
    for name, text in files.items():
        (folder / name).write_text(text)
    command = (
        "openssl x509 -req -in alice.csr -CA root.pem -CAkey root.key -outform DER -set_serial 7"
    )
    done = subprocess.run(
        [*command.split(), f"-{digest}"], cwd=folder, capture_output=True, check=True
    )
    return done.stdout


def broken_alternatives(value: bytes) -> bytes:
    extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, value)
    return client(ROOT, "alice", extensions=[extension]).der


REFUSED: dict[str, Callable[[Path], bytes]] = {
    "expired": lambda _: client(ROOT, "alice", days=(-3, -1)).der,
    "not yet valid": lambda _: client(ROOT, "alice", days=(1, 3)).der,
    "for servers": lambda _: client(ROOT, "alice", usages=[ExtendedKeyUsageOID.SERVER_AUTH]).der,
    "self-signed": lambda _: client(None, "alice").der,
    "of the root's name and another key": lambda _: client(pki.ca("Clients"), "alice").der,
    "alternative names that are none": lambda _: broken_alternatives(b"\x30\x05alice"),
    "alternative names and more": lambda _: broken_alternatives(b"\x30\x03\x82\x01ax"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(gateway: Gateway, tmp_path: Path, name: str) -> None:
    assert ask(gateway, "base64", encoded(REFUSED[name](tmp_path))) == FAILED


def sized(size: int) -> str:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(size))
    return base64_header(client(ROOT, "alice", extensions=[extension]))


def test_large_certificates(gateway: Gateway) -> None:
    assert ask(gateway, "base64", sized(60_000)) == "alice"
    assert ask(gateway, "base64", sized(66_000)) == FAILED


def test_weak_signatures(gateway: Gateway, tmp_path: Path) -> None:
    assert ask(gateway, "base64", encoded(signed_by("sha256", tmp_path))) == "alice"
    assert ask(gateway, "base64", encoded(signed_by("sha1", tmp_path))) == FAILED


def test_what_is_remembered_ends_with_the_certificate(gateway: Gateway) -> None:
    until = time.time() + 2
    value = base64_header(client(ROOT, "alice", days=(-1, 2 / 86400)))
    assert ask(gateway, "base64", value) == "alice"
    time.sleep(until - time.time() + 1)
    assert ask(gateway, "base64", value) == FAILED


def test_what_is_remembered_is_not_of_another_format(gateway: Gateway) -> None:
    assert ask(gateway, "url", url_header(LEAF)) == "alice"
    assert ask(gateway, "base64", url_header(LEAF)) == FAILED
    assert ask(gateway, "base64", base64_header(LEAF)) == "alice"
    assert ask(gateway, "url", base64_header(LEAF)) == FAILED


def test_a_connections_certificate_is_none_of_a_header(gateway: Gateway) -> None:
    assert refusal(gateway.get("/base64", LEAF)) == ABSENT


def test_sources(tmp_path: Path, gateway: Gateway) -> None:
    assert ask(gateway, "secure", base64_header(LEAF)) == "alice"
    with (
        upstreams.upstream() as upstream,
        access.serve(tmp_path, make_data(), upstream, trusted="192.0.2.1") as untrusted,
    ):
        assert ask(untrusted, "secure", base64_header(LEAF)) == ABSENT
        assert ask(untrusted, "secure", "?") == ABSENT
        assert ask(untrusted, "base64", base64_header(LEAF)) == "alice"
        # what was remembered of another rule is of no use either
        assert ask(untrusted, "secure", base64_header(LEAF)) == ABSENT


def test_nothing_of_certificates_is_logged(gateway: Gateway) -> None:
    ask(gateway, "base64", base64_header(LEAF)[:-7])
    ask(gateway, "url", url_header(client(None, "stranger")))
    said = gateway.log()
    assert "[header-cert-auth] the header cannot be decoded" in said
    assert "[header-cert-auth] self-signed certificate: CN=stranger" in said
    assert base64_header(LEAF)[:40] not in said
    assert "BEGIN" not in said
    assert "[error]" not in said
    assert "[alert]" not in said
    assert "[crit]" not in said
