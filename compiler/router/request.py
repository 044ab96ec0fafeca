"""A request or a connection, as Kong's router sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.router.patterns import split_host_port
from compiler.router.uri import normalized_path

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What routes are matched with; bytes that are no UTF-8 are lone surrogates.

    *scheme* is ``http`` or ``https``, or for a connection ``tcp``, ``tls`` or ``udp``. *host* is
    the Host header as it came, *target* the request target, *sni* the server name that the
    client sent, *port* the port of the connection (the scheme's if None).
    """

    scheme: Literal["http", "https", "tcp", "tls", "udp"]
    method: str = "GET"
    host: str | None = None
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    sni: str | None = None
    port: int | None = None
    destination: str | None = None
    source: str | None = None
    source_port: int | None = None

    @property
    def subsystem(self) -> Literal["http", "stream"]:
        """Which of nginx's subsystems received it."""
        return "http" if self.scheme in {"http", "https"} else "stream"

    @property
    def is_tls(self) -> bool:
        """Whether it came over TLS."""
        return self.scheme in {"https", "tls"}

    @property
    def path(self) -> str:
        """The path that routes are compared with."""
        return normalized_path(self.target)

    @property
    def host_name(self) -> str | None:
        """The Host header without its port, lower-cased."""
        return None if self.host is None else split_host_port(self.host.lower())[0]

    @property
    def host_port(self) -> int | None:
        """The port that the Host header names, else that of the connection."""
        named = None if self.host is None else split_host_port(self.host)[1]
        if named is not None:
            return named
        return _DEFAULT_PORTS.get(self.scheme) if self.port is None else self.port

    def header(self, name: str) -> tuple[str, ...]:
        """Return the values of a header; ``_`` in *name* stands for ``-`` if need be."""
        for spelling in (name, name.replace("_", "-")):
            values = tuple(value for key, value in self.headers if key.lower() == spelling)
            if values:
                return values
        return ()
