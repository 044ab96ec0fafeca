"""Who is let in by the route that matches, as far as the request alone tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.explain.trust import is_trusted
from compiler.plan.server_names import handshake_of, is_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.access import Access, CertificateAuth, Handshake
    from compiler.model.config import Config
    from compiler.model.entities import Route
    from compiler.router.request import Request

Verdict = tuple[int, str]
"""A status, and why."""


def client_refusal(
    request: Request, route: Route, access: Access, config: Config
) -> Verdict | None:
    """Return how *request* is refused whatever certificate is shown, and why; None if it isn't."""
    if access.certificate is not None:
        return _handshake_refusal(request, route, access.certificate)
    if access.header_certificate is not None:
        return _header_refusal(request, access.header_certificate, config)
    return None


def misdirected(request: Request, handshakes: Sequence[Handshake]) -> Verdict | None:
    """Return how nginx itself refuses *request*; None if it does not.

    It serves no other host of a server that asks for certificates on a connection that was made
    for a name it knows, whatever the host's routes ask.
    """
    host = _host(request)
    sni = _plain(request.sni)
    if not request.is_tls or not sni or sni == host or not is_named(sni, handshakes):
        return None
    wanted = handshake_of(host, handshakes)
    if wanted is None or not wanted.asks:
        return None
    return 421, f"clients of {host} are asked for certificates in handshakes of their own"


def _handshake_refusal(request: Request, route: Route, auth: CertificateAuth) -> Verdict | None:
    if auth.anonymous is not None:
        return None
    if not request.is_tls:
        return 401, f"route {route.label} wants a client's certificate, and there is no TLS"
    if route.snis:
        return None
    host = _host(request)
    if _plain(request.sni) != host:
        meant = f"for {request.sni}" if request.sni else "without a server name"
        return 421, f"a certificate shown {meant} does not count for {host}"
    return None


def _header_refusal(request: Request, auth: CertificateAuth, config: Config) -> Verdict | None:
    if auth.anonymous is not None:
        return None
    name = auth.plugin.config["certificate_header_name"]
    if not any(request.header(name.lower().replace("-", "_"))):
        return 401, f"a client's certificate has to be in the header {name}"
    from_anyone = not auth.plugin.config["secure_source"]
    if from_anyone or request.source is None:
        return None
    if not is_trusted(request.source, config.settings.items("trusted_ips")):
        return 401, f"{name} counts from trusted_ips alone, and {request.source} is none of them"
    return None


def _host(request: Request) -> str:
    return _plain(request.host_name)


def _plain(name: str | None) -> str:
    return (name or "").removesuffix(".").lower()
