"""Certificates for tests: roots, intermediates, leaves, and the odd ones that must be refused."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

KeyKind = Literal["ec", "rsa"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DAY = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Cert:
    """A certificate with its key and the certificate that signed it (None: itself)."""

    certificate: x509.Certificate
    key: PrivateKey
    issuer: Cert | None = None

    @property
    def cert_pem(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key as unencrypted PKCS#8."""
        return self._key_pem(serialization.PrivateFormat.PKCS8)

    @property
    def traditional_key_pem(self) -> str:
        """The private key as `BEGIN EC PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`."""
        return self._key_pem(serialization.PrivateFormat.TraditionalOpenSSL)

    @property
    def der(self) -> bytes:
        """The certificate's DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def sha256(self) -> str:
        """Lower case hex SHA-256 of the DER."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def cn(self) -> str:
        """The subject's common name."""
        values = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(values[0].value)

    @property
    def path(self) -> list[Cert]:
        """The certificate, then its issuers; the root is last."""
        return [self] if self.issuer is None else [self, *self.issuer.path]

    @property
    def sent(self) -> list[Cert]:
        """What a server should send: the path without its root, unless it is all there is."""
        return self.path[:-1] or self.path

    @property
    def root(self) -> Cert:
        """The end of the path."""
        return self.path[-1]

    @property
    def chain_pem(self) -> str:
        """Leaf first, then intermediates; no root."""
        return "".join(cert.cert_pem for cert in self.sent)

    @property
    def full_chain_pem(self) -> str:
        """Leaf first, then intermediates, then the root."""
        return "".join(cert.cert_pem for cert in self.path)

    @property
    def swapped_chain_pem(self) -> str:
        """The chain in the wrong order: the leaf last."""
        return "".join(cert.cert_pem for cert in reversed(self.sent))

    def encrypted_key_pem(self, password: str) -> str:
        """Give the private key as PKCS#8 under a password."""
        encryption = serialization.BestAvailableEncryption(password.encode())
        return self._key_pem(serialization.PrivateFormat.PKCS8, encryption)

    def _key_pem(
        self,
        form: serialization.PrivateFormat,
        encryption: serialization.KeySerializationEncryption | None = None,
    ) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, form, encryption or serialization.NoEncryption()
        ).decode()


@functools.cache
def _rsa_key(label: str) -> rsa.RSAPrivateKey:
    # The label only tells keys apart: the same name gets the same key again, as making one is slow.
    del label
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _new_key(kind: KeyKind, label: str) -> PrivateKey:
    return _rsa_key(label) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _issue(
    common_name: str | x509.Name,
    issuer: Cert | None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    *,
    key: KeyKind,
    not_before: datetime | None,
    not_after: datetime | None,
) -> Cert:
    named = isinstance(common_name, x509.Name)
    subject = common_name if isinstance(common_name, x509.Name) else _name(common_name)
    private = _new_key(key, "" if named else str(common_name))
    signer = private if issuer is None else issuer.key
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - _DAY)
        .not_valid_after(not_after or now + 365 * _DAY)
    )
    identifiers = [
        (x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ]
    for extension, critical in [*extensions, *identifiers]:
        builder = builder.add_extension(extension, critical=critical)
    return Cert(builder.sign(signer, hashes.SHA256()), private, issuer)


def ca(
    name: str = "Test Root",
    *,
    key: KeyKind = "ec",
    is_ca: bool = True,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Cert:
    """Make a self-signed root; with `is_ca=False` it says CA:FALSE and may sign nothing."""
    return intermediate(
        None, name, key=key, is_ca=is_ca, not_before=not_before, not_after=not_after
    )


def intermediate(
    parent: Cert | None,
    name: str = "Test Intermediate",
    *,
    key: KeyKind = "ec",
    is_ca: bool = True,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Cert:
    """Make a certificate authority signed by `parent` (None: by itself)."""
    constraints = x509.BasicConstraints(ca=is_ca, path_length=None)
    extensions = [(constraints, True), (_key_usage(signs=is_ca), True)]
    return _issue(name, parent, extensions, key=key, not_before=not_before, not_after=not_after)


def leaf(
    issuer: Cert | None,
    *names: str,
    key: KeyKind = "ec",
    cn: str | None = None,
    ips: Sequence[str] = (),
    client: bool = False,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Cert:
    """Make an end entity's certificate for DNS `names` and `ips`; no issuer means self-signed.

    The common name is `cn`, else the first name. With `client` it is good for client
    authentication and its names are left out of the subject alternative names.
    """
    common_name = cn or next(iter((*names, *ips)), "nameless")
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs=False), True),
        (x509.ExtendedKeyUsage([usage]), False),
    ]
    alternatives: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    if not client:
        alternatives = [*(x509.DNSName(name) for name in names), *alternatives]
    if alternatives:
        extensions.append((x509.SubjectAlternativeName(alternatives), False))
    return _issue(
        common_name, issuer, extensions, key=key, not_before=not_before, not_after=not_after
    )


def with_subject(
    issuer: Cert, subject: x509.Name, *, alternatives: Sequence[x509.GeneralName] = ()
) -> Cert:
    """Make a client's certificate with any subject, and perhaps subject alternative names."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    ]
    if alternatives:
        extensions.append((x509.SubjectAlternativeName(alternatives), False))
    return _issue(subject, issuer, extensions, key="ec", not_before=None, not_after=None)


def self_signed(*names: str, key: KeyKind = "ec", ips: Sequence[str] = ()) -> Cert:
    """Make a leaf that signs itself."""
    return leaf(None, *names, key=key, ips=ips)


def expired(issuer: Cert | None, *names: str, key: KeyKind = "ec") -> Cert:
    """Make a leaf whose time ended a day ago."""
    now = datetime.now(UTC)
    return leaf(issuer, *names, key=key, not_before=now - 30 * _DAY, not_after=now - _DAY)


def not_yet_valid(issuer: Cert | None, *names: str, key: KeyKind = "ec") -> Cert:
    """Make a leaf whose time begins tomorrow."""
    now = datetime.now(UTC)
    return leaf(issuer, *names, key=key, not_before=now + _DAY, not_after=now + 30 * _DAY)
