"""A TLS client that goes only as far as the server's certificate, written by hand.

It can say what a TLS library refuses to: any bytes as the server name, and a choice of
signature algorithms, in TLS 1.2 (where the certificate comes in plain text) and in TLS 1.3.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.x509.oid import NameOID

Auth = Literal["any", "rsa", "ecdsa"]
Version = Literal["1.2", "1.3"]

_TIMEOUT = 10.0

_SUITES = {
    "rsa": [0xC02F, 0xC030, 0xCCA8, 0xC013, 0xC014, 0x009E, 0x009C, 0x009D, 0x002F, 0x0035],
    "ecdsa": [0xC02B, 0xC02C, 0xCCA9, 0xC009, 0xC00A],
}
_SUITES_13 = [0x1301]  # TLS_AES_128_GCM_SHA256, the one that every server has
_SIGNATURES = {
    "rsa": [0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601],
    "ecdsa": [0x0403, 0x0503, 0x0603],
}
_X25519 = 0x001D
_GROUPS = [_X25519, 0x0017, 0x0018]

_ALERT, _HANDSHAKE, _APPLICATION = 21, 22, 23
_SERVER_HELLO, _CERTIFICATE, _REQUEST, _HELLO_DONE, _FINISHED = 2, 11, 13, 14, 20
_SNI_EXTENSION, _VERSIONS_EXTENSION, _KEY_SHARE_EXTENSION = 0, 43, 51
_RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()


@dataclass(frozen=True)
class RawResult:
    """The certificates that a server sent, leaf first, or the alert's number in their place.

    `requested` tells whether it asks for the client's, and of which authorities in TLS 1.2 (the
    DER of their names). `named` tells whether its hello, in TLS 1.2, acknowledged the server name.
    """

    chain_ders: list[bytes] = field(default_factory=list)
    alert: int | None = None
    named: bool = False
    requested: bool = False
    authorities: list[bytes] = field(default_factory=list)

    @property
    def leaf_der(self) -> bytes | None:
        """The first certificate."""
        return self.chain_ders[0] if self.chain_ders else None

    @property
    def sha256(self) -> str | None:
        """Lower case hex SHA-256 of the leaf's DER."""
        return hashlib.sha256(self.leaf_der).hexdigest() if self.leaf_der else None

    @property
    def subject_cn(self) -> str | None:
        """The leaf's common name."""
        if self.leaf_der is None:
            return None
        subject = x509.load_der_x509_certificate(self.leaf_der).subject
        return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def raw_handshake(
    port: int,
    sni: bytes | None,
    cipher_suites: Auth = "any",
    *,
    version: Version = "1.2",
) -> RawResult:
    """Ask 127.0.0.1 for its certificate with `sni` sent byte for byte (None: no extension).

    `cipher_suites` is what the client can verify; over TLS 1.3 it is its signature
    algorithms that say so. A server that just hangs up gives a ConnectionError.
    """
    private = X25519PrivateKey.generate()
    hello = _client_hello(sni, cipher_suites, version, private.public_key().public_bytes_raw())
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as connection:
        connection.sendall(_record(hello))
        return _Reader(connection, hello, private).certificates()


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def _numbers(numbers: list[int]) -> bytes:
    return struct.pack(f"!{len(numbers)}H", *numbers)


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack("!H", number) + _vector(2, content)


def _record(handshake: bytes) -> bytes:
    return b"\x16\x03\x01" + _vector(2, handshake)


def _choice(table: dict[str, list[int]], auth: Auth) -> list[int]:
    return [*table["ecdsa"], *table["rsa"]] if auth == "any" else table[auth]


def _client_hello(sni: bytes | None, auth: Auth, version: Version, share: bytes) -> bytes:
    extensions = b""
    if sni is not None:
        extensions += _extension(_SNI_EXTENSION, _vector(2, b"\x00" + _vector(2, sni)))
    extensions += _extension(10, _vector(2, _numbers(_GROUPS)))
    extensions += _extension(11, _vector(1, b"\x00"))
    extensions += _extension(13, _vector(2, _numbers(_choice(_SIGNATURES, auth))))
    if version == "1.3":
        entry = struct.pack("!H", _X25519) + _vector(2, share)
        extensions += _extension(_VERSIONS_EXTENSION, _vector(1, b"\x03\x04"))
        extensions += _extension(_KEY_SHARE_EXTENSION, _vector(2, entry))
    suites = _SUITES_13 if version == "1.3" else _choice(_SUITES, auth)
    body = b"\x03\x03" + os.urandom(32) + _vector(1, os.urandom(32))
    body += _vector(2, _numbers([*suites, 0x00FF])) + b"\x01\x00" + _vector(2, extensions)
    return b"\x01" + _vector(3, body)


