"""Lists of revoked certificates, parsed."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.x509 import X509


@value(kw_only=True, eq=False, slots=False)
class RevocationList:
    """What one authority says of its certificates; `source` is the file that it was read from."""

    source: str
    loaded: x509.CertificateRevocationList = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RevocationList) and self.pem == other.pem

    def __hash__(self) -> int:
        return hash(self.pem)

    @cached_property
    def pem(self) -> str:
        """Return it as PEM, whatever form it was given in."""
        return self.loaded.public_bytes(Encoding.PEM).decode("ascii")

    @cached_property
    def issuer(self) -> str:
        """Return the authority's name as people write it."""
        return self.loaded.issuer.rfc4514_string()

    @cached_property
    def number(self) -> int | None:
        """Return the number by which the authority counts its lists, if it does."""
        try:
            return self.loaded.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except x509.ExtensionNotFound:
            return None

    @property
    def begins(self) -> datetime:
        """Return when it was made."""
        return self.loaded.last_update_utc

    @property
    def ends(self) -> datetime:
        """Return when the next one is due; the end of time where it does not say."""
        return self.loaded.next_update_utc or datetime.max.replace(tzinfo=UTC)

    def names(self, authority: X509) -> bool:
        """Tell whether *authority* has the name of its issuer."""
        return self.loaded.issuer == authority.loaded.subject

    def signed_by(self, authority: X509) -> bool:
        """Tell whether *authority* signed it, and may sign such lists."""
        try:
            usage = authority.loaded.extensions.get_extension_for_class(x509.KeyUsage)
        except x509.ExtensionNotFound:
            pass
        else:
            if not usage.value.crl_sign:
                return False
        key = authority.loaded.public_key()
        try:
            return self.loaded.is_signature_valid(key)  # type: ignore[arg-type]
        except (TypeError, ValueError, UnsupportedAlgorithm):
            return False  # a kind of key that signs nothing

    def is_newer_than(self, other: RevocationList) -> bool:
        """Tell whether it replaces *other*, of the same authority."""
        if self.number is not None and other.number is not None and self.number != other.number:
            return self.number > other.number
        return self.begins > other.begins


@value(kw_only=True, eq=False, slots=False)
class RevocationLists:
    """The lists that count together, each once."""

    lists: tuple[RevocationList, ...]

    @classmethod
    def of(cls, lists: Iterable[RevocationList]) -> RevocationLists:
        """Join *lists*; the same ones give the same text, in whatever order they come."""
        return cls(lists=tuple(sorted(set(lists), key=lambda found: found.pem)))

    @cached_property
    def text(self) -> str:
        """Return them as PEM."""
        return "".join(found.pem for found in self.lists)

    @cached_property
    def name(self) -> str:
        """Return the stem of the name of their file."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def each(self) -> tuple[RevocationLists, ...]:
        """Return each of them alone."""
        return tuple(RevocationLists(lists=(found,)) for found in self.lists)

    def __bool__(self) -> bool:
        return bool(self.lists)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RevocationLists) and self.lists == other.lists

    def __hash__(self) -> int:
        return hash(self.lists)


NO_LISTS = RevocationLists(lists=())
