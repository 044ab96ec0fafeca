"""Text that must not be shown."""

from __future__ import annotations

from hashlib import sha256

from compiler.model.values import value


@value()
class Secret:
    """A private key, password or token; its representation never shows it."""

    _text: str

    def reveal(self) -> str:
        """Return the text itself; called only where a key is parsed or a key file is made."""
        return self._text

    def fingerprint(self) -> str:
        """Return the SHA-256 of the text, in hex: tells two secrets apart without showing them."""
        return sha256(self._text.encode("utf-8", "surrogateescape")).hexdigest()

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__
