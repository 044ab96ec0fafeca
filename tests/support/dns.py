"""A name server for tests: A and SRV for the names it was given, and NXDOMAIN for all others."""

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

_A, _AAAA, _SRV, _IN = 1, 28, 33, 1


@dataclass(frozen=True)
class Srv:
    """An SRV record."""

    target: str
    port: int
    weight: int = 1
    priority: int = 0


@dataclass
class NameServer:
    """A name server on 127.0.0.1; `names` and `services` may be changed while it runs.

    `names` holds addresses of both families; `queries` are names with the types asked for.
    """

    port: int
    names: dict[str, Sequence[str]]
    services: dict[str, Sequence[Srv]]
    ttl: int = 1
    asked: list[str] = field(default_factory=list)
    queries: list[tuple[str, int]] = field(default_factory=list)

    def types_asked(self, name: str) -> set[str]:
        """Give the types of records that were asked for."""
        known = {_A: "A", _AAAA: "AAAA", _SRV: "SRV"}
        return {known.get(kind, str(kind)) for asked, kind in self.queries if asked == name}


@contextlib.contextmanager
def name_server(
    names: Mapping[str, Sequence[str]] | None = None,
    services: Mapping[str, Sequence[Srv]] | None = None,
    *,
    ttl: int = 1,
) -> Iterator[NameServer]:
    """Serve DNS over UDP within the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        state = NameServer(server.getsockname()[1], dict(names or {}), dict(services or {}), ttl)
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
    state.queries.append((name, kind))
    records = _records(name, kind, state)
    known = name in state.names or name in state.services
    flags = 0x8580 if known else 0x8583
    head = query[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0)
    return head + question + b"".join(records)


def _records(name: str, kind: int, state: NameServer) -> list[bytes]:
    if kind == _SRV:
        data = [_srv(found) for found in state.services.get(name, ())]
    else:
        wanted = {_A: 4, _AAAA: 6}.get(kind)
        found = map(ipaddress.ip_address, state.names.get(name, ()))
        data = [address.packed for address in found if address.version == wanted]
    return [struct.pack("!HHHIH", 0xC00C, kind, _IN, state.ttl, len(each)) + each for each in data]


def _srv(found: Srv) -> bytes:
    labels = b"".join(bytes([len(x)]) + x.encode() for x in found.target.split("."))
    return struct.pack("!3H", found.priority, found.weight, found.port) + labels + b"\0"
