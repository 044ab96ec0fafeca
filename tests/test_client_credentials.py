"""Credentials that are tied to an authority, which nginx cannot tell from others (K507)."""

from __future__ import annotations

from typing import Any

import pytest
from support.compiling import certificate, compile_texts

ROOT, SECOND, BELOW = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(3))
CAS = {
    ROOT: certificate("ca.crt"),
    SECOND: certificate("second.crt"),
    BELOW: certificate("chained.crt").partition("-----END CERTIFICATE-----\n")[2],
}
CONF = "ssl_cert = ec.crt\nssl_cert_key = ec.key\n"


def reported(tied: str | None, *trusted: str, **config: Any) -> list[str]:
    said = {"ca_certificates": list(trusted), "revocation_check_mode": "SKIP", **config}
    credential = {"subject_name": "a"} | ({} if tied is None else {"ca_certificate": tied})
    document = {
        "_format_version": "3.0",
        "ca_certificates": [{"id": i, "cert": cert} for i, cert in CAS.items()],
        "services": [{
            "name": "s", "url": "http://192.0.2.1",
            "routes": [{"name": "r", "hosts": ["r.test"]}],
            "plugins": [{"name": "mtls-auth", "config": said}],
        }],
        "consumers": [{"username": "a", "mtls_auth_credentials": [credential]}],
    }  # fmt: skip
    outcome = compile_texts(document, CONF)
    return [d.message for d in outcome.report if d.rule.code == "K507"]


@pytest.mark.parametrize(
    ("tied", "trusted"),
    [
        (None, [ROOT]),
        (None, [ROOT, SECOND]),
        (ROOT, [ROOT]),
        (ROOT, [ROOT, ROOT]),
        (ROOT, [SECOND]),
        (BELOW, [SECOND]),
    ],
)
def test_what_nginx_knows(tied: str | None, trusted: list[str]) -> None:
    assert reported(tied, *trusted) == []


@pytest.mark.parametrize(
    ("tied", "trusted", "name"),
    [
        (ROOT, [ROOT, SECOND], "Example Root"),
        (BELOW, [BELOW, ROOT], "Example Intermediate"),
        (BELOW, [ROOT], "Example Intermediate"),
    ],
)
def test_what_it_does_not_know(tied: str, trusted: list[str], name: str) -> None:
    (message,) = reported(tied, *trusted)
    assert f"is for certificates of CN={name} alone, and plugin mtls-auth (service s)" in message


def test_without_a_lookup_nobody_asks() -> None:
    assert reported(ROOT, ROOT, SECOND, skip_consumer_lookup=True) == []
