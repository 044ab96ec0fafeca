"""PEM text to certificates and keys."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from compiler.model.secret import Secret
from compiler.model.values import value
from compiler.model.x509 import X509, KeyPair, tolerant

_CERTIFICATE = re.compile(
    r"-----BEGIN (?:X509 )?CERTIFICATE-----.+?-----END (?:X509 )?CERTIFICATE-----",
    re.DOTALL,
)
_TIDY = re.compile(r"(?:\S[^\r\n]*\n)+\S[^\r\n]*(?<!\s)")
_DH = re.compile(r"-----BEGIN DH PARAMETERS-----(.+?)-----END DH PARAMETERS-----", re.DOTALL)
_KEY = re.compile(
    r"-----BEGIN ((?:[A-Z0-9]+ )*)PRIVATE KEY-----.+?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----",
    re.DOTALL,
)


class PemError(Exception):
    """The text is not what it should be; the message completes "it …" and shows no secret."""


class KeyMismatchError(PemError):
    """No certificate of the text belongs to the key."""


@value()
class Match:
    """What became of a certificate and a key: a pair, or a fault, or a pair that had one.

    The fault lies in the `certificate`'s text, in the `key`'s, in both (`mismatch`), or in the
    `order` of the chain, which was put right. `about` is what its rule wants to know.
    """

    pair: KeyPair | None
    fault: Literal["certificate", "key", "mismatch", "order"] | None = None
    about: str = ""


def match_pair(certificate: str, key: Secret) -> Match:
    """Parse a certificate (with its chain) and a key, and tell whether they are a pair."""
    try:
        certificates = parse_certificates(certificate)
    except PemError as error:
        return Match(None, "certificate", str(error))
    try:
        pair, disorder = make_pair(certificates, key)
    except KeyMismatchError:
        return Match(None, "mismatch", certificates[0].subject)
    except PemError as error:
        return Match(None, "key", str(error))
    return Match(pair) if disorder is None else Match(pair, "order", disorder)


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
    with tolerant():
        return tuple([_parse_certificate(block, number) for number, block in enumerate(blocks, 1)])


def parse_dhparam(text: str) -> None:
    """Check that *text* holds Diffie-Hellman parameters in PEM. Raises PemError."""
    match = _DH.search(text)
    try:
        der = b64decode("".join(match.group(1).split()), validate=True) if match else b""
    except binascii.Error:
        der = b""
    if not der.startswith(b"\x30"):
        raise PemError("holds no usable DH parameters (BEGIN DH PARAMETERS)")


def make_pair(certificates: tuple[X509, ...], key: Secret) -> tuple[KeyPair, str | None]:
    """Join certificates (a chain) and their key; put the chain in order.

    Returns the pair, and a sentence about how the chain was out of order, or None.
    Raises PemError; KeyMismatchError when the key belongs to none of the certificates, or to
    one that others of them were issued by: that is an authority's key, not the server's.
    """
    key_text, public_key = parse_key(key)
    leaf = next((c for c in certificates if c.belongs_to(public_key)), None)
    if leaf is None or any(
        not c.belongs_to(public_key) and c.issued_by(leaf) for c in certificates
    ):
        raise KeyMismatchError(
            f"its key belongs to another certificate than {certificates[0].subject}"
        )
    chain = _order(leaf, certificates)
    pair = KeyPair(chain=chain, key=Secret(key_text))
    if chain == certificates:
        return pair, None
    first = certificates[0].subject
    return pair, f"{first} comes first, {leaf.subject} (which the key belongs to) should"


def parse_key(key: Secret) -> tuple[str, object]:
    """Return a private key's PEM block and its public key. Raises PemError."""
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
    return block, loaded.public_key()


def _canonical(block: str) -> str:
    """Return a PEM block with one newline style, so that equal content has equal bytes."""
    if _TIDY.fullmatch(block):
        return block + "\n"
    return "\n".join(line.strip() for line in block.splitlines() if line.strip()) + "\n"


def _order(leaf: X509, certificates: tuple[X509, ...]) -> tuple[X509, ...]:
    """Put *leaf* first and each issuer behind what it issued; strangers go last."""
    chain = [leaf]
    rest = [certificate for certificate in certificates if certificate is not leaf]
    while rest:
        issuer = next((c for c in rest if chain[-1].issued_by(c)), None)
        if issuer is None:
            break
        rest.remove(issuer)
        chain.append(issuer)
    return tuple(chain + rest)


def _parse_certificate(block: str, number: int) -> X509:
    canonical = _canonical(block)
    try:
        loaded = x509.load_pem_x509_certificate(canonical.encode())
        found = X509(
            pem=canonical,
            names=_names(loaded),
            begins=int(loaded.not_valid_before_utc.timestamp()),
            ends=int(loaded.not_valid_after_utc.timestamp()),
        )
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise PemError(f"does not parse as X.509 (certificate {number} of the text)") from error
    vars(found)["loaded"] = loaded  # what was parsed already is not parsed again
    return found


def _names(loaded: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        found = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(attribute.value) for attribute in found]
    else:
        names = extension.value.get_values_for_type(x509.DNSName)
    return tuple([name.lower().removesuffix(".") for name in names])
