"""Certificates that were revoked, as responders (OCSP) say that certificates name."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPResponseBuilder, OCSPResponseStatus
from cryptography.x509.oid import ExtendedKeyUsageOID
from support import client_certs, pki, ports
from support.access import context_of, exchange
from support.client_certs import revocations
from support.responder import Responder, responder, signed
from support.revocation import LISTED, ROOT, TOLERANT, lets_in, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.access import Gateway
    from support.pki import Cert

pytestmark = pytest.mark.debian

OTHER = pki.ca("Other")
BETWEEN = pki.intermediate(ROOT, "Between")
GONE_BY_LIST = client_certs.client(LISTED, "gone")
LISTS = [revocations(LISTED, GONE_BY_LIST)]
HOUR = timedelta(hours=1)
FOR_ANSWERS = ExtendedKeyUsageOID.OCSP_SIGNING


@pytest.fixture(scope="module")
def asked() -> Iterator[Responder]:
    with responder() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(
        tmp_path_factory.mktemp("responders"),
        strict={"crls": LISTS},
        tolerant={**TOLERANT, "crls": LISTS},
        skip={"mode": "SKIP"},
    ) as found:
        yield found


def warnings_of(gateway: Gateway, name: str) -> list[str]:
    return [line for line in gateway.log().splitlines() if "[warn]" in line and name in line]


ALL, TROUBLED, UNCHECKED = {"strict", "tolerant", "skip"}, {"tolerant", "skip"}, {"skip"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [("good", ALL), ("revoked", UNCHECKED), ("held", UNCHECKED), ("unknown", UNCHECKED)],
)
def test_what_the_responder_says_counts(
    gateway: Gateway, asked: Responder, said: Any, expected: set[str]
) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, said)
    assert lets_in(gateway, cert) == expected
    assert lets_in(gateway, cert) == expected
    assert asked.count(cert) == 1


def test_skip_asks_nobody(gateway: Gateway, asked: Responder) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, "revoked")
    assert lets_in(gateway, cert, "skip")
    assert asked.count(cert) == 0


def delegate(issuer: Cert, *, usages: Any = (FOR_ANSWERS,), days: Any = (-1, 1)) -> Cert:
    return client_certs.client(issuer, "Responder", usages=usages, days=days)


def answers() -> dict[str, Any]:
    """Give answers by what is wrong with them."""
    same_name = pki.ca("Root")
    later = OCSPResponseBuilder.build_unsuccessful(OCSPResponseStatus.TRY_LATER)
    return {
        "garbage": lambda _: b"garbage",
        "an error of the responder": lambda _: later.public_bytes(Encoding.DER),
        "by another authority": lambda c: signed(c, "good", OTHER),
        "by an authority of the same name": lambda c: signed(c, "good", same_name),
        "by the certificate itself": lambda c: signed(c, "good", c),
        "by another certificate of the issuer": lambda c: signed(
            c, "good", client_certs.client(ROOT, "mallory")
        ),
        "by a delegate of another authority": lambda c: signed(c, "good", delegate(OTHER)),
        "by a delegate that has ended": lambda c: signed(c, "good", delegate(ROOT, days=(-9, -1))),
        "about another certificate": lambda _: signed(client_certs.client(ROOT, "bob"), "good"),
        "about another issuer": lambda c: signed(c, "good", ROOT, issuer=OTHER),
        "revoked, by another authority": lambda c: signed(c, "revoked", OTHER),
        "held, but stale": lambda c: signed(c, "held", since=-2 * HOUR, ends=-HOUR / 60),
        "stale": lambda c: signed(c, "good", since=-2 * HOUR, ends=-HOUR / 60),
        "of the future": lambda c: signed(c, "good", since=HOUR, ends=2 * HOUR),
        "old, without an end": lambda c: signed(c, "good", since=-HOUR, ends=None),
    }


@pytest.mark.parametrize("wrong", answers())
def test_answers_that_prove_nothing_refuse(gateway: Gateway, asked: Responder, wrong: str) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, answers()[wrong](cert))
    assert lets_in(gateway, cert) == UNCHECKED
    assert asked.count(cert) == 1


@pytest.mark.parametrize(
    "options", [{"since": -2 * HOUR, "ends": -HOUR / 2}, {"signer": delegate(ROOT)}]
)
def test_revoked_is_revoked(gateway: Gateway, asked: Responder, options: Any) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, signed(cert, "revoked", **options))
    assert lets_in(gateway, cert) == UNCHECKED


@pytest.mark.parametrize("said", ["good", "held", "revoked"])
def test_a_hold_counts_while_the_answer_holds(
    gateway: Gateway, asked: Responder, said: Any
) -> None:
    """Later nobody knows, as of who was good; who was revoked for good stays so."""
    cert = asked.certify(ROOT, f"Once {said}")
    asked.says(cert, signed(cert, said, since=-2 * HOUR, ends=-HOUR / 2))
    assert not lets_in(gateway, cert, "tolerant", "strict")
    warned = [line for line in warnings_of(gateway, f"Once {said}") if "hold now" in line]
    assert len(warned) == (0 if said == "revoked" else 1)


def test_the_issuer_may_let_others_answer(gateway: Gateway, asked: Responder) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, signed(cert, "good", delegate(ROOT)))
    assert lets_in(gateway, cert) == ALL


def test_an_answer_of_now_need_not_end(gateway: Gateway, asked: Responder) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, signed(cert, "good", since=timedelta(seconds=-5), ends=None))
    assert lets_in(gateway, cert) == ALL


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{closed}/",
        "https://127.0.0.1:{port}/",
        "ldap://127.0.0.1:{port}/",
        "http://unix:/tmp/socket",
        "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y",
        "http://127.0.0.1:99999/",
        "http://user@127.0.0.1:{port}/",
        "http://a.test:{port}/",
    ],
)
def test_responders_that_cannot_be_asked_are_trouble(
    gateway: Gateway, asked: Responder, url: str
) -> None:
    cert = asked.certify(ROOT, url=url.format(port=asked.port, closed=ports.free_port()))
    asked.says(cert, "good")
    assert lets_in(gateway, cert) == TROUBLED
    assert asked.count(cert) == 0


def test_no_responder_is_trouble(gateway: Gateway) -> None:
    assert lets_in(gateway, client_certs.client(ROOT, "alice")) == TROUBLED


def test_an_empty_answer_is_trouble(gateway: Gateway, asked: Responder) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, b"")
    assert lets_in(gateway, cert) == TROUBLED
    assert asked.count(cert) == 1


@pytest.mark.parametrize("wrong", [{"status": 500}, {"status": 404}, {"cut": True}])
@pytest.mark.parametrize("said", ["good", "unknown"])
def test_an_answer_that_does_not_come_whole_is_trouble(
    gateway: Gateway, asked: Responder, said: Any, wrong: dict[str, Any]
) -> None:
    cert = asked.certify(ROOT)
    asked.says(cert, said)
    with asked.sending(**wrong):
        assert lets_in(gateway, cert) == TROUBLED


def test_an_answer_that_is_too_long_is_trouble(gateway: Gateway, asked: Responder) -> None:
    for padding, expected in ((90_000, ALL), (100_000, TROUBLED)):
        cert = asked.certify(ROOT)
        asked.says(cert, "good")
        with asked.sending(padding=padding):
            assert lets_in(gateway, cert) == expected


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def in_pieces(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [3, 1000])
@pytest.mark.parametrize("line", [b"%X\r\n", b"%x;name=value\r\n", b"00%x \r\n"])
def test_an_answer_in_chunks(gateway: Gateway, asked: Responder, line: bytes, size: int) -> None:
    cert = asked.certify(ROOT)
    chunks = b"".join(
        line % len(part) + part + b"\r\n" for part in in_pieces(signed(cert, "good"), 30)
    )
    with asked.sending(pieces=in_pieces(CHUNKED + chunks + b"0\r\n\r\n", size)):
        assert lets_in(gateway, cert) == ALL


@pytest.mark.parametrize(
    "line",
    [
        b"\r\n",
        b"x%x\r\n",
        b"-%x\r\n",
        b"1000000000000%04x\r\n",
        b"%x;" + b"x" * 70 + b"\r\n",
        b"%x\n",
    ],
)
def test_chunks_that_are_none_are_trouble(gateway: Gateway, asked: Responder, line: bytes) -> None:
    cert = asked.certify(ROOT)
    text = signed(cert, "good")
    start = line % len(text) if b"%" in line else line
    with asked.sending(pieces=[CHUNKED + start + text + b"\r\n0\r\n\r\n"]):
        assert lets_in(gateway, cert) == TROUBLED


def test_chunks_have_an_end(gateway: Gateway, asked: Responder) -> None:
    cert = asked.certify(ROOT)
    text = signed(cert, "good")
    with asked.sending(pieces=[CHUNKED + b"%x\r\n%sxx0\r\n\r\n" % (len(text), text)]):
        assert lets_in(gateway, cert) == TROUBLED


LONG = 90_000


@pytest.mark.parametrize(
    "text",
    [
        CHUNKED + b"f" * LONG,
        CHUNKED + b"0" * LONG,
        CHUNKED + b"1\r\nx\r\n" * (LONG // 6),
        b"HTTP/1.1 200 OK\r\n" + b"a" * LONG,
        b"HTTP/1.1 200 OK\r\n" + b"a" * LONG + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * (LONG // 4),
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * LONG + b"\r\n\r\n",
        b"1" * LONG,
    ],
    ids=range(8),
)
def test_no_answer_keeps_a_worker_busy(gateway: Gateway, asked: Responder, text: bytes) -> None:
    """It takes as long as the pieces, about 0.3 s; what looked at all again took half a minute."""
    cert = asked.certify(ROOT)
    slowest = 0.0
    with asked.sending(pieces=in_pieces(text, LONG // 200)), ThreadPoolExecutor(1) as pool:
        found = pool.submit(lets_in, gateway, cert, "strict")
        while not found.done():
            start = time.monotonic()
            assert gateway.get("/open").status == 200
            slowest = max(slowest, time.monotonic() - start)
        assert not found.result()
    assert slowest < 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "the answer is empty"),
        (b"garbage", "the answer cannot be read"),
        ("unknown", "the responder does not know the certificate"),
    ],
)
def test_what_failed_is_told_once(
    gateway: Gateway, asked: Responder, answer: Any, words: str
) -> None:
    cert = asked.certify(ROOT, f"{words}\n[emerg] forged")
    asked.says(cert, answer)
    for _ in range(2):
        lets_in(gateway, cert)
    start = f"the responder 127.0.0.1:{asked.port} does not tell whether a certificate was revoked"
    (said,) = warnings_of(gateway, f"CN={words}")
    assert f"{start}: {words}: CN={words}\\0A[emerg] forged" in said


@pytest.mark.parametrize("said", ["good", "revoked"])
def test_nobody_is_warned_of_what_was_told(gateway: Gateway, asked: Responder, said: Any) -> None:
    cert = asked.certify(ROOT, f"Told to be {said}")
    asked.says(cert, said)
    lets_in(gateway, cert)
    assert not warnings_of(gateway, f"Told to be {said}")


def test_whom_a_list_speaks_for_nobody_asks(gateway: Gateway, asked: Responder) -> None:
    cert = asked.certify(LISTED)
    asked.says(cert, "revoked")
    assert lets_in(gateway, cert) == ALL
    assert lets_in(gateway, GONE_BY_LIST) == UNCHECKED
    assert asked.count(cert) == 0


def test_nobody_is_asked_about_whom_no_authority_vouches_for(
    gateway: Gateway, asked: Responder
) -> None:
    cert = asked.certify(OTHER)
    asked.says(cert, "good")
    assert not lets_in(gateway, cert)
    assert asked.count(cert) == 0


def test_those_between_are_asked_about_too(workdir: Path) -> None:
    with responder() as it:
        between = it.certify(ROOT, "Between with a responder", authority=True)
        cert = it.certify(between)
        rules = {
            "strict": {"authorities": (ROOT,)},
            "partial": {"authorities": (between,), "partial": True},
        }
        with running(workdir, **rules) as gateway:
            it.says(cert, "good")
            it.says(between, "revoked")
            got = exchange(gateway.https_port, context_of(cert), "/strict", "/partial").answers
            assert [each.status for each in got] == [401, 200]
            assert (it.count(cert), it.count(between)) == (1, 1)


def test_a_proxy_is_asked_where_one_is_named(workdir: Path) -> None:
    with responder() as it, running(workdir, strict={"proxy": ("127.0.0.1", it.port)}) as gateway:
        cert = it.certify(ROOT, url="http://ocsp.example.com/about?it")
        it.says(cert, "good")
        assert lets_in(gateway, cert, "strict")
        assert it.targets == ["http://ocsp.example.com/about?it"]
