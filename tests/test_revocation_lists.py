"""Lists of revoked certificates as input: which are read, whose they are, and which count."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from support import pki
from support.client_certs import client, revocations
from support.gateway import check, write_files
from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROOT, OTHER = pki.ca("Clients"), pki.ca("Others")
ID = "11111111-0000-4000-8000-000000000001"
GONE = pki.leaf(ROOT, cn="gone", client=True)
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

CONF = """\
proxy_listen = 127.0.0.1:8443 ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
"""


def entities(mode: str = "STRICT", authority: pki.Cert = ROOT) -> dict[str, Any]:
    said = {"ca_certificates": [ID], "revocation_check_mode": mode, "skip_consumer_lookup": True}
    return {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": "http://192.0.2.1", "routes": [
            {"name": "r", "hosts": ["a.test"], "plugins": [{"name": "mtls-auth", "config": said}]}
        ]}],
        "ca_certificates": [{"id": ID, "cert": authority.cert_pem}],
    }  # fmt: skip


def crl(
    number: int | None = None,
    *extensions: tuple[x509.ExtensionType, bool],
    made: datetime = NOW - 3 * DAY,
    ends: datetime = NOW + 30 * DAY,
) -> str:
    builder = x509.CertificateRevocationListBuilder().issuer_name(ROOT.certificate.subject)
    builder = builder.last_update(made).next_update(ends)
    counted = [] if number is None else [(x509.CRLNumber(number), False)]
    for extension, critical in (*counted, *extensions):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(ROOT.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def der(pem: str) -> bytes:
    return x509.load_pem_x509_crl(pem.encode()).public_bytes(Encoding.DER)


def said(
    folder: Path, lists: Sequence[str | bytes], given: dict[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what is said of lists and revocation, by the names of the rules."""
    names = [f"{number}.crl" for number, _ in enumerate(lists)]
    files = {"kong.yml": given or entities(), "kong.conf": CONF}
    _, found = check(folder, {**files, **dict(zip(names, lists, strict=True))}, crl=names)
    return {d["name"]: d for d in found if "revocation" in d["name"]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "holds no revocation list"),
        ("hello\n", "holds no revocation list"),
        (b"\x30\x82\x01\x00\xff", "holds no revocation list"),
        (der(crl())[:-1], "holds no revocation list"),
        (der(crl()) + b"x", "holds no revocation list"),
        (ROOT.cert_pem, "holds no revocation list, but something else in PEM"),
        (GONE.key_pem, "holds no revocation list, but something else in PEM"),
        (crl()[:-40], "ends within a revocation list"),
        (crl() + crl()[:60], "ends within a revocation list"),
        (crl().replace("-----\nM", "-----\nN", 1), "holds a revocation list that is broken"),
        (crl() + crl().replace("A", "*"), "holds as number 2 a list that is broken"),
    ],
)
def test_broken_files_are_errors(tmp_path: Path, content: str | bytes, problem: str) -> None:
    found = said(tmp_path, [content])["revocation-list-invalid"]
    assert (found["severity"], found["file"]) == ("error", "0.crl")
    assert found["message"] == f"0.crl {problem}"
    assert "PRIVATE" not in json.dumps(found)


@pytest.mark.parametrize(
    "content",
    [crl(), der(crl()), ROOT.cert_pem + crl(), crl().replace("\n", "\r\n"),
     crl(None, (x509.IssuingDistributionPoint(
         [x509.UniformResourceIdentifier("http://a.test/crl")], None,
         only_contains_user_certs=False, only_contains_ca_certs=False, only_some_reasons=None,
         indirect_crl=False, only_contains_attribute_certs=False), True))],
    ids=["pem", "der", "beside a certificate", "crlf", "with its own address"],
)  # fmt: skip
def test_sound_files_are_taken(tmp_path: Path, content: str | bytes) -> None:
    assert said(tmp_path, [content]) == {}


def point(**said: Any) -> tuple[x509.ExtensionType, bool]:
    every = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl",
         "only_contains_attribute_certs"), False)  # fmt: skip
    fields: dict[str, Any] = {"full_name": None, "relative_name": None, "only_some_reasons": None}
    return x509.IssuingDistributionPoint(**{**fields, **every, **said}), True


@pytest.mark.parametrize(
    ("extension", "limit"),
    [
        ((x509.DeltaCRLIndicator(1), True), "tells only what has changed since another"),
        (point(indirect_crl=True), "speaks for other authorities, too"),
        (point(only_contains_user_certs=True), "is about some certificates alone"),
        (point(only_contains_ca_certs=True), "is about some certificates alone"),
        (point(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})),
         "is about some certificates alone"),
        ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),
         "has the critical extension 1.2.3.4"),
    ],
)  # fmt: skip
def test_what_is_less_than_a_full_list_is_an_error(
    tmp_path: Path, extension: tuple[x509.ExtensionType, bool], limit: str
) -> None:
    found = said(tmp_path, [crl(1), crl(2, extension)])
    assert found["revocation-list-not-compiled"]["file"] == "1.crl"
    assert found["revocation-list-not-compiled"]["message"].endswith(f"not compiled: it {limit}")
    assert "revocation-list-superseded" not in found


