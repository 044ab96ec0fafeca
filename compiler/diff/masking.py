"""Values as they may be shown: what may be a secret only by its fingerprint."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from compiler.resolve.pem import PemError, as_pem, parse_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.x509 import X509

DIGITS = 16
"""The hex digits of a fingerprint that are shown."""

_SECRET_KEY = re.compile(
    r"key|secret|passw|passphrase|pwd|token|credential|auth|jwt|bearer|cookie|session|signature"
    r"|private|salt|dsn|connection_string|(?:^|[._-])pin(?:$|[._-])",
    re.IGNORECASE,
)
# Names that only sound so: they say where a secret is found, or how it is treated.
_HARMLESS_KEY = re.compile(
    r"key_names|key_in_\w+|key_claim_name|hide_credentials|auth_methods?|auth_protocols?"
    r"|authenticated_\w+|key_set_name|cookie_(?:names|path|domain|samesite)|ssl_session_\w+"
    r"|keepalive\w*|keep_alive\w*|authority|author|token_endpoint_auth_method"
)
_SECRET_TEXT = re.compile(
    r"-----BEGIN |://[^/\s@]+@|\b(?:basic|bearer)\s+\S"
    r"|(?:key|secret|passw\w*|token|credential|authorization|cookie)\w*[\"']?\s*[:=]\s*\S",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\{vault://[^{}\s]+\}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9+_=.~-][A-Za-z0-9+/_=.~-]{19,}")
_HEX = re.compile(r"[0-9A-Fa-f]{24,}")

_SHORTEST_SCRUBBED = 6
"""Shorter secrets are words of the output as well, which would be garbled without them."""


def names_secret(words: str) -> bool:
    """Tell whether the arguments of a directive name a secret before they hold it."""
    return any(may_be_secret(word.strip("\"'")) for word in words.split()[:-1])


def may_be_secret(key: str) -> bool:
    """Tell whether a field of this name may hold a secret."""
    return _SECRET_KEY.search(key) is not None and _HARMLESS_KEY.fullmatch(key) is None


def shown_certificate(certificate: X509) -> str:
    """Return a certificate by its subject and fingerprint."""
    return f"{certificate.subject}, sha256:{certificate.sha256[:DIGITS]}"


class Masker:
    """Shows values; remembers each secret, to take it out of other texts too."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def secret(self, value: Any) -> str:
        """Return the fingerprint of *value*."""
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        shown = f"sha256:{digest[:DIGITS]}"
        if len(text) >= _SHORTEST_SCRUBBED:
            self._shown[text] = shown
        return shown

    def text(self, value: str) -> str:
        """Return *value*, or its fingerprint where it looks like a secret or holds one."""
        if _REFERENCE.fullmatch(value):
            return value
        pem = as_pem(value)
        if pem is not None:
            return self._pem(value, pem)
        return self.secret(value) if _looks_secret(value) else value

    def plain(self, value: Any) -> Any:
        """Return the value of a field that holds no secret unless somebody hid one there."""
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return self.mapping(value)
        hides = isinstance(value, str) and _SECRET_TEXT.search(value)
        return self.secret(value) if hides else value

    def value(self, key: str, value: Any, *, secret: bool = False) -> Any:
        """Return the value of field *key*; under a name of secrets all texts are fingerprints.

        None is left out of mappings, as Kong makes no difference.
        """
        secret = secret or may_be_secret(key)
        if isinstance(value, dict):
            return self.mapping(value, secret=secret)
        if isinstance(value, (list, tuple)):
            return [self.value("", item, secret=secret) for item in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            is_plain = not secret or not value or _REFERENCE.fullmatch(value)
            return self.text(value) if is_plain else self._secret_text(value)
        return self.secret(value) if secret else value

    def mapping(self, values: Mapping[str, Any], *, secret: bool = False) -> dict[str, Any]:
        """Return a mapping's values, by keys in order."""
        return {
            str(key): self.value(str(key), values[key], secret=secret)
            for key in sorted(values, key=str)
            if values[key] is not None
        }

    def scrub(self, text: str) -> str:
        """Return *text* with every secret that was met replaced by its fingerprint."""
        for secret in sorted(self._shown, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, self._shown[secret])
        return text

    def _secret_text(self, value: str) -> str:
        pem = as_pem(value)
        return self.secret(value) if pem is None else self._pem(value, pem)

    def _pem(self, value: str, pem: str) -> str:
        """Return certificates by subject and fingerprint; anything else by fingerprint alone."""
        if "PRIVATE KEY" not in pem:
            try:
                return "; ".join(shown_certificate(c) for c in parse_certificates(pem))
            except PemError:
                pass
        return self.secret(value)


def _looks_secret(value: str) -> bool:
    """Tell whether a text has the looks of a credential or holds one."""
    if _SECRET_TEXT.search(value) or _HEX.fullmatch(value):
        return True
    return (
        _TOKEN.fullmatch(value) is not None
        and _UUID.fullmatch(value) is None
        and any(c.isdigit() for c in value)
        and any(c.islower() for c in value)
        and any(c.isupper() for c in value)
    )
