"""Clients: TLS handshakes as a browser would make them, raw ones, and HTTP/1.1 requests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

from support.rawtls import RawResult, raw_handshake
from support.upstreams import Identity, load_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "HandshakeResult",
    "RawResult",
    "Response",
    "handshake",
    "https_request",
    "raw_handshake",
]

Auth = Literal["any", "rsa", "ecdsa"]

_TIMEOUT = 10.0
_CIPHERS: dict[Auth, str] = {
    "rsa": "ECDHE+aRSA:DHE+aRSA:kRSA",
    "ecdsa": "ECDHE+aECDSA",
}


class _SameAsHost:
    """The default of `sni`: take the name from the host."""


_SAME_AS_HOST: Final = _SameAsHost()


@dataclass(frozen=True)
class HandshakeResult:
    """What a handshake came to; give it as `resume` to try to resume its session."""

    cert_der: bytes
    version: str
    cipher: str
    session_reused: bool
    alpn: str | None
    context: ssl.SSLContext = field(repr=False)
    session: ssl.SSLSession | None = field(repr=False)

    @property
    def sha256(self) -> str:
        """Lower case hex SHA-256 of the server certificate's DER."""
        return hashlib.sha256(self.cert_der).hexdigest()

    @property
    def subject_cn(self) -> str:
        """The server certificate's common name."""
        subject = x509.load_der_x509_certificate(self.cert_der).subject
        return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@dataclass(frozen=True)
class Response:
    """An HTTP response; `tls` tells of the connection it came over."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    tls: HandshakeResult | None = None

    @property
    def text(self) -> str:
        """Give the body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)

    def header(self, wanted: str) -> str | None:
        """Give the first header of a name, whatever its case."""
        return next(iter(self.values(wanted)), None)

    def values(self, wanted: str) -> list[str]:
        """Give all headers of a name, whatever its case."""
        return [value for name, value in self.headers if name.lower() == wanted.lower()]


