"""What the attributes of a route compare: hosts, server names, headers, addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Flavor = Literal["traditional_compatible", "traditional", "expressions"]
"""Values of `router_flavor`."""

NamePatternKind = Literal["exact", "prefix", "suffix"]
"""How a name is compared: as a whole, its beginning (``x.*``) or its end (``*.x``)."""

# A trailing dot does no harm to a number of Lua's.
_PORT = re.compile(r"([0-9]{1,9})\.?")
_REGEX_MARK = "~*"


@dataclass(frozen=True, slots=True, order=True)
class HostPattern:
    """A host, lower-cased and without its asterisk; *port* if the route names one."""

    kind: NamePatternKind
    text: str
    port: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it has no wildcard."""
        return self.kind == "exact"


@dataclass(frozen=True, slots=True, order=True)
class SniPattern:
    """A server name of TLS, lower-cased, without its asterisk and its trailing dot."""

    kind: NamePatternKind
    text: str


@dataclass(frozen=True, slots=True, order=True)
class HeaderCondition:
    """One header and the values of which one must be there.

    *name* is lower-cased; for all flavors but traditional ``-`` has become ``_``, and a header of
    a request is asked for under both spellings. *values* are lower-cased and compared with the
    lower-cased value; so are *regexes*, which find their match anywhere in it.

    Only expressions ask for more: *case_matters* compares values as they came, *every* wants all
    values of a repeated header to match (and one to be there).
    """

    name: str
    values: tuple[str, ...]
    regexes: tuple[str, ...] = ()
    case_matters: bool = False
    every: bool = False


@dataclass(frozen=True, slots=True)
class PeerPattern:
    """One entry of `sources` or `destinations`; what is None matches all."""

    network: IPv4Network | IPv6Network | None
    port: int | None

    def matches(self, address: str | None, port: int | None) -> bool:
        """Whether the end of a connection at *address* and *port* is meant."""
        if self.port is not None and self.port != port:
            return False
        if self.network is None:
            return True
        return address is not None and ip_address(address) in self.network


def host_pattern(text: str) -> HostPattern:
    """Return the pattern that an entry of `hosts` means."""
    name, port = split_host_port(text.lower())
    if name.startswith("*"):
        return HostPattern("suffix", name[1:], port)
    if name.endswith("*"):
        return HostPattern("prefix", name[:-1], port)
    return HostPattern("exact", name, port)


def split_host_port(text: str) -> tuple[str, int | None]:
    """Split ``host:port`` at the first colon; without a numeric port all of it is the host."""
    name, _, port = text.partition(":")
    found = _PORT.fullmatch(port)
    return (text, None) if found is None else (name, int(found[1]))


def sni_pattern(text: str, flavor: Flavor) -> SniPattern:
    """Return the pattern that an entry of `snis` means; flavor traditional has no wildcards."""
    name = text.lower()
    if flavor == "traditional":
        return SniPattern("exact", name.removesuffix(".") if len(name) > 1 else name)
    if name.endswith("*") and not name.startswith("*"):
        return SniPattern("prefix", name[:-1])
    if len(name) > 1:
        name = name.removesuffix(".")
    if name.startswith("*"):
        return SniPattern("suffix", name[1:])
    return SniPattern("exact", name)


def header_condition(name: str, values: Sequence[str], flavor: Flavor) -> HeaderCondition:
    """Return the condition that an entry of `headers` means."""
    if flavor == "traditional":
        return _traditional_header(name, values)
    return HeaderCondition(
        fold_header_name(name),
        tuple(ascii_lower(value) for value in values if not value.startswith(_REGEX_MARK)),
        tuple(ascii_lower(value[2:]) for value in values if value.startswith(_REGEX_MARK)),
    )


def fold_header_name(name: str) -> str:
    """Return *name* as the router of all flavors but traditional writes it."""
    return name.lower().replace("-", "_")


def ascii_lower(text: str) -> str:
    """Lower the letters of ASCII only, as Kong does where it reads a route.

    Flavor traditional treats requests the same way. The others lower all letters of those, so
    that values of routes with other letters in upper case never match.
    """
    return "".join(c.lower() if c.isascii() else c for c in text)


def _traditional_header(name: str, values: Sequence[str]) -> HeaderCondition:
    """Only a lone value is a regular expression there; letter case of the pattern counts."""
    plain = tuple(map(ascii_lower, values))
    if len(values) == 1 and values[0].startswith(_REGEX_MARK):
        return HeaderCondition(name.lower(), plain, (values[0][2:],))
    return HeaderCondition(name.lower(), plain)


def peer_pattern(entry: Mapping[str, Any]) -> PeerPattern:
    """Return the pattern that an entry of `sources` or `destinations` means."""
    address = entry.get("ip")
    network = None if address is None else ip_network(address, strict=False)
    return PeerPattern(network, entry.get("port"))
