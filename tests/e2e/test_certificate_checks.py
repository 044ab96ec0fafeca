"""What is wrong with certificates is said before a client sees it, with the place."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support import pki
from support.gateway import check, compile_tree, gateway

if TYPE_CHECKING:
    from pathlib import Path

    from support.engines import Engine

CA = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_CA = "aaaaaaaa-0000-4000-8000-000000000002"
GARBAGE = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
ROOT = pki.ca("Checks Root")
MIDDLE = pki.intermediate(ROOT)
LEAF = pki.leaf(MIDDLE, "a.test", "*.b.test")


def pair(cert: str = LEAF.chain_pem, key: str = LEAF.key_pem, *snis: str) -> dict[str, Any]:
    return {"cert": cert, "key": key, "snis": [{"name": sni} for sni in snis or ("a.test",)]}


def document(**entities: Any) -> str:
    # Block style, so that every field has a line of its own.
    return yaml.safe_dump({"_format_version": "3.0", **entities}, sort_keys=False)


def line_of(text: str, wanted: str, number: int = 1) -> int:
    lines = [
        i for i, line in enumerate(text.splitlines(), 1) if line.strip(" -").startswith(wanted)
    ]
    return lines[number - 1]


SERVICE = {"name": "s", "url": "https://ok.test", "routes": [{"paths": ["/"]}]}
# No TLS listener, so that no certificate has to be made for it.
OFF = """\
tls_certificate_verify = off
proxy_listen = 127.0.0.1:1
admin_listen = off
admin_gui_listen = off
"""


@pytest.mark.parametrize(
    ("entities", "name", "severity", "at"),
    [
        ({"certificates": [pair(key=pki.leaf(ROOT, "x").key_pem)]},
         "key-mismatch", "error", "key:"),
        ({"certificates": [pair(cert=GARBAGE)]}, "certificate-invalid", "error", "cert:"),
        ({"certificates": [pair(cert="nonsense")]}, "certificate-invalid", "error", "cert:"),
        ({"certificates": [pair(key="nonsense")]}, "certificate-invalid", "error", "key:"),
        ({"certificates": [pair(key=LEAF.encrypted_key_pem("secret"))]},
         "certificate-invalid", "error", "key:"),
        ({"certificates": [pair(cert=LEAF.swapped_chain_pem)]},
         "chain-out-of-order", "warning", "cert:"),
        ({"certificates": [pair(LEAF.chain_pem, LEAF.key_pem, "c.test")]},
         "sni-not-covered", "warning", "name:"),
        ({"certificates": [pair(LEAF.chain_pem, LEAF.key_pem, "x.b.test", "*.a.test")]},
         "sni-not-covered", "warning", "name: '*.a.test'"),
        ({"certificates": [pair(LEAF.chain_pem, LEAF.key_pem, "*.test")]},
         "sni-unreachable", "warning", "name:"),
        ({"certificates": [pair(LEAF.chain_pem, LEAF.key_pem, "*a.test")]},
         "sni-unreachable", "warning", "name:"),
        ({"certificates": [pair(), pair()]}, "duplicate", "error", "name: a.test"),
        ({"ca_certificates": [{"cert": LEAF.cert_pem}]}, "ca-flag-missing", "error", "cert:"),
        ({"ca_certificates": [{"cert": MIDDLE.cert_pem + ROOT.cert_pem}]},
         "ca-certificate-several", "error", "cert:"),
        ({"services": [{**SERVICE, "tls_verify": True}]},
         "upstream-verify-without-ca", "error", "tls_verify:"),
        ({"ca_certificates": [{"id": CA, "cert": ROOT.cert_pem}],
          "services": [{**SERVICE, "ca_certificates": [CA]}]},
         "ca-certificates-without-verify", "warning", "ca_certificates:"),
        ({"certificates": [{**pair(), "cert_alt": LEAF.cert_pem, "key_alt": LEAF.key_pem}]},
         "alternative-same-key-type", "error", "cert_alt:"),
    ],
)  # fmt: skip
def test_entities(
    workdir: Path, entities: dict[str, Any], name: str, severity: str, at: str
) -> None:
    text = document(**entities)
    code, found = check(workdir, {"kong.conf": OFF, "kong.yml": text})
    matching = [each for each in found if name in each["name"] and each["severity"] == severity]
    assert len(matching) == 1, found
    (each,) = matching
    assert each["file"] == "kong.yml"
    # The last: of two equal SNIs the second is the one too many; `ca_certificates:` of the
    # service stands below the collection of that name.
    written = [i for i, line in enumerate(text.splitlines(), 1) if line.strip(" -").startswith(at)]
    assert each["line"] == written[-1]
    assert code == (severity == "error")
    assert re.fullmatch(r"K\d{3}", each["code"])
    if severity == "warning":
        assert check(workdir, {"kong.conf": OFF, "kong.yml": text}, fail_on="warning")[0] == 1


@pytest.mark.parametrize(
    ("conf", "files", "name", "line"),
    [
        ("ssl_cert = gone.pem\nssl_cert_key = a.key\n", {}, "certificate-file-unreadable", 1),
        ("ssl_cert = a.pem\nssl_cert_key = gone.key\n", {}, "certificate-file-unreadable", 2),
        ("ssl_cert = a.pem\nssl_cert_key = b.key\n", {}, "key-mismatch", 2),
        ("ssl_cert = bad.pem\nssl_cert_key = a.key\n", {}, "certificate-invalid", 1),
        ("ssl_cert = a.pem\nssl_cert_key = locked.key\n", {}, "certificate-invalid", 2),
        ("ssl_cert = swapped.pem\nssl_cert_key = a.key\n", {}, "chain-out-of-order", 1),
        ("ssl_cert = a.pem\n", {}, "", 1),
        ("admin_listen = 127.0.0.1:1 ssl\nadmin_ssl_cert = gone.pem\nadmin_ssl_cert_key = a.key\n",
         {}, "certificate-file-unreadable", 2),
        ("client_ssl = on\nclient_ssl_cert = a.pem\nclient_ssl_cert_key = b.key\n", {},
         "key-mismatch", 3),
        ("nginx_proxy_proxy_ssl_trusted_certificate = gone.pem\n", {},
         "certificate-file-unreadable", 1),
        ("nginx_proxy_proxy_ssl_trusted_certificate = bad.pem\n", {}, "certificate-invalid", 1),
        ("ssl_cipher_suite = custom\nssl_dhparam = bad.pem\n", {}, "", 2),
    ],
)  # fmt: skip
def test_settings(workdir: Path, conf: str, files: dict[str, str], name: str, line: int) -> None:
    files = {
        "a.pem": LEAF.chain_pem,
        "a.key": LEAF.key_pem,
        "b.key": MIDDLE.key_pem,
        "bad.pem": GARBAGE,
        "locked.key": LEAF.encrypted_key_pem("secret"),
        "swapped.pem": LEAF.swapped_chain_pem,
        "kong.conf": conf,
        "kong.yml": document(services=[SERVICE]),
    }
    _, found = check(workdir, files, kong_version="3.12")
    assert [
        each
        for each in found
        if name in each["name"] and (each["file"], each["line"]) == ("kong.conf", line)
    ], found


def test_dates_are_measured_by_source_date_epoch(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime(2031, 5, 17, 12, tzinfo=UTC)
    span = {"not_before": noon - timedelta(days=10), "not_after": noon + timedelta(days=10)}
    root = pki.ca("Dated Root", **span)
    leaf = pki.leaf(root, "a.test", **span)
    text = document(
        certificates=[pair(leaf.chain_pem, leaf.key_pem)],
        ca_certificates=[{"id": OTHER_CA, "cert": root.cert_pem}],
    )
    expected = {
        -11: {("certificate-not-yet-valid", "warning")},
        0: set(),
        11: {("certificate-expired", "warning"), ("ca-certificate-expired", "warning")},
    }
    for days, names in expected.items():
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int((noon + timedelta(days)).timestamp())))
        _, found = check(workdir, {"kong.yml": text})
        dated = {
            (e["name"], e["severity"]) for e in found if "valid" in e["name"] or "exp" in e["name"]
        }
        assert dated == names
        for each in found:
            if each["name"] == "certificate-expired":
                assert (each["file"], each["line"]) == ("kong.yml", line_of(text, "cert:"))
                assert "2031-05-27" in each["message"]
    code, found = check(workdir, {"kong.yml": text}, kong_version="3.14")
    assert code == 1
    assert ("ca-certificate-expired", "error") in {(e["name"], e["severity"]) for e in found}


def test_a_chain_in_the_wrong_order_is_served_in_the_right_one(
    engine: Engine, workdir: Path
) -> None:
    other = pki.leaf(pki.intermediate(MIDDLE, "Below"), "b.test")
    shuffled = other.path[1].cert_pem + other.path[2].cert_pem + other.cert_pem
    files = {
        "kong.conf": "ssl_cert = swapped.pem\nssl_cert_key = leaf.key\n",
        "swapped.pem": LEAF.swapped_chain_pem,
        "leaf.key": LEAF.key_pem,
        "kong.yml": document(certificates=[pair(shuffled, other.key_pem, "b.test")]),
    }
    with gateway(engine, workdir, files) as served:
        assert served.compiled.stderr.count("K303") == 2
        for name, leaf in ((None, LEAF), (b"b.test", other)):
            sent = served.raw_handshake(name)
            assert sent.chain_ders == [cert.der for cert in leaf.sent]


def secrets_of(*certs: pki.Cert) -> list[str]:
    texts = [cert.key_pem for cert in certs] + [cert.traditional_key_pem for cert in certs]
    return [line for text in texts for line in text.splitlines() if "-----" not in line]


def test_keys_appear_nowhere_but_in_their_files(engine: Engine, workdir: Path) -> None:
    """Neither where all is well, nor in what is said of keys that are wrong."""
    rsa = pki.leaf(ROOT, "r.test", key="rsa")
    client = pki.leaf(ROOT, "client", client=True)
    secrets = secrets_of(LEAF, rsa, client)
    conf = "client_ssl = on\nclient_ssl_cert = client.pem\nclient_ssl_cert_key = client.key\n"
    good = {
        "kong.conf": conf,
        "client.pem": client.chain_pem,
        "client.key": client.key_pem,
        "kong.yml": document(certificates=[pair(), pair(rsa.chain_pem, rsa.key_pem, "r.test")]),
    }
    made = compile_tree(engine, workdir, good, args=["--debug"])
    kept = [p for p in made.tree.rglob("*") if p.is_file() and p.parent.name != "keys"]
    said = [made.stdout, made.stderr, *(path.read_text() for path in kept)]
    broken_key = LEAF.key_pem.replace("PRIVATE", "PRIVAT")
    cut_key = "".join(LEAF.key_pem.splitlines(keepends=True)[:-2])
    for number, key in enumerate((LEAF.key_pem, broken_key, cut_key)):
        single_line = "".join(key.split("\n"))
        bad = {
            "kong.conf": f"ssl_cert = client.pem\nssl_cert_key = {single_line}\n",
            "kong.yml": document(certificates=[pair(rsa.chain_pem, key)], oops=key),
        }
        args = ["--debug", "--format", ("text", "json")[number % 2]]
        refused = compile_tree(engine, workdir, bad, args=args, exit_code=1)
        said += [refused.stdout, refused.stderr]
    environment = {"KONG_SSL_CERT": client.chain_pem, "KONG_SSL_CERT_KEY": LEAF.key_pem}
    refused = compile_tree(engine, workdir, good, environment=environment, exit_code=1)
    said += [refused.stdout, refused.stderr]
    for secret in secrets:
        assert not [text for text in said if secret in text]