def client_context(
    *,
    auth: Auth = "any",
    ciphers: str | None = None,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
    client: Identity | None = None,
    ca: str | None = None,
    alpn: Sequence[str] = (),
    tickets: bool = True,
) -> ssl.SSLContext:
    """Make a client's context; it verifies only when given `ca` (PEM).

    `auth` makes a client that can verify only RSA or only ECDSA signatures. The library
    cannot choose signature algorithms, so such a client speaks TLS 1.2, where the cipher
    suite decides; `raw_handshake(version='1.3')` shows the same over TLS 1.3. Without
    `tickets` servers keep its sessions of TLS 1.2 themselves, by their ids.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = ca is not None
    context.verify_mode = ssl.CERT_NONE if ca is None else ssl.CERT_REQUIRED
    if ca is not None:
        context.load_verify_locations(cadata=ca)
    if auth != "any":
        maximum = maximum or ssl.TLSVersion.TLSv1_2
        ciphers = ciphers or _CIPHERS[auth]
    if ciphers is not None:
        context.set_ciphers(ciphers)
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    if client is not None:
        load_identity(context, client)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def handshake(
    port: int,
    server_name: str | None,
    *,
    auth: Auth = "any",
    ciphers: str | None = None,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
    client: Identity | None = None,
    alpn: Sequence[str] = (),
    tickets: bool = True,
    resume: HandshakeResult | None = None,
    keep_session: bool = False,
) -> HandshakeResult:
    """Shake hands with 127.0.0.1 without verifying; `server_name` None sends no SNI.

    The name is sent as given, upper case included, but the library refuses a leading dot,
    empty labels and labels over 63 bytes: use `raw_handshake` for those. `resume` takes the
    earlier result's context too, so other options are ignored with it. `keep_session` waits
    until the session can be resumed, which is after the handshake.
    """
    context = resume.context if resume else None
    context = context or client_context(
        auth=auth,
        ciphers=ciphers,
        minimum=minimum,
        maximum=maximum,
        client=client,
        alpn=alpn,
        tickets=tickets,
    )
    with _connected(port) as plain, _secured(plain, context, server_name, resume) as secured:
        if keep_session:
            _await_ticket(secured)
        result = _result(secured)
        if keep_session:
            _await_end(secured)
        return result


def https_request(
    port: int,
    host: str,
    path: str | bytes = "/",
    *,
    method: str = "GET",
    sni: str | _SameAsHost | None = _SAME_AS_HOST,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    ca: str | None = None,
    client: Identity | None = None,
    context: ssl.SSLContext | None = None,
    resume: HandshakeResult | None = None,
    tls: bool = True,
) -> Response:
    """Make one HTTP/1.1 request to 127.0.0.1 and close.

    `path` is the request target, sent byte for byte. SNI is the host without its port,
    unless `sni` says otherwise (None: none). `headers` replace `Host` and `Connection`.
    `resume` takes the earlier result's context too.
    """
    request = _request_bytes(method, path, host, headers, body)
    with _connected(port) as plain:
        if not tls:
            return _exchange(plain, request, method, None)
        context = resume.context if resume else context
        context = context or client_context(ca=ca, client=client)
        name = host.rpartition(":")[0] or host if isinstance(sni, _SameAsHost) else sni
        with _secured(plain, context, name, resume) as secured:
            return _exchange(secured, request, method, _result(secured))


def spellings(names: Iterable[str]) -> set[str]:
    """Give names that programs behind WSGI or CGI cannot tell from these."""
    some = {name.replace("-", "_", count) for name in names for count in range(5)}
    return some | {name[::-1].replace("-", "_", 1)[::-1] for name in names}


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)


@contextlib.contextmanager
def _secured(
    plain: socket.socket,
    context: ssl.SSLContext,
    server_name: str | None,
    resume: HandshakeResult | None,
) -> Iterator[ssl.SSLSocket]:
    session = resume.session if resume else None
    with context.wrap_socket(
        plain,
        server_hostname=server_name,
        do_handshake_on_connect=False,
        session=session,
    ) as secured:
        secured.do_handshake()
        yield secured


def _await_ticket(secured: ssl.SSLSocket) -> None:
    secured.settimeout(0.02)
    for _ in range(50):
        if secured.version() != "TLSv1.3" or (secured.session and secured.session.has_ticket):
            break
        with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
            if not secured.recv(1):
                break
    secured.settimeout(_TIMEOUT)


def _await_end(secured: ssl.SSLSocket) -> None:
    # Over TLS 1.2 a worker puts the session into the shared cache only after its last
    # message is out: the next connection could ask another worker for it before that.
    with contextlib.suppress(OSError):
        secured.unwrap()


def _result(secured: ssl.SSLSocket) -> HandshakeResult:
    der, cipher = secured.getpeercert(binary_form=True), secured.cipher()
    assert der is not None
    assert cipher is not None
    return HandshakeResult(
        cert_der=der,
        version=str(secured.version()),
        cipher=cipher[0],
        session_reused=bool(secured.session_reused),
        alpn=secured.selected_alpn_protocol(),
        context=secured.context,
        session=secured.session,
    )


def _request_bytes(
    method: str,
    path: str | bytes,
    host: str,
    headers: Mapping[str, str] | Sequence[tuple[str, str]],
    body: bytes,
) -> bytes:
    given = list(headers.items()) if hasattr(headers, "items") else list(headers)
    present = {name.lower() for name, _ in given}
    defaults = [("Host", host), ("Connection", "close")]
    if body:
        defaults.append(("Content-Length", str(len(body))))
    lines = [(n, v) for n, v in defaults if n.lower() not in present] + given
    target = path if isinstance(path, bytes) else path.encode()
    head = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in lines)
    return method.encode() + b" " + target + b" HTTP/1.1\r\n" + head + b"\r\n" + body


def _exchange(
    connection: socket.socket, request: bytes, method: str, tls: HandshakeResult | None
) -> Response:
    connection.sendall(request)
    received = bytearray()
    # A server that ends without close_notify has still said all that its framing promised.
    with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
        while more := connection.recv(65536):
            received += more
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/"):
        raise AssertionError(f"no HTTP response: {bytes(received)!r}")
    _, status, reason = (*first.split(" ", 2), "", "")[:3]
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in rest)]
    response = Response(int(status), reason, headers, body, tls)
    if "chunked" in (response.header("transfer-encoding") or "") and method != "HEAD":
        return Response(response.status, reason, headers, _unchunked(body), tls)
    return response


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        whole, body = whole + body[:length], body[length + 2 :]
    return whole
