"""Host names and addresses, accepted and refused as Kong does."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

_NAME = re.compile(r"[0-9A-Za-z._-]+")
_PORT = re.compile(r":([0-9]+)\Z")
_DIGITS_AND_DOTS = re.compile(r"[0-9.]+")
_IPV4 = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?::([0-9]+))?")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::([0-9]*))?")
_GROUPS = re.compile(r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}")


class HostPort(NamedTuple):
    """A host, what it is (`name`, `ipv4`, `ipv6`) and its port, if it has one."""

    host: str
    type: str
    port: int | None


class BadHostError(ValueError):
    """The text is no host; the message says why, `bad_port` if only its port is wrong."""

    def __init__(self, message: str, *, bad_port: bool = False) -> None:
        super().__init__(message)
        self.bad_port = bad_port


def parse_host(text: str) -> HostPort:
    """Split *text* (``name``, ``1.2.3.4:80``, ``[::1]:80``, …). Raises BadHostError.

    What it is decides how it is read: more than one colon means IPv6, only digits and dots
    mean IPv4, everything else is a name.
    """
    if text.count(":") > 1:
        return _ipv6(text)
    if _DIGITS_AND_DOTS.fullmatch(text.replace(":", "")):
        return _ipv4(text)
    return _name(text)


def join_host(parsed: HostPort, default_port: int) -> str:
    """Return ``host:port`` with brackets around an IPv6 address."""
    host = f"[{parsed.host}]" if parsed.type == "ipv6" else parsed.host
    return f"{host}:{default_port if parsed.port is None else parsed.port}"


def _ipv4(text: str) -> HostPort:
    match = _IPV4.fullmatch(text)
    if match is None:
        raise BadHostError(f"{text!r} is not an IPv4 address")
    octets = [int(octet) for octet in match.groups()[:4]]
    if max(octets) > 255:
        raise BadHostError(f"{text!r} is not an IPv4 address")
    return HostPort(".".join(map(str, octets)), "ipv4", _port(match[5]))


def _ipv6(text: str) -> HostPort:
    match = _BRACKETED.fullmatch(text)
    inside, port = (match[1], match[2]) if match else (text, None)
    if match and match[2] == "":
        raise BadHostError(f"{text!r} has no port after its colon")
    try:
        # The library accepts 1.2.3.4 as the last part; Kong does not.
        address = IPv6Address(inside)
        valid = "." not in inside and "%" not in inside
    except (AddressValueError, ValueError):
        valid = False
    if not valid:
        raise BadHostError(f"{text!r} is not an IPv6 address")
    return HostPort(str(address), "ipv6", _port(port))


def _name(text: str) -> HostPort:
    match = _PORT.search(text)
    name = text[: match.start()] if match else text
    port = _port(match[1]) if match else None
    if not _NAME.fullmatch(name) or not _labels_are_valid(name):
        raise BadHostError(f"{text!r} is not a host name")
    return HostPort(name, "name", port)


def _labels_are_valid(name: str) -> bool:
    # A dot at the end is fine, an empty label elsewhere is not; nor is a dash before a dot.
    return not (name[0] == "." or ".." in name or "-." in name or name[-1] == "-")


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > 5 or int(digits) > 65535:
        raise BadHostError("the port is greater than 65535", bad_port=True)
    return int(digits)


def is_ip_or_cidr(text: str) -> bool:
    """Tell whether *text* is an address, perhaps with a prefix length; host bits may be set."""
    address, slash, prefix = text.partition("/")
    version = _ip_version(address)
    if version is None:
        return False
    if not slash:
        return True
    if not (prefix.isascii() and prefix.isdigit()) or (prefix[0] == "0" and prefix != "0"):
        return False
    return len(prefix) <= 3 and int(prefix) <= (32 if version == 4 else 128)


def _ip_version(text: str) -> int | None:
    for parse, version in ((IPv4Address, 4), (IPv6Address, 6)):
        try:
            parse(text)
        except ValueError:
            continue
        return None if "%" in text else version
    return None
