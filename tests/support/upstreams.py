"""Upstream servers that answer with what they received: request, SNI, client certificate, reuse."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import ssl
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT = 30.0


@dataclass(frozen=True)
class Identity:
    """A certificate chain and its key, both PEM."""

    chain_pem: str
    key_pem: str


@dataclass(frozen=True)
class Options:
    """How an upstream behaves.

    Without `identity` it speaks plain HTTP. `client_ca` makes it ask for a client certificate
    (PEM of what it trusts; intermediates may be among them); `demand_client` refuses clients
    without one. `by_sni` gives other certificates to single names, `headers` are of its answers.
    """

    identity: Identity | None = None
    by_sni: Mapping[str, Identity] = field(default_factory=dict)
    client_ca: str | None = None
    demand_client: bool = False
    minimum: ssl.TLSVersion | None = None
    maximum: ssl.TLSVersion | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = "upstream"


@dataclass
class Upstream:
    """A server that runs; what it saw is in `requests` and `failures`.

    While `drops` is set it reads requests and closes without an answer; while there is a
    `gate`, answers wait for it.
    """

    port: int
    options: Options
    drops: bool = False
    gate: threading.Event | None = None
    connections: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Give `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def last(self) -> dict[str, Any]:
        """The echo of the newest request."""
        return self.requests[-1]


def identity(cert: Any) -> Identity:
    """Make an identity of anything with `chain_pem` and `key_pem`."""
    return Identity(cert.chain_pem, cert.key_pem)


@contextlib.contextmanager
def upstream(options: Options | None = None, *, port: int = 0) -> Iterator[Upstream]:
    """Serve on 127.0.0.1 within the block."""
    server = _Server(options or Options(), port)
    try:
        yield server.state
    finally:
        server.close()


def load_identity(context: ssl.SSLContext, given: Identity) -> None:
    """Give a context its own certificate; the library only takes files."""
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_text(given.chain_pem)
        key.write_text(given.key_pem)
        context.load_cert_chain(chain, key)


class _Server:
    """Accepts on one thread and serves each connection on its own."""

    def __init__(self, options: Options, port: int) -> None:
        self._names: dict[int, str | None] = {}
        self._contexts = {name: self._context(options, i) for name, i in options.by_sni.items()}
        self._tls = self._context(options, options.identity) if options.identity else None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.state = Upstream(self._listener.getsockname()[1], options)
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _context(self, options: Options, own: Identity) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_identity(context, own)
        if options.minimum is not None:
            context.minimum_version = options.minimum
        if options.maximum is not None:
            context.maximum_version = options.maximum
        if options.client_ca is not None:
            context.load_verify_locations(cadata=options.client_ca)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
            context.verify_mode = ssl.CERT_REQUIRED if options.demand_client else ssl.CERT_OPTIONAL
        context.sni_callback = self._on_name
        return context

    def _on_name(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext
    ) -> None:
        self._names[id(connection)] = name
        chosen = self._contexts.get(name or "")
        if chosen is not None:
            connection.context = chosen

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Else an answer waits for the acknowledgement of the TLS session tickets.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                self.state.connections += 1
                number = self.state.connections
                self._open.add(connection)
                thread = threading.Thread(target=self._serve, args=(connection, number))
                self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        try:
            connection.settimeout(_TIMEOUT)
            tls: dict[str, Any] | None = None
            if self._tls is not None:
                connection = secured = self._wrap(plain, self._tls)
                secured.do_handshake()
                tls = self._describe(secured)
            self._converse(connection, number, tls)
        except (OSError, ValueError) as error:
            if not self._closing:
                self.state.failures.append(f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._open.discard(plain)
                self._open.discard(connection)
                self._names.pop(id(connection), None)
            connection.close()
            plain.close()

    def _wrap(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        # At once under the lock: close() must find either the one or the other to shut down.
        with self._lock:
            secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            self._open.discard(plain)
            self._open.add(secured)
        return secured

    def _describe(self, connection: ssl.SSLSocket) -> dict[str, Any]:
        cipher = connection.cipher()
        return {
            "version": connection.version(),
            "cipher": cipher[0] if cipher else None,
            "sni": self._names.get(id(connection)),
            "resumed": bool(connection.session_reused),
            "client": _client_certificate(connection),
        }

    def _converse(self, connection: socket.socket, number: int, tls: dict[str, Any] | None) -> None:
        with connection.makefile("rb") as stream:
            while True:
                request = _read_request(stream)
                if request is None:
                    return
                echo = {
                    **request,
                    "upstream": self.state.options.name,
                    "port": self.state.port,
                    "connection": number,
                    "tls": tls,
                }
                self.state.requests.append(echo)
                gate = self.state.gate
                if gate is not None:
                    gate.wait(_TIMEOUT)
                if self.state.drops:
                    return
                closes = _closes(request)
                connection.sendall(self._response(echo, closes=closes))
                if closes:
                    return

    def _response(self, echo: dict[str, Any], *, closes: bool) -> bytes:
        body = json.dumps(echo).encode()
        options = self.state.options
        own = "".join(f"{name}: {value}\r\n" for name, value in options.headers.items())
        head = (
            f"HTTP/1.1 {options.status} Echo\r\n{own}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"Connection: {'close' if closes else 'keep-alive'}\r\n\r\n"
        ).encode()
        return head if echo["method"] == "HEAD" else head + body

    def close(self) -> None:
        with self._lock:
            self._closing = True
            connections = list(self._open)
        # shutdown() wakes the thread that accepts and those that read; close() would not.
        for each in [self._listener, *connections]:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        self._acceptor.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()


def _client_certificate(connection: ssl.SSLSocket) -> dict[str, Any] | None:
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return None
    # Public as SSLSocket.get_unverified_chain() from Python 3.13 on.
    inner: Any = connection._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    chain = inner.get_unverified_chain() or ()
    return {
        "sha256": hashlib.sha256(der).hexdigest(),
        "subject": x509.load_der_x509_certificate(der).subject.rfc4514_string(),
        "chain_length": len(chain),
    }


def _read_request(stream: Any) -> dict[str, Any] | None:
    line = stream.readline(65537)
    if not line:
        return None
    method, target, version = line.decode("latin-1").rstrip("\r\n").split(" ")
    headers = []
    while (line := stream.readline(65537)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append([name, value.strip()])
    return {
        "method": method,
        "target": target,
        "version": version,
        "headers": headers,
        "body": _read_body(stream, headers).decode("latin-1"),
    }


def _read_body(stream: Any, headers: list[list[str]]) -> bytes:
    if "chunked" in _header(headers, "transfer-encoding"):
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        while stream.readline() not in (b"\r\n", b"\n", b""):
            pass
        return body
    length = _header(headers, "content-length")
    return bytes(stream.read(int(length))) if length else b""


def _header(headers: list[list[str]], wanted: str) -> str:
    return ",".join(value.lower() for name, value in headers if name.lower() == wanted)


def _closes(request: dict[str, Any]) -> bool:
    connection = _header(request["headers"], "connection")
    if request["version"] == "HTTP/1.0":
        return "keep-alive" not in connection
    return "close" in connection
