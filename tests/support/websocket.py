"""Websockets (RFC 6455): an echo to connect to, and a client with single frames."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support.upstreams import Identity, load_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT = 10.0
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT = 0x81


@dataclass
class Echo:
    """A server that runs; `handshakes` holds the headers that it got."""

    port: int
    handshakes: list[dict[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def echo(own: Identity | None = None) -> Iterator[Echo]:
    """Serve on 127.0.0.1: each frame comes back, unmasked."""
    context = None
    if own is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_identity(context, own)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        state = Echo(listener.getsockname()[1])
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=_serve, args=(connection, context, state))
                threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield state
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


def _serve(plain: socket.socket, context: ssl.SSLContext | None, state: Echo) -> None:
    with contextlib.suppress(OSError), plain:
        plain.settimeout(_TIMEOUT)
        connection = plain if context is None else context.wrap_socket(plain, server_side=True)
        with connection:
            head = _head(connection)
            if not head:
                return  # the gateway did not like the certificate
            lines = head.decode("latin-1").split("\r\n")[1:]
            headers = dict(line.split(": ", 1) for line in lines if line)
            state.handshakes.append(headers)
            key = headers["Sec-WebSocket-Key"].encode()
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + _accept(key) + b"\r\n\r\n"
            )
            while (message := _read_frame(connection)) is not None:
                connection.sendall(bytes([_TEXT, len(message)]) + message)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            break
        head += more
    return head


def _accept(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + _MAGIC).digest())  # noqa: S324 - the protocol's


def _read_frame(connection: socket.socket) -> bytes | None:
    begin = _exactly(connection, 2)
    if len(begin) < 2 or begin[0] != _TEXT:
        return None
    length = begin[1] & 0x7F
    mask = _exactly(connection, 4) if begin[1] & 0x80 else b"\0\0\0\0"
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(_exactly(connection, length)))


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := connection.recv(length - len(data))):
        data += more
    return data


@dataclass(frozen=True)
class Handshake:
    """How a handshake was answered, and what came back for each message."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    echoes: list[bytes]


def converse(
    port: int,
    host: str,
    path: str,
    messages: list[bytes],
    *,
    method: str = "GET",
    without: frozenset[str] = frozenset(),
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Handshake:
    """Shake hands with 127.0.0.1, send each message and await what comes back."""
    key = base64.b64encode(os.urandom(16))
    given = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
        **(headers or {}),
    }
    lines = "".join(f"{n}: {v}\r\n" for n, v in given.items() if n not in without)
    with contextlib.ExitStack() as stack:
        connection: socket.socket = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        )
        if context is not None:
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname=host))
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        first, *rest = _head(connection).decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        got = [(n, v.strip()) for n, _, v in (line.partition(":") for line in rest if line)]
        if status != 101:
            length = int({n.lower(): v for n, v in got}.get("content-length", "0"))
            return Handshake(status, got, _exactly(connection, length), [])
        assert dict(got)["Sec-WebSocket-Accept"].encode() == _accept(key)
        return Handshake(status, got, b"", [_echoed(connection, message) for message in messages])


def _echoed(connection: socket.socket, message: bytes) -> bytes:
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
    connection.sendall(bytes([_TEXT, 0x80 | len(message)]) + mask + masked)
    return _read_frame(connection) or b""
