from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from support.gateway import compile_tree, gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import HandshakeResult
    from support.engines import Engine
    from support.gateway import Gateway

VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
RSA, EC = pki.self_signed("a.test", key="rsa"), pki.self_signed("a.test")
AES128, AES256 = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"
DHE = "DHE-RSA-AES128-GCM-SHA256"

CONFS = {
    "modern": "ssl_cipher_suite = modern\n",
    "intermediate": "",
    "old": "ssl_cipher_suite = old\n",
    "old-with-dhparam": "ssl_cipher_suite = old\nssl_dhparam = ffdhe2048\n",
    "fips": "ssl_cipher_suite = fips\n",
    "custom": "ssl_cipher_suite = custom\nssl_protocols = TLSv1.2\n"
    f"ssl_ciphers = {AES256}:{AES128}\n",
    "custom-by-client": "ssl_cipher_suite = custom\nssl_prefer_server_ciphers = off\n"
    f"ssl_ciphers = {AES256}:{AES128}\n",
    "injected-in-vain": "nginx_http_ssl_protocols = TLSv1.3\nssl_protocols = TLSv1.3\n"
    "ssl_ciphers = ECDHE-RSA-AES256-SHA\n",
    "server-level": "nginx_proxy_ssl_protocols = TLSv1.3\n",
}
ANSWERS = {
    # What a client offers: a version, cipher suites; and what each configuration answers.
    ("1.0", "ALL"): {"old", "old-with-dhparam"},
    ("1.1", "ALL"): {"old", "old-with-dhparam"},
    ("1.2", "ALL"): set(CONFS) - {"modern", "server-level"},
    ("1.3", "ALL"): set(CONFS) - {"fips", "custom"},
    ("1.2", AES128): set(CONFS) - {"modern", "server-level"},
    ("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"): {
        "intermediate", "old", "old-with-dhparam", "injected-in-vain"
    },
    ("1.2", "ECDHE-RSA-AES256-SHA"): {"old", "old-with-dhparam"},
    ("1.2", "AES128-SHA"): {"old", "old-with-dhparam", "fips"},
    ("1.2", "AES256-GCM-SHA384"): {"old", "old-with-dhparam", "fips"},
    ("1.2", DHE): {"intermediate", "old-with-dhparam", "injected-in-vain"},
    ("1.2", "DHE-RSA-CHACHA20-POLY1305"): {
        "intermediate", "old-with-dhparam", "injected-in-vain"
    },
}  # fmt: skip


def files(conf: str) -> dict[str, Any]:
    pair = "ssl_cert = rsa.pem, ec.pem\nssl_cert_key = rsa.key, ec.key\n"
    return {
        "kong.conf": conf + pair,
        "kong.yml": {"_format_version": "3.0"},
        "rsa.pem": RSA.cert_pem,
        "rsa.key": RSA.key_pem,
        "ec.pem": EC.cert_pem,
        "ec.key": EC.key_pem,
    }


def offer(served: Gateway, version: str, ciphers: str) -> HandshakeResult | None:
    """Shake hands as a client that speaks one version only; None when the server refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return served.handshake(
                "a.test",
                minimum=VERSIONS[version],
                maximum=VERSIONS[version],
                ciphers=f"{ciphers}:@SECLEVEL=0",
            )
        except ssl.SSLError:
            return None


@pytest.mark.parametrize("name", CONFS)
def test_what_is_negotiated_and_what_is_refused(engine: Engine, workdir: Path, name: str) -> None:
    with gateway(engine, workdir, files(CONFS[name])) as served:
        for (version, ciphers), accepting in ANSWERS.items():
            result = offer(served, version, ciphers)
            assert (result is not None) == (name in accepting), (version, ciphers)
            if result is not None:
                assert result.version == {"1.0": "TLSv1"}.get(version, f"TLSv{version}")
                assert ciphers in {result.cipher, "ALL"}
        in_vain = name == "injected-in-vain"
        assert ("ssl_cipher_suite" in served.compiled.stderr) == in_vain


@pytest.mark.parametrize(
    ("name", "order", "chosen"),
    [
        ("intermediate", (AES256, AES128), AES256),
        ("intermediate", (AES128, AES256), AES128),
        # Kong's CipherString DEFAULT:@SECLEVEL=0 replaces the list of `old` by OpenSSL's own.
        ("old", (AES128, AES256), AES256),
        ("custom", (AES128, AES256), AES256),
        ("custom-by-client", (AES128, AES256), AES128),
    ],
)
def test_whose_order_of_ciphers_decides(
    engine: Engine, workdir: Path, name: str, order: tuple[str, ...], chosen: str
) -> None:
    with gateway(engine, workdir, files(CONFS[name])) as served:
        result = offer(served, "1.2", ":".join(order))
        assert result is not None
        assert result.cipher == chosen


def test_intermediate_before_3_6_has_no_dhe_with_chacha20(engine: Engine, workdir: Path) -> None:
    args = ["--kong-version", "3.5"]
    with gateway(engine, workdir, files(""), args=args) as served:
        assert offer(served, "1.2", DHE) is not None
        assert offer(served, "1.2", "DHE-RSA-CHACHA20-POLY1305") is None


@pytest.mark.parametrize(
    ("given", "bits"), [("ffdhe2048", 2048), ("ffdhe3072", 3072), ("own.pem", 4096)]
)
def test_dhparam_by_name_or_file(engine: Engine, workdir: Path, given: str, bits: int) -> None:
    made = compile_tree(
        engine, workdir, files("ssl_cipher_suite = custom\nssl_dhparam = ffdhe4096\n")
    )
    (own,) = (made.tree / "tls/dhparam").iterdir()
    shutil.copy(own, workdir / "own.pem")
    conf = f"ssl_cipher_suite = custom\nssl_dhparam = {given}\nssl_ciphers = {DHE}\n"
    with gateway(engine, workdir, files(conf)) as served:
        result = offer(served, "1.2", DHE)
        assert result is not None
        assert result.cipher == DHE
        openssl = shutil.which("openssl")
        if openssl is not None:
            address = f"127.0.0.1:{served.https_port}"
            said = subprocess.run(
                [openssl, "s_client", "-connect", address, "-tls1_2", "-cipher", DHE],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            assert re.search(rf"Server Temp Key: DH, {bits} bits", said)


@pytest.fixture(scope="module", params=["on", "off"])
def tickets(
    engine: Engine, folder: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Gateway, bool]]:
    conf = f"ssl_session_tickets = {request.param}\nssl_session_timeout = 25h\n"
    with gateway(engine, folder, files(conf)) as served:
        yield served, request.param == "on"


def test_session_tickets_and_their_lifetime(tickets: tuple[Gateway, bool]) -> None:
    served, wanted = tickets
    first = served.handshake("a.test", maximum=VERSIONS["1.2"], keep_session=True)
    assert first.session is not None
    assert first.session.has_ticket == wanted
    if wanted:
        assert first.session.ticket_lifetime_hint == 25 * 3600
    # Without tickets sessions are resumed by their id, from the cache.
    assert first.session.id or wanted
    assert served.handshake("a.test", resume=first).session_reused


def test_sessions_are_resumed_over_tls_1_3(tickets: tuple[Gateway, bool]) -> None:
    served, _ = tickets
    first = served.handshake("a.test", keep_session=True)
    assert first.version == "TLSv1.3"
    assert served.handshake("a.test", resume=first).session_reused
