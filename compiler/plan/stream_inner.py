"""Addresses for the servers that only the gateway itself connects to."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.settings import Listener

_FALLBACK_FIRST, _FALLBACK_COUNT = 20_000, 10_000


class InnerAddresses:
    """Gives each inner server an address of its own in 127.0.0.0/8.

    A unix socket would be looked for where nginx was started, not in the tree. The port is one
    that the gateway listens on in any case, the address a digest of all that it listens on: two
    gateways of one machine never meet, and the same input gives the same addresses.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._seed = "|".join(sorted(f"{x.address} {x.udp}" for x in listeners))
        self._ports = {udp: _port(listeners, self._seed, udp=udp) for udp in (False, True)}
        self._taken: set[str] = set()

    def address(self, identity: str, *, udp: bool) -> str:
        """Return the address and port for the server called *identity*."""
        for attempt in range(1000):
            digest = sha256(f"{self._seed}|{identity}|{udp}|{attempt}".encode()).digest()
            # Not 127.0.x: other programs of the machine have theirs there.
            host = f"127.{64 + digest[0] % 128}.{digest[1]}.{1 + digest[2] % 254}"
            found = f"{host}:{self._ports[udp]}"
            if found not in self._taken:
                self._taken.add(found)
                return found
        raise RuntimeError("no address is free")


def _port(listeners: Sequence[Listener], seed: str, *, udp: bool) -> int:
    """Return a port that is the gateway's own on every IPv4 address.

    A socket for IPv6 that takes IPv4 too would be in the way of a second one on its port.
    """
    double = {x.port for x in listeners if x.ip.startswith("[") and x.ipv6only is False}
    own = sorted(x.port for x in listeners if x.udp == udp and x.port not in double)
    if own:
        return own[0]
    return _FALLBACK_FIRST + int.from_bytes(sha256(seed.encode()).digest()[:4]) % _FALLBACK_COUNT
