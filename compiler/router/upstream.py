"""What an upstream is sent, or a client is answered, once a route has matched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.router.uri import join_v0, join_v1, sanitize_postfix

if TYPE_CHECKING:
    from compiler.model.entities import Service
    from compiler.router.match import Match
    from compiler.router.request import Request

_DEFAULT_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443, "ws": 80, "wss": 443}
_PORT = re.compile(r":[0-9]*\Z")
_UPGRADE_REQUIRED = 426


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer of the router itself; *location* if it redirects."""

    status: int
    location: str | None = None


def stripped_prefix(match: Match) -> str | None:
    """Return what is taken off the path (Kong's X-Forwarded-Prefix), or None."""
    return match.path if match.candidate.route.strip_path else None


def upstream_uri(match: Match, service: Service, request: Request) -> str:
    """Return the path that the upstream of *service* gets, before it is escaped."""
    route = match.candidate.route
    path = request.path
    prefix = stripped_prefix(match)
    postfix = sanitize_postfix(path[1:] if prefix is None else path[len(prefix) :])
    base = service.path or "/"
    if match.candidate.flavor == "traditional" and route.path_handling == "v1":
        return join_v1(base, postfix, path, strip=route.strip_path)
    return join_v0(base, postfix, path, strip=route.strip_path)


def upstream_host(
    match: Match, service: Service, request: Request, host_header: str | None = None
) -> str:
    """Return the Host header that the upstream gets; *host_header* is that of an upstream entity.

    For connections it is the server name that TLS to the upstream asks for.
    """
    client = request.host if request.subsystem == "http" else request.sni
    if client is None and match.candidate.flavor == "traditional":
        client = ""
    if match.candidate.route.preserve_host and client is not None:
        return client
    if host_header is not None:
        return host_header
    if service.port == _DEFAULT_PORTS.get(service.protocol):
        return service.host
    return f"{service.host}:{service.port}"


def outcome(match: Match, request: Request) -> Outcome | None:
    """Return how the router answers by itself: HTTPS is wanted and the request came without."""
    route = match.candidate.route
    if request.scheme != "http" or tuple(route.protocols) != ("https",):
        return None
    status = route.https_redirect_status_code
    if status == _UPGRADE_REQUIRED:
        return Outcome(status)
    return Outcome(status, f"https://{_forwarded_host(request)}{request.target}")


def _forwarded_host(request: Request) -> str:
    """Return the host as nginx's $host has it: without its port, lower-cased."""
    return _PORT.sub("", (request.host or "").lower()).removesuffix(".")
