"""PEM text to certificates and keys."""

from __future__ import annotations

import binascii
import re
import warnings
from base64 import b64decode
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from compiler.model.secret import Secret
from compiler.model.x509 import X509, KeyPair

if TYPE_CHECKING:
    from collections.abc import Iterable

_CERTIFICATE = re.compile(
    r"-----BEGIN (?:X509 )?CERTIFICATE-----.+?-----END (?:X509 )?CERTIFICATE-----",
    re.DOTALL,
)
_DH = re.compile(r"-----BEGIN DH PARAMETERS-----(.+?)-----END DH PARAMETERS-----", re.DOTALL)
_KEY = re.compile(
    r"-----BEGIN ((?:[A-Z0-9]+ )*)PRIVATE KEY-----.+?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----",
    re.DOTALL,
)


class PemError(Exception):
    """The text is not what it should be; the message completes "it …" and shows no secret."""


class KeyMismatchError(PemError):
    """No certificate of the text belongs to the key."""


def as_pem(value: str) -> str | None:
    """Return *value* itself when it is PEM, decoded when it is base64 of PEM, else None."""
    if "-----BEGIN " in value:
        return value
    try:
        decoded = b64decode("".join(value.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return decoded if "-----BEGIN " in decoded else None


def parse_certificates(text: str) -> tuple[X509, ...]:
    """Return every certificate in *text*, in its order. Raises PemError."""
    blocks = _CERTIFICATE.findall(text)
    if not blocks:
        what = "holds a private key" if _KEY.search(text) else "holds no PEM block"
        raise PemError(f"{what} where a certificate (BEGIN CERTIFICATE) is wanted")
    with warnings.catch_warnings():
        # Some public authorities have serial numbers that RFC 5280 forbids; clients accept them.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return tuple(_parse_certificate(block, number) for number, block in enumerate(blocks, 1))


def parse_dhparam(text: str) -> None:
    """Check that *text* holds Diffie-Hellman parameters in PEM. Raises PemError."""
    match = _DH.search(text)
    try:
        der = b64decode("".join(match.group(1).split()), validate=True) if match else b""
    except binascii.Error:
        der = b""
    if not der.startswith(b"\x30"):
        raise PemError("holds no usable DH parameters (BEGIN DH PARAMETERS)")


def parse_pair(certificate: str, key: Secret) -> tuple[KeyPair, str | None]:
    """Parse a certificate (with chain) and its key; put the chain in order.

    Returns the pair, and a sentence about how the text was out of order, or None.
    Raises PemError; KeyMismatchError when the key belongs to no certificate of the text.
    """
    certificates = parse_certificates(certificate)
    key_text, public_key = parse_key(key)
    leaf = next((c for c in certificates if c.public_key == public_key), None)
    if leaf is None:
        raise KeyMismatchError(
            f"its key belongs to another certificate than {certificates[0].subject}"
        )
    chain = _order(leaf, certificates)
    pair = KeyPair(chain=chain, key=Secret(key_text))
    if chain == certificates:
        return pair, None
    first = certificates[0].subject
    return pair, f"{first} comes first, {leaf.subject} (which the key belongs to) should"


def parse_key(key: Secret) -> tuple[str, bytes]:
    """Return a private key's PEM block and its public key in DER. Raises PemError."""
    match = _KEY.search(key.reveal())
    if match is None:
        raise PemError("holds no private key in PEM (BEGIN PRIVATE KEY)")
    block = match.group(0)
    if match.group(1).startswith("ENCRYPTED") or "Proc-Type: 4,ENCRYPTED" in block:
        raise PemError("is encrypted with a passphrase, which neither Kong nor nginx can ask for")
    block = _canonical(block)
    try:
        # The pair is compared by public key; the costly self-test of RSA keys adds nothing to it.
        loaded = load_pem_private_key(
            block.encode(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PemError("is not a private key that OpenSSL can read") from error
    public = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return block, public


def _canonical(block: str) -> str:
    """Return a PEM block with one newline style, so that equal content has equal bytes."""
    return "\n".join(line.strip() for line in block.splitlines() if line.strip()) + "\n"


def _order(leaf: X509, certificates: tuple[X509, ...]) -> tuple[X509, ...]:
    """Put *leaf* first and each issuer behind what it issued; strangers go last."""
    chain = [leaf]
    rest = [certificate for certificate in certificates if certificate is not leaf]
    while rest:
        issuer = next((c for c in rest if c.subject_der == chain[-1].issuer_der), None)
        if issuer is None:
            break
        rest.remove(issuer)
        chain.append(issuer)
    return tuple(chain + rest)


def _parse_certificate(block: str, number: int) -> X509:
    canonical = _canonical(block)
    try:
        loaded = x509.load_pem_x509_certificate(canonical.encode())
        names, ips = _names(loaded)
        key_type, key_bits, public_key = _public_key(loaded)
        return X509(
            sha256=loaded.fingerprint(hashes.SHA256()).hex(),
            subject=loaded.subject.rfc4514_string(),
            issuer=loaded.issuer.rfc4514_string(),
            subject_der=loaded.subject.public_bytes(),
            issuer_der=loaded.issuer.public_bytes(),
            public_key=public_key,
            names=names,
            ips=ips,
            not_before=loaded.not_valid_before_utc,
            not_after=loaded.not_valid_after_utc,
            key_type=key_type,
            key_bits=key_bits,
            is_ca=_is_ca(loaded),
            pem=canonical,
        )
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise PemError(f"does not parse as X.509 (certificate {number} of the text)") from error


def _names(loaded: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return _lower(str(attribute.value) for attribute in common), ()
    dns = extension.value.get_values_for_type(x509.DNSName)
    ips = extension.value.get_values_for_type(x509.IPAddress)
    return _lower(dns), tuple(str(ip) for ip in ips)


def _lower(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower().rstrip(".") for name in names)


def _is_ca(loaded: x509.Certificate) -> bool:
    try:
        return loaded.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _public_key(loaded: x509.Certificate) -> tuple[str, int, bytes]:
    key = loaded.public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    match key:
        case rsa.RSAPublicKey():
            return "rsa", key.key_size, der
        case ec.EllipticCurvePublicKey():
            return "ec", key.key_size, der
        case ed25519.Ed25519PublicKey():
            return "ed25519", 256, der
        case ed448.Ed448PublicKey():
            return "ed448", 456, der
        case dsa.DSAPublicKey():
            return "dsa", key.key_size, der
        case _:
            return "other", 0, der
