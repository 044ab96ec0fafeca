"""HTTP/2: a client for single requests, and an upstream that speaks gRPC's kind of it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from support.client import client_context
from support.upstreams import Identity, Options, load_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TIMEOUT = 10.0
_FAILURES = (events.StreamReset, events.ConnectionTerminated)
Headers = list[tuple[str, str]]


@dataclass
class Answer:
    """What a stream of HTTP/2 held."""

    headers: Headers = field(default_factory=list)
    body: bytes = b""
    trailers: Headers = field(default_factory=list)

    @property
    def status(self) -> int:
        """The status."""
        return int(dict(self.headers)[":status"])

    def header(self, name: str) -> str | None:
        """Give a header in lower case."""
        return dict(self.headers).get(name)


def request(
    port: int,
    authority: str,
    path: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = b"",
    tls: bool = True,
    method: str = "POST",
    client: Identity | None = None,
) -> Answer:
    """Make one request to 127.0.0.1; in plain text by prior knowledge."""
    with contextlib.ExitStack() as stack:
        connection: socket.socket = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        )
        if tls:
            context = client_context(client=client)
            context.set_alpn_protocols(["h2"])
            name = authority.partition(":")[0]
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname=name))
        return _exchange(connection, method, authority, path, list(headers), body, tls=tls)


def _exchange(
    connection: socket.socket,
    method: str,
    authority: str,
    path: str,
    headers: Headers,
    body: bytes | None,
    *,
    tls: bool,
) -> Answer:
    http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    http.initiate_connection()
    pseudo = [(":method", method), (":scheme", "https" if tls else "http"),
              (":authority", authority), (":path", path)]  # fmt: skip
    http.send_headers(1, [*pseudo, *headers], end_stream=body is None)
    if body is not None:
        http.send_data(1, body, end_stream=True)
    connection.sendall(http.data_to_send())
    answer = Answer()
    while True:
        received = connection.recv(65536)
        if not received:
            raise AssertionError(f"the connection ended before the answer: {answer}")
        for event in http.receive_data(received):
            assert not isinstance(event, _FAILURES), event
            if isinstance(event, events.ResponseReceived):
                answer.headers = _texts(event.headers)
            elif isinstance(event, events.TrailersReceived):
                answer.trailers = _texts(event.headers)
            elif isinstance(event, events.DataReceived):
                answer.body += event.data
            elif isinstance(event, events.StreamEnded):
                return answer
        connection.sendall(http.data_to_send())


def _texts(headers: Any) -> Headers:
    return [(str(name), str(value)) for name, value in headers]


@dataclass
class GrpcUpstream:
    """A server that runs; `calls` holds headers and message of each call."""

    port: int
    calls: list[tuple[Headers, bytes]] = field(default_factory=list)
    client_certificates: list[bytes | None] = field(default_factory=list)


@contextlib.contextmanager
def grpc_upstream(
    own: Identity | None = None, *, client_ca: str | None = None
) -> Iterator[GrpcUpstream]:
    """Serve on 127.0.0.1: every call is answered with its own message and trailers."""
    server = _Server(own, Options(identity=own, client_ca=client_ca))
    try:
        yield server.state
    finally:
        server.close()


class _Server:
    """Accepts on one thread and serves each connection on its own."""

    def __init__(self, own: Identity | None, options: Options) -> None:
        self._context = None if own is None else _context(own, options)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = False
        self.state = GrpcUpstream(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                self._open.add(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        with plain, contextlib.suppress(OSError, ValueError):
            plain.settimeout(_TIMEOUT)
            if self._context is not None:
                connection = self._secure(plain, self._context)
            with connection:
                self._converse(connection)

    def _secure(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        with self._lock:
            connection = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            self._open.discard(plain)
            self._open.add(connection)
        connection.do_handshake()
        self.state.client_certificates.append(connection.getpeercert(binary_form=True))
        return connection

    def _converse(self, connection: socket.socket) -> None:
        http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        http.initiate_connection()
        connection.sendall(http.data_to_send())
        streams: dict[int, tuple[Headers, bytearray]] = {}
        while received := connection.recv(65536):
            for event in http.receive_data(received):
                if isinstance(event, events.RequestReceived):
                    streams[event.stream_id] = (_texts(event.headers), bytearray())
                elif isinstance(event, events.DataReceived):
                    streams[event.stream_id][1].extend(event.data)
                elif isinstance(event, events.StreamEnded):
                    headers, message = streams.pop(event.stream_id)
                    self.state.calls.append((headers, bytes(message)))
                    self._answer(http, event.stream_id, bytes(message))
            connection.sendall(http.data_to_send())

    @staticmethod
    def _answer(http: H2Connection, stream: int, message: bytes) -> None:
        http.send_headers(
            stream, [(":status", "200"), ("content-type", "application/grpc"), ("via", "2 behind")]
        )
        http.send_data(stream, message)
        http.send_headers(stream, [("grpc-status", "0"), ("grpc-message", "fine")], end_stream=True)

    def close(self) -> None:
        with self._lock:
            self._closing = True
            connections = list(self._open)
        for each in [self._listener, *connections]:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()


def _context(own: Identity, options: Options) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_identity(context, own)
    context.set_alpn_protocols(["h2"])
    if options.client_ca is not None:
        context.load_verify_locations(cadata=options.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