def test_lists_of_others(tmp_path: Path) -> None:
    impostor = revocations(ROOT, signer=OTHER)
    for content, reason in (
        (revocations(OTHER), "no ca_certificate has that name"),
        (impostor, "the ca_certificate of that name did not sign it"),
    ):
        found = said(tmp_path, [crl(), content])
        assert set(found) == {"revocation-list-of-nobody"}
        assert found["revocation-list-of-nobody"]["severity"] == "warning"
        assert reason in found["revocation-list-of-nobody"]["message"]
    assert "client-strict-revocation-without-lists" in said(tmp_path, [impostor])


def test_an_authority_that_may_not_sign_lists(tmp_path: Path) -> None:
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=False,
        encipher_only=False, decipher_only=False)  # fmt: skip
    mute = client(None, "Mute", authority=True, extensions=[usage])
    found = said(tmp_path, [revocations(mute)], entities(authority=mute))
    assert set(found) == {"revocation-list-of-nobody", "client-strict-revocation-without-lists"}


@pytest.mark.parametrize(
    ("lists", "older"),
    [
        ([crl(1), crl(2)], "0.crl"),
        ([crl(2), crl(1)], "1.crl"),
        ([crl(9, made=NOW - 9 * DAY), crl(10, made=NOW - 10 * DAY)], "0.crl"),
        ([crl(made=NOW - 9 * DAY), crl(made=NOW - 8 * DAY)], "0.crl"),
        ([crl(7, made=NOW - 8 * DAY), crl(made=NOW - 9 * DAY)], "1.crl"),
        ([crl(7, made=NOW - 9 * DAY), crl(7, made=NOW - 8 * DAY)], "0.crl"),
    ],
)
def test_the_newest_list_counts(tmp_path: Path, lists: list[str], older: str) -> None:
    found = said(tmp_path, lists)
    assert set(found) == {"revocation-list-superseded"}
    assert found["revocation-list-superseded"]["file"] == older
    written = _written(tmp_path, lists)
    newer = lists[1 if older == "0.crl" else 0]
    assert written == [newer]


def test_the_same_list_twice_is_one(tmp_path: Path) -> None:
    same = crl(1)
    assert said(tmp_path, [same, same + same, der(same)]) == {}
    assert _written(tmp_path, [same, der(same)]) == [same]


def _written(folder: Path, lists: Sequence[str | bytes]) -> list[str]:
    """Return the texts of the lists in the tree."""
    files = {f"{number}.crl": content for number, content in enumerate(lists)}
    write_files(folder, {"kong.yml": entities(), "kong.conf": CONF, **files})
    words = [str(word) for name in files for word in ("--crl", folder / name)]
    inputs = ["-c", str(folder / "kong.conf"), "-e", str(folder / "kong.yml"), "--no-env"]
    done = CliRunner().invoke(app, ["render", "-o", str(folder / "out"), *inputs, *words])
    assert done.exit_code == 0, done.output
    manifest = json.loads((folder / "out/kcompile.json").read_text())
    assert str(folder / "0.crl") in json.dumps(manifest["inputs"])
    return [path.read_text() for path in (folder / "out/tls/crls").iterdir()]


@pytest.mark.parametrize(
    ("made", "ends", "words"),
    [(NOW - 3 * DAY, NOW - DAY, "ended on"), (NOW + DAY, NOW + 3 * DAY, "begins on")],
)
def test_lists_that_do_not_hold_now(
    tmp_path: Path, made: datetime, ends: datetime, words: str
) -> None:
    content = crl(made=made, ends=ends)
    for mode, severity in (
        ("STRICT", "error"),
        ("IGNORE_CA_ERROR", "warning"),
        ("SKIP", "warning"),
    ):
        found = said(tmp_path, [content], entities(mode))
        assert set(found) == {"revocation-list-out-of-date"}
        assert found["revocation-list-out-of-date"]["severity"] == severity
        assert words in found["revocation-list-out-of-date"]["message"]


def test_skip_asks_for_none_and_uses_none(tmp_path: Path) -> None:
    assert said(tmp_path, [], entities("SKIP")) == {}
    assert said(tmp_path, [crl()], entities("SKIP")) == {}


def test_every_command_that_compiles_takes_lists() -> None:
    for command in (
        ["render"], ["run"], ["check"], ["diff"], ["settings"],
        ["explain", "sni"], ["explain", "service"], ["explain", "request"],
    ):  # fmt: skip
        assert "--crl" in CliRunner().invoke(app, [*command, "--help"]).output, command
