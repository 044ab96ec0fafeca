"""Make the certificates of the quickstart: `python make_certs.py [FOLDER]`.

Writes FOLDER/certificates.yml, which Kong and kcompile read beside kong.yml, and FOLDER/certs/
with the authorities and the upstreams' own certificates. FOLDER is this one unless given.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HERE = Path(__file__).resolve().parent
UPSTREAM_CA_ID = "f3c5a8b0-8d0f-4a53-9a0e-2f1f0f6f0c01"
DAYS = 365


class Pair(NamedTuple):
    """A certificate and its private key."""

    name: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def cert_pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key as text."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make(name: str, issuer: Pair | None = None) -> Pair:
    """Make a certificate authority called *name*, or with *issuer* a server's certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key if issuer is None else issuer.key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
    return Pair(name, builder.sign(signer, hashes.SHA256()), key)


def make_all(folder: Path) -> None:
    """Write every certificate of the quickstart to *folder*."""
    public = make("Quickstart public CA")
    internal = make("Quickstart internal CA")
    stranger = make("Somebody else's CA")
    certs = folder / "certs"
    certs.mkdir(parents=True, exist_ok=True)
    for name, ca in {"public-ca": public, "internal-ca": internal}.items():
        (certs / f"{name}.crt").write_text(ca.cert_pem)
    for name, issuer in {"shop.internal": internal, "pay.internal": stranger}.items():
        pair = make(name, issuer)
        (certs / f"{name}.crt").write_text(pair.cert_pem)
        write_private(certs / f"{name}.key", pair.key_pem)
    servers = [make(name, public) for name in ("shop.example.com", "pay.example.com")]
    write_private(folder / "certificates.yml", entities(servers, internal))


def entities(servers: list[Pair], upstream_ca: Pair) -> str:
    """Return the declarative entities: a certificate with its SNI each, and the upstreams' CA."""
    certificates = "".join(
        f"  - cert: |\n{block(pair.cert_pem)}    key: |\n{block(pair.key_pem)}"
        f"    snis:\n      - name: {pair.name}\n"
        for pair in servers
    )
    ca = f"  - id: {UPSTREAM_CA_ID}\n    cert: |\n{block(upstream_ca.cert_pem)}"
    return f'_format_version: "3.0"\n\ncertificates:\n{certificates}\nca_certificates:\n{ca}'


def block(pem: str) -> str:
    """Indent PEM text as a YAML block."""
    return indent(pem, " " * 6)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    make_all(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
