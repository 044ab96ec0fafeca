"""The self-signed pairs for listeners that have none: made once, kept across renders."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from compiler.model.secret import Secret
from compiler.model.x509 import KeyPair
from compiler.resolve.pem import PemError, make_pair, parse_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
    )

NAMES = {"rsa": "self-signed-rsa", "ecdsa": "self-signed-ecdsa"}
"""The stems of the files: their names do not change with the keys, so nginx.conf does not."""

_LIFETIME = timedelta(days=20 * 365)


def self_signed_pairs(out: Path | None, now: datetime) -> tuple[KeyPair, ...]:
    """Return an RSA and an EC pair: those in the tree at *out*, else new ones (20 years)."""
    return tuple(
        (_kept(out, name) if out is not None else None) or _made(kind, name, now)
        for kind, name in NAMES.items()
    )


def make_self_signed(out: Path | None, now: datetime) -> Iterator[tuple[KeyPair, ...]]:
    """Do the same as the job of a second process."""
    yield self_signed_pairs(out, now)


def _kept(out: Path, name: str) -> KeyPair | None:
    try:
        certificate = (out / "tls/certs" / f"{name}.pem").read_text("ascii")
        key = Secret((out / "tls/keys" / f"{name}.pem").read_text("ascii"))
        pair, _ = make_pair(parse_certificates(certificate), key)
    except (OSError, ValueError, PemError):
        return None
    return KeyPair(chain=pair.chain, key=pair.key, file=name)


def _made(kind: str, name: str, now: datetime) -> KeyPair:
    """Make a pair like the one Kong makes: localhost, no CA, for servers and clients."""
    key: CertificateIssuerPrivateKeyTypes
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    usage = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    chain = parse_certificates(certificate.public_bytes(Encoding.PEM).decode())
    pair, _ = make_pair(chain, Secret(text))
    return KeyPair(chain=pair.chain, key=pair.key, file=name)
