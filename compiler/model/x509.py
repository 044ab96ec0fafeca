"""Certificates and key pairs, parsed."""

from __future__ import annotations

import warnings
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from textwrap import fill
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.secret import Secret

_TRUSTED = "TRUSTED CERTIFICATE"
_LINE = 64
_TRUSTED_FOR_CLIENTS = bytes.fromhex("300c300a06082b06010505070302")
"""A sequence with one sequence in it, of one purpose: id-kp-clientAuth."""


@value(kw_only=True, eq=False, slots=False)
class X509:
    """One certificate; `begins` and `ends` are seconds since 1970.

    `names` are the DNS names it is for: its subject alternative names, or, where it has no
    such extension, its common name (what OpenSSL's host name check falls back to).
    What few ask for is worked out when it is asked for.
    """

    pem: str = field(repr=False)
    names: tuple[str, ...]
    begins: int
    ends: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, X509) and self.loaded == other.loaded

    def __hash__(self) -> int:
        return hash(self.loaded)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "loaded"}

    @cached_property
    def loaded(self) -> x509.Certificate:
        """Return the certificate as the library knows it, parsed when it is first asked for."""
        with tolerant():
            return x509.load_pem_x509_certificate(self.pem.encode())

    @cached_property
    def sha256(self) -> str:
        """Return the fingerprint of the DER, in hex."""
        return self.loaded.fingerprint(hashes.SHA256()).hex()

    @cached_property
    def subject(self) -> str:
        """Return the subject as people write it."""
        return self.loaded.subject.rfc4514_string()

    @cached_property
    def issuer(self) -> str:
        """Return the issuer as people write it."""
        return self.loaded.issuer.rfc4514_string()

    @property
    def not_before(self) -> datetime:
        """Return the time from which it is valid."""
        return datetime.fromtimestamp(self.begins, UTC)

    @property
    def not_after(self) -> datetime:
        """Return the time until which it is valid."""
        return datetime.fromtimestamp(self.ends, UTC)

    @cached_property
    def key_type(self) -> str:
        """Return `rsa`, `ec`, or the name of a rarer kind of key."""
        key: object = self.loaded.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return "rsa"
        if isinstance(key, ec.EllipticCurvePublicKey):
            return "ec"
        return type(key).__name__.removesuffix("PublicKey").lower()

    @cached_property
    def is_ca(self) -> bool:
        """Tell whether it may sign other certificates."""
        try:
            found = self.loaded.extensions.get_extension_for_class(x509.BasicConstraints)
        except x509.ExtensionNotFound:
            return False
        return found.value.ca

    @property
    def anchor_pem(self) -> str:
        """Return PEM in OpenSSL's own form for a certificate that is trusted as it is.

        That is what `openssl x509 -addtrust clientAuth -trustout` writes: the DER, and behind it
        what the certificate is trusted for. Programs but those that use OpenSSL do not read it.
        """
        der = self.loaded.public_bytes(Encoding.DER) + _TRUSTED_FOR_CLIENTS
        text = b64encode(der).decode()
        return f"-----BEGIN {_TRUSTED}-----\n{fill(text, _LINE)}\n-----END {_TRUSTED}-----\n"

    def belongs_to(self, key: object) -> bool:
        """Tell whether *key* is its public key."""
        return self.loaded.public_key() == key

    def issued_by(self, other: X509) -> bool:
        """Tell whether *other* has the name of its issuer."""
        return self.loaded.issuer == other.loaded.subject

    def signed_by(self, other: X509) -> bool:
        """Tell whether *other* is its issuer, by name and by signature."""
        try:
            self.loaded.verify_directly_issued_by(other.loaded)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def covers(self, host: str) -> bool:
        """Tell whether a TLS client accepts it for *host* (X.509 wildcards cover one label)."""
        wanted = host.lower().rstrip(".")
        parent = wanted.partition(".")[2]
        return any(
            name == wanted or (name.startswith("*.") and parent != "" and name[2:] == parent)
            for name in self.names
        )


@contextmanager
def tolerant() -> Iterator[None]:
    """Parse certificates without the library's warnings.

    Some public authorities have serial numbers that RFC 5280 forbids; clients accept them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


@value(kw_only=True, eq=False, slots=False)
class KeyPair:
    """A certificate with its chain (leaf first) and the private key that matches it.

    `file` names the pair's files when it was made by the compiler; pairs of the user are named
    by content: by `digests`, those of the certificates' and the key's text, where they are known.
    """

    chain: tuple[X509, ...]
    key: Secret
    file: str | None = None
    digests: tuple[str, str] | None = None

    @property
    def leaf(self) -> X509:
        """Return the certificate that the key belongs to."""
        return self.chain[0]

    @cached_property
    def certificate_text(self) -> str:
        """Return the chain as PEM."""
        return "".join([certificate.pem for certificate in self.chain])

    @property
    def certificate_digest(self) -> str:
        """Return the SHA-256 of the chain's text, in hex."""
        return (self.digests or self._digests)[0]

    @property
    def key_digest(self) -> str:
        """Return the SHA-256 of the key's text, in hex."""
        return (self.digests or self._digests)[1]

    @cached_property
    def _digests(self) -> tuple[str, str]:
        return sha256(self.certificate_text.encode()).hexdigest(), self.key.fingerprint()

    @property
    def certificate_name(self) -> str:
        """Return the stem of the certificate file's name."""
        return self.file or self.certificate_digest

    @property
    def key_name(self) -> str:
        """Return the stem of the key file's name."""
        return self.file or self.key_digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyPair) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str]:
        return self.certificate_name, self.key_name


@value(kw_only=True, eq=False, slots=False)
class Bundle:
    """Certificates that are trusted together.

    With `ends_chains` each of them is where a client's chain may end, whoever has certified it.
    """

    certificates: tuple[X509, ...]
    ends_chains: bool = False

    @cached_property
    def text(self) -> str:
        """Return the bundle as PEM."""
        pems = (c.anchor_pem if self.ends_chains else c.pem for c in self.certificates)
        return "".join(pems)

    @cached_property
    def dangling(self) -> tuple[X509, ...]:
        """Return the certificates that none of them has signed."""
        known = self.certificates
        return tuple(ca for ca in known if not any(ca.signed_by(other) for other in known))

    @cached_property
    def name(self) -> str:
        """Return the stem of the bundle file's name."""
        return sha256(self.text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bundle) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)
