"""Addresses as Kong spells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_IPV4 = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?::([0-9]+))?\Z")
_IPV6 = re.compile(r"\[([^\[\]]*)\](?::([0-9]+))?\Z")
_NAME = re.compile(r"(.+):([0-9]+)\Z", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9._*-]+\Z")
_CIDR = re.compile(r"(.+)/(0|[1-9][0-9]{0,2})\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A host, IPv6 in brackets and written out in full, and a port or None."""

    host: str
    port: int | None
    is_ip: bool = True


def parse_address(text: str) -> Address | None:
    """Read `ip`, `ip:port`, `[ipv6]`, `[ipv6]:port` or `name:port`; None if it is none of them.

    Leading zeros in IPv4 addresses and in ports count for nothing, as in Kong.
    """
    if text.count(":") > 1:
        return _parse_ipv6(text)
    if not text.replace(":", "").strip("0123456789."):
        return _parse_ipv4(text)
    found = _NAME.match(text)
    if found is None or not _HOST.match(found[1]):
        return None
    port = _port(found[2])
    return None if port is None else Address(found[1], port, is_ip=False)


def is_ip_or_cidr(text: str) -> bool:
    """Tell whether *text* is an IP address or a block of them, IPv6 in brackets or not."""
    found = _CIDR.match(text)
    host = found[1] if found else text
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    return found is None or int(found[2]) <= address.max_prefixlen


def _parse_ipv4(text: str) -> Address | None:
    found = _IPV4.match(text)
    if found is None:
        return None
    octets = [int(part) for part in found.groups()[:4]]
    if max(octets) > 255:
        return None
    host = ".".join(str(octet) for octet in octets)
    return _with_port(host, found[5])


def _parse_ipv6(text: str) -> Address | None:
    found = _IPV6.match(text)
    host, port = found.groups() if found else (text, None)
    try:
        address = IPv6Address(host)
    except ValueError:
        return None
    if address.scope_id or "." in host:
        return None
    return _with_port(f"[{address.exploded}]", port)


def _with_port(host: str, port: str | None) -> Address | None:
    if port is None:
        return Address(host, None)
    number = _port(port)
    return None if number is None else Address(host, number)


def _port(digits: str) -> int | None:
    digits = digits.lstrip("0")
    return int(digits) if 0 < len(digits) <= 5 and int(digits) <= 65535 else None
