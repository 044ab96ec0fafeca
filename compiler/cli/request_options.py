"""A request from the words of the command line, in the manner of curl."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

from compiler.cli.failures import UsageError
from compiler.cli.show import printable
from compiler.plan.destinations import is_address
from compiler.router.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

_METHOD = re.compile(r"[A-Z_-]+")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>.*)", re.DOTALL
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]\s]+)(?::(?P<port>[0-9]{1,5}))?")
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")
_HEADER = re.compile(r"(?P<name>[A-Za-z0-9_-]+)\s*(?:(?P<empty>;)\s*|:(?P<value>.*))", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SCHEMES: dict[str, tuple[Literal["http", "https"], int]] = {
    "http": ("http", 80),
    "https": ("https", 443),
}
_STREAMS = frozenset({"tcp", "tls", "udp"})


def request_of(
    method: str, url: str, headers: Sequence[str], sni: str | None, client_ip: str | None
) -> Request:
    """Return the request that is meant, as a client would send it.

    :raises UsageError: if something is not understood; it says what is expected
    """
    _check_method(method)
    scheme, host, port, target = _parts(url)
    given = [_header(text) for text in headers]
    hosts = [value for name, value in given if name.lower() == "host"]
    if len(hosts) > 1:
        raise UsageError("-H: Host is given twice, which nginx refuses")
    default_port = _SCHEMES[scheme][1]
    own_host = host if port in {None, default_port} else f"{host}:{port}"
    return Request(
        scheme=scheme,
        method=method,
        host=hosts[0] if hosts else own_host,
        target=target,
        headers=tuple(
            (name, value) for name, value in given if value is not None and name.lower() != "host"
        ),
        sni=_server_name(sni, scheme, host),
        port=port or default_port,
        source=_client_ip(client_ip),
    )


def _check_method(method: str) -> None:
    if _METHOD.fullmatch(method) is None:
        hint = f"; did you mean {method.upper()}?" if _METHOD.fullmatch(method.upper()) else ""
        raise UsageError(
            printable(f"METHOD: {method!r} is none, write capitals as in GET or POST{hint}")
        )
    if method == "CONNECT":
        raise UsageError("METHOD: CONNECT asks for a tunnel, which has no URL")


def _parts(url: str) -> tuple[Literal["http", "https"], str, int | None, str]:
    """Return scheme, host, port and request target, the last just as it is written."""
    found = _URL.fullmatch(url)
    scheme = "" if found is None else found["scheme"].lower()
    if scheme in _STREAMS:
        raise UsageError(
            f"URL: {scheme}:// is a connection, and connections cannot be explained yet;"
            " requests begin with http:// or https://"
        )
    if found is None or scheme not in _SCHEMES:
        raise UsageError(
            printable(
                f"URL: {url!r} is no URL of a request, as https://api.example.com/orders?id=1"
            )
        )
    if _UNSENDABLE.search(url):
        raise UsageError("URL: holds a space or a control character; write %20 for a space")
    if "#" in found["target"]:
        raise UsageError(
            "URL: a fragment (what begins with #) is never sent; leave it out, or write %23"
        )
    host, port = _authority(found["authority"])
    target = found["target"]
    return _SCHEMES[scheme][0], host, port, target if target.startswith("/") else f"/{target}"


def _authority(text: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(text)
    if found is None or not 0 < int(found["port"] or 1) < 65536:
        raise UsageError(
            printable(f"URL: {text!r} is no host with or without a port, as api.example.com:8443")
        )
    return as_sent(found["host"]), None if found["port"] is None else int(found["port"])


def _header(text: str) -> tuple[str, str | None]:
    """Return a header's name and value; None for one that is not to be sent (`Name:`)."""
    found = _HEADER.fullmatch(text)
    if found is None or _CONTROLS.search(text):
        raise UsageError(
            printable(
                f"-H: {text!r} is no header: write 'Name: value', or 'Name;' for an empty one;"
                " nginx knows names of letters, digits, - and _"
            )
        )
    if found["empty"]:
        return found["name"], ""
    return found["name"], found["value"].strip() or None


def _server_name(sni: str | None, scheme: str, host: str) -> str | None:
    if scheme != "https":
        if sni:
            raise UsageError("--sni: http:// is without TLS, so no server name is sent")
        return None
    name = host if sni is None else as_sent(sni)
    # Clients send no address as server name, and no dot at its end.
    return None if not name or is_address(name) else name.removesuffix(".")


def _client_ip(text: str | None) -> str | None:
    try:
        return None if text is None else str(ip_address(text))
    except ValueError:
        raise UsageError(
            printable(f"--client-ip: {text!r} is no address, as 192.0.2.1 or 2001:db8::1")
        ) from None


def as_sent(name: str) -> str:
    """Return a name as clients send it: international ones in their ASCII form."""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name
