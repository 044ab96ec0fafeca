"""Clients, upstreams and gateways for connections that are passed on as they are."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from support import ports
from support.client import client_context
from support.gateway import gateway

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import FileContent, Gateway

_TIMEOUT = 10.0
_REQUEST = b"GET / HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n"

OTHERS_OFF = "proxy_listen = off\nssl_session_tickets = on\n"


@dataclass(frozen=True)
class Heard:
    """What came back: the upstream's echo, and the certificate that the client saw, if any."""

    echo: dict[str, Any]
    certificate: bytes | None

    @property
    def upstream(self) -> str:
        """The name of the upstream that answered."""
        return str(self.echo["upstream"])


def ask(
    port: int,
    name: str | None = None,
    *,
    tls: bool = False,
    to: str = "127.0.0.1",
    source: str | tuple[str, int] | None = None,
    proxy: str | None = None,
    context: ssl.SSLContext | None = None,
) -> Heard | None:
    """Speak to a gateway's port; None where it closes the connection without an answer.

    With `tls` (or a name) TLS is spoken, with the name as SNI. `source` is the client's address,
    perhaps with a port, `proxy` a line of PROXY protocol to begin with.
    """
    address = (source, 0) if isinstance(source, str) else source
    try:
        with socket.create_connection((to, port), _TIMEOUT, address) as plain:
            if proxy is not None:
                plain.sendall(proxy.encode() + b"\r\n")
            if not tls and name is None:
                return _exchange(plain, None)
            context = context or client_context()
            with context.wrap_socket(plain, server_hostname=name) as secured:
                return _exchange(secured, secured.getpeercert(binary_form=True))
    except (ConnectionError, ssl.SSLError):
        return None


def asked(port: int, name: str | None = None, **options: Any) -> str | None:
    """Name the upstream that answers, as `ask` asks."""
    heard = ask(port, name, **options)
    return None if heard is None else heard.upstream


def _exchange(connection: socket.socket, certificate: bytes | None) -> Heard | None:
    connection.sendall(_REQUEST)
    received = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while more := connection.recv(65536):
            received += more
    _, _, body = received.partition(b"\r\n\r\n")
    return Heard(json.loads(body), certificate) if body else None


def datagram(port: int, *, source: str = "127.0.0.1", patience: float = _TIMEOUT) -> str | None:
    """Send a datagram and give what comes back, None where nothing does within `patience`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((source, 0))
        client.settimeout(patience)
        client.sendto(b"ping", ("127.0.0.1", port))
        try:
            return client.recv(1000).decode()
        except TimeoutError:
            return None


@contextlib.contextmanager
def datagram_server(name: str) -> Iterator[int]:
    """Answer every datagram with a name within the block; gives the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        def serve() -> None:
            while True:
                data, peer = server.recvfrom(1000)
                if data == b"stop":
                    return
                server.sendto(name.encode(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as goodbye:
                goodbye.sendto(b"stop", ("127.0.0.1", port))
            thread.join()


@contextlib.contextmanager
def stream_gateway(
    engine: Engine,
    folder: Path,
    listen: str,
    entities: Mapping[str, Any],
    *,
    conf: str = "",
    files: Mapping[str, FileContent] | None = None,
    **options: Any,
) -> Iterator[Gateway]:
    """Serve `entities` on stream listeners alone within the block."""
    text = f"stream_listen = {listen}\nproxy_listen = off\nnginx_worker_processes = 1\n{conf}"
    given = {"kong.conf": text, "kong.yml": {"_format_version": "3.0", **entities}}
    args = ["--nginx", str(engine.binary), *options.pop("args", ())]
    with gateway(engine, folder, {**(files or {}), **given}, args=args, **options) as served:
        yield served


@contextlib.contextmanager
def free(count: int) -> Iterator[list[int]]:
    """Give ports that stay reserved within the block."""
    with ports.reserve(count) as found:
        yield found


def service(name: str, url: str, *routes: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Make a service with routes that are named after it where they have no name."""
    named = [
        {"name": name if index == 0 else f"{name}-{index}", **route}
        for index, route in enumerate(routes)
    ]
    return {"name": name, "url": url, "routes": named, **fields}
