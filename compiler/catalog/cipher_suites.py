"""What each `ssl_cipher_suite` stands for."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """Values of nginx's `ssl_*` directives; `ciphers` None where nginx is told none.

    `decides_dhparam` is False where `ssl_dhparam` stays as the user has it.
    """

    protocols: str
    ciphers: str | None
    prefer_server_ciphers: str
    dhparam: str | None = None
    decides_dhparam: bool = True


_INTERMEDIATE_BEFORE_3_6 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
)
_INTERMEDIATE = f"{_INTERMEDIATE_BEFORE_3_6}:DHE-RSA-CHACHA20-POLY1305"
_OLD = (
    f"{_INTERMEDIATE}:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"
    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
    "DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:"
    "AES128-SHA:AES256-SHA:DES-CBC3-SHA"
)

CIPHER_SUITES: Mapping[str, CipherSuite] = MappingProxyType(
    {
        "modern": CipherSuite("TLSv1.3", None, "off"),
        "intermediate": CipherSuite("TLSv1.2 TLSv1.3", _INTERMEDIATE, "off", "ffdhe2048"),
        "old": CipherSuite("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", _OLD, "on", decides_dhparam=False),
        "fips": CipherSuite("TLSv1.2", "TLSv1.2+FIPS:kRSA+FIPS:!eNULL:!aNULL", "on"),
    }
)
"""The suites by name; `custom` is none of them."""

INTERMEDIATE_BEFORE_3_6 = CipherSuite(
    "TLSv1.2 TLSv1.3", _INTERMEDIATE_BEFORE_3_6, "off", "ffdhe2048"
)
"""`intermediate` as Kong 3.4 and 3.5 have it."""

DH_GROUPS = frozenset({"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"})
"""The values of `ssl_dhparam` that name a group instead of a file."""