class _Reader:
    """Reads the server's first flight."""

    def __init__(self, connection: socket.socket, hello: bytes, private: X25519PrivateKey) -> None:
        self._connection = connection
        self._stream = b""
        self._messages = b""
        self._hello = hello
        self._private = private
        self._secrets: tuple[AESGCM, bytes] | None = None
        self._sequence = 0
        self._alert: int | None = None

    def certificates(self) -> RawResult:
        seen: dict[str, Any] = {}
        while True:
            message = self._message()
            if message is None:
                return RawResult(**{**seen, "chain_ders": [], "alert": self._alert})
            kind, body = message[0], message[4:]
            if kind == _SERVER_HELLO:
                extensions = _server_extensions(body)
                seen["named"] = _SNI_EXTENSION in extensions
                if _KEY_SHARE_EXTENSION in extensions:
                    self._decrypt_from_now(message, body, extensions[_KEY_SHARE_EXTENSION])
            elif kind == _CERTIFICATE:
                seen["chain_ders"] = _certificates(body, encrypted=bool(self._secrets))
            elif kind == _REQUEST:
                seen["requested"] = True
                seen["authorities"] = [] if self._secrets else _authorities(body)
            elif kind in (_HELLO_DONE, _FINISHED):
                return RawResult(**seen)

    def _exactly(self, size: int) -> bytes:
        while len(self._stream) < size:
            more = self._connection.recv(65536)
            if not more:
                raise ConnectionError("the server closed in the middle of its handshake")
            self._stream += more
        taken, self._stream = self._stream[:size], self._stream[size:]
        return taken

    def _message(self) -> bytes | None:
        """Give the next handshake message, or None after an alert."""
        while True:
            if len(self._messages) >= 4:
                end = 4 + int.from_bytes(self._messages[1:4], "big")
                if len(self._messages) >= end:
                    taken, self._messages = self._messages[:end], self._messages[end:]
                    return taken
            kind, content = self._next_record()
            if kind == _ALERT:
                self._alert = content[1]
                return None
            if kind == _HANDSHAKE:
                self._messages += content

    def _next_record(self) -> tuple[int, bytes]:
        header = self._exactly(5)
        content = self._exactly(int.from_bytes(header[3:5], "big"))
        if header[0] != _APPLICATION or self._secrets is None:
            return header[0], content
        cipher, iv = self._secrets
        nonce = bytes(a ^ b for a, b in zip(iv, self._sequence.to_bytes(12, "big"), strict=True))
        self._sequence += 1
        plain = cipher.decrypt(nonce, content, header).rstrip(b"\x00")
        return plain[-1], plain[:-1]

    def _decrypt_from_now(self, message: bytes, body: bytes, share: bytes) -> None:
        if body[2:34] == _RETRY_RANDOM:
            raise ConnectionError("the server wants another key share than X25519")
        peer = X25519PublicKey.from_public_bytes(share[4:])
        empty = hashlib.sha256(b"").digest()
        early = _hmac(bytes(32), bytes(32))
        secret = _hmac(_expand(early, "derived", empty, 32), self._private.exchange(peer))
        transcript = hashlib.sha256(self._hello + message).digest()
        traffic = _expand(secret, "s hs traffic", transcript, 32)
        self._secrets = AESGCM(_expand(traffic, "key", b"", 16)), _expand(traffic, "iv", b"", 12)


def _hmac(key: bytes, content: bytes) -> bytes:
    mac = HMAC(key, hashes.SHA256())
    mac.update(content)
    return mac.finalize()


def _expand(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    info = struct.pack("!H", length) + _vector(1, b"tls13 " + label.encode()) + _vector(1, context)
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


def _server_extensions(body: bytes) -> dict[int, bytes]:
    at = 35 + body[34] + 3  # version, random, session id, cipher suite, compression
    at, extensions = at + 2, {}
    while at + 4 <= len(body):
        number, length = struct.unpack("!HH", body[at : at + 4])
        extensions[number] = body[at + 4 : at + 4 + length]
        at += 4 + length
    return extensions


def _certificates(body: bytes, *, encrypted: bool) -> list[bytes]:
    at, ders = 3, []
    if encrypted:  # TLS 1.3: a request context first, and extensions after each certificate
        at += 1 + body[0]
    while at < len(body):
        size = int.from_bytes(body[at : at + 3], "big")
        ders.append(body[at + 3 : at + 3 + size])
        at += 3 + size
        if encrypted:
            at += 2 + int.from_bytes(body[at : at + 2], "big")
    return ders


def _authorities(body: bytes) -> list[bytes]:
    """Return the names in a request for a certificate in TLS 1.2."""
    rest = body[1 + body[0] :]
    rest = rest[2 + int.from_bytes(rest[:2], "big") :][2:]
    found = []
    while rest:
        size = int.from_bytes(rest[:2], "big")
        found.append(rest[2 : 2 + size])
        rest = rest[2 + size :]
    return found
