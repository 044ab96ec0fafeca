"""Certificates and key pairs, parsed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from compiler.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class X509:
    """One certificate. `sha256` is the fingerprint of its DER; times are UTC.

    `names` are the DNS names it is for: its subject alternative names, or, where it has no
    such extension, its common name (what OpenSSL's host name check falls back to).
    """

    sha256: str
    subject: str
    issuer: str
    subject_der: bytes = field(repr=False)
    issuer_der: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    names: tuple[str, ...]
    ips: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key_type: str
    key_bits: int
    is_ca: bool
    pem: str = field(repr=False)

    def covers(self, host: str) -> bool:
        """Tell whether a TLS client accepts it for *host* (X.509 wildcards cover one label)."""
        wanted = host.lower().rstrip(".")
        parent = wanted.partition(".")[2]
        return any(
            name == wanted or (name.startswith("*.") and parent != "" and name[2:] == parent)
            for name in self.names
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class KeyPair:
    """A certificate with its chain (leaf first) and the private key that matches it.

    `file` names the pair's files when it was made by the compiler; pairs of the user are named
    by content.
    """

    chain: tuple[X509, ...]
    key: Secret
    file: str | None = None

    @property
    def leaf(self) -> X509:
        """Return the certificate that the key belongs to."""
        return self.chain[0]

    @cached_property
    def certificate_text(self) -> str:
        """Return the chain as PEM."""
        return "".join(certificate.pem for certificate in self.chain)

    @cached_property
    def certificate_name(self) -> str:
        """Return the stem of the certificate file's name."""
        return self.file or sha256(self.certificate_text.encode()).hexdigest()

    @cached_property
    def key_name(self) -> str:
        """Return the stem of the key file's name."""
        return self.file or self.key.fingerprint()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyPair) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str]:
        return self.certificate_name, self.key_name


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """Certificates that are trusted together."""

    certificates: tuple[X509, ...]

    @cached_property
    def text(self) -> str:
        """Return the bundle as PEM."""
        return "".join(certificate.pem for certificate in self.certificates)

    @cached_property
    def name(self) -> str:
        """Return the stem of the bundle file's name."""
        return sha256(self.text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bundle) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)
