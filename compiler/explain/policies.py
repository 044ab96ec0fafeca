"""What plugins answer a request with before it is passed on, as far as the request alone tells."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import unquote

from compiler.explain.client import Verdict, client_refusal
from compiler.explain.trust import client_address

if TYPE_CHECKING:
    from compiler.model.access import Access, AddressRestriction, Termination
    from compiler.model.config import Config
    from compiler.model.entities import Route
    from compiler.router.request import Request


def decided(request: Request, route: Route, access: Access, config: Config) -> Verdict | None:
    """Return how *request* is answered by plugins of *route*, in their order; None if it isn't."""
    return (
        _preflight(request, access)
        or client_refusal(request, route, access, config)
        or _address(request, access.addresses, config)
        or _groups(route, access)
        or _termination(request, access.termination)
    )


def _preflight(request: Request, access: Access) -> Verdict | None:
    rules = access.cross_origin
    if rules is None or not rules.answers_preflights or request.method != "OPTIONS":
        return None
    asks = all(any(request.header(n)) for n in ("origin", "access-control-request-method"))
    return (200, "plugin cors answers whether a page may make such a request") if asks else None


def _address(request: Request, asks: AddressRestriction | None, config: Config) -> Verdict | None:
    address = None if asks is None else client_address(request, config.settings)
    if asks is None or address is None or _is_allowed(address, asks):
        return None
    return asks.status, f"plugin ip-restriction lets nobody in from {address}"


def _is_allowed(text: str, asks: AddressRestriction) -> bool:
    address = ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    rows = [(ip_network(n), True) for n in asks.allow] + [(ip_network(n), False) for n in asks.deny]
    found = [(n.prefixlen, allowed) for n, allowed in rows if (mapped or address) in n]
    return max(found, default=(0, asks.allows_others))[1]


def _groups(route: Route, access: Access) -> Verdict | None:
    if access.groups is None or access.authentications:
        return None
    return 401, f"plugin acl wants to know who asks, which no plugin of route {route.label} tells"


def _termination(request: Request, ends: Termination | None) -> Verdict | None:
    if ends is None or not (ends.trigger is None or _has(request, ends.trigger)):
        return None
    return ends.status, "plugin request-termination answers in place of a service"


def _has(request: Request, name: str) -> bool:
    if any(request.header(name.lower().replace("-", "_"))):
        return True
    query = request.target.partition("?")[2]
    return any(unquote(part.partition("=")[0]) == name for part in query.split("&"))
