"""How flavor traditional compares hosts: its rules for ports are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.router.patterns import split_host_port

if TYPE_CHECKING:
    from compiler.router.patterns import HostPattern
    from compiler.router.request import Request


def host_matches(pattern: HostPattern, request: Request) -> bool:
    """Whether the Host header of *request* is what *pattern* means.

    A plain host with a port wants that port in the header. A wildcard is content with the
    scheme's default; the port of the connection never counts.
    """
    if request.host is None:
        return False
    name, port = split_host_port(request.host.lower().removesuffix(":"))
    if pattern.kind == "exact":
        return name == pattern.text and pattern.port in {None, port}
    default = 443 if request.scheme == "https" else 80
    given = default if port is None else port
    if pattern.port is not None and pattern.port != given:
        return False
    if pattern.kind == "suffix":
        return name.endswith(pattern.text) and len(name) > len(pattern.text)
    # The asterisk covers at least one character, were it that of the port.
    return f"{name}:{given}".startswith(pattern.text)
