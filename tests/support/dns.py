"""A name server for tests: it answers A for the names it was given and NXDOMAIN for all others."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_A, _IN, _TTL = 1, 1, 1


@dataclass
class NameServer:
    """A name server on 127.0.0.1; `names` may be changed while it runs."""

    port: int
    names: dict[str, Sequence[str]]
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def name_server(names: Mapping[str, Sequence[str]] | None = None) -> Iterator[NameServer]:
    """Serve DNS over UDP within the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        state = NameServer(server.getsockname()[1], dict(names or {}))
        thread = threading.Thread(target=_serve, args=(server, state))
        thread.start()
        try:
            yield state
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as goodbye:
                goodbye.sendto(b"", ("127.0.0.1", state.port))
            thread.join()


def _serve(server: socket.socket, state: NameServer) -> None:
    while True:
        query, peer = server.recvfrom(4096)
        if not query:
            return
        if len(query) > 16:
            server.sendto(_answer(query, state), peer)


def _answer(query: bytes, state: NameServer) -> bytes:
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    question = query[12 : at + 5]
    (kind,) = struct.unpack("!H", question[-4:-2])
    name = ".".join(labels).lower()
    state.asked.append(name)
    known = name in state.names
    addresses = list(state.names.get(name, ())) if kind == _A else []
    flags = 0x8580 if known else 0x8583
    records = b"".join(
        struct.pack("!HHHIH", 0xC00C, _A, _IN, _TTL, 4) + ipaddress.IPv4Address(address).packed
        for address in addresses
    )
    return query[:2] + struct.pack("!5H", flags, 1, len(addresses), 0, 0) + question + records
