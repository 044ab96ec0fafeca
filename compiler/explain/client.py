"""Who is let in by the route that matches, as far as the request alone tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.access import Access
    from compiler.model.entities import Route
    from compiler.router.request import Request


def client_refusal(request: Request, route: Route, access: Access) -> tuple[int, str] | None:
    """Return how *request* is refused whatever certificate is shown, and why; None if it isn't."""
    auth = access.certificate
    if auth is None or auth.anonymous is not None:
        return None
    if not request.is_tls:
        return 401, f"route {route.label} wants a client's certificate, and there is no TLS"
    if route.snis:
        return None
    host = (request.host_name or "").removesuffix(".")
    if (request.sni or "").removesuffix(".").lower() != host:
        meant = f"for {request.sni}" if request.sni else "without a server name"
        return 421, f"a certificate shown {meant} does not count for {host}"
    return None
