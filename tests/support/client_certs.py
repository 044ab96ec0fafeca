"""Certificates of clients, ordinary and hostile ones, and lists of those that were revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support.pki import Cert

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = timedelta(days=1)

CN = NameOID.COMMON_NAME
O = NameOID.ORGANIZATION_NAME  # noqa: E741
OU = NameOID.ORGANIZATIONAL_UNIT_NAME


def common_name(value: str) -> x509.Name:
    """Make a name of a common name alone."""
    return x509.Name([x509.NameAttribute(CN, value)])


def client(
    issuer: Cert | None,
    subject: str | x509.Name,
    alternatives: Sequence[x509.GeneralName] = (),
    *,
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
    extensions: Sequence[x509.ExtensionType] = (),
    authority: bool = False,
    days: tuple[float, float] = (-1, 365),
) -> Cert:
    """Make a client's certificate, or an `authority`; `days` are when it begins and ends."""
    name = common_name(subject) if isinstance(subject, str) else subject
    key = ec.generate_private_key(ec.SECP256R1())
    signer = key if issuer is None else issuer.key
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * _DAY)
        .not_valid_after(now + days[1] * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    every = [
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        *extensions,
    ]
    if usages and not authority:
        every.append(x509.ExtendedKeyUsage(list(usages)))
    if alternatives:
        every.append(x509.SubjectAlternativeName(list(alternatives)))
    for extension in every:
        builder = builder.add_extension(extension, critical=False)
    return Cert(builder.sign(signer, hashes.SHA256()), key, issuer)


def revocations(
    issuer: Cert, *revoked: Cert, days: tuple[float, float] = (-1, 30), signer: Cert | None = None
) -> str:
    """Make an issuer's list of revoked certificates, as PEM; `signer` signs it in its stead."""
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now + days[0] * _DAY)
        .next_update(now + days[1] * _DAY)
    )
    for each in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(each.certificate.serial_number)
            .revocation_date(now - _DAY)
            .build()
        )
        builder = builder.add_revoked_certificate(entry)
    signed = builder.sign((signer or issuer).key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()
