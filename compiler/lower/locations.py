"""Answers to `location` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.urls import lower_rewrites
from compiler.model.layout import bundle_file, certificate_file, key_file
from compiler.model.nginx import Location, Simple, Source
from compiler.model.plan import NoRoute, NoService, Proxied
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.plan import Answer, PathAnswer, Plan, TlsPolicy

_NO_ROUTE = (Simple("return", (404, Expression("$no_route"))),)
_UPGRADE = (Simple("return", (426, Expression("$https_required"))),)
_NO_SERVICE = (Simple("return", (503, Expression("$no_service"))),)
_DEFAULT_TIMEOUT = 60_000
_DEFAULT_RETRIES = 5
_EXACT = Literal("=")


def lower_location(
    found: PathAnswer, plan: Plan, injected: tuple[Simple, ...], *, plain: bool
) -> Location:
    """Return the location for a path of a virtual host, with what is injected into all.

    *plain* tells whether requests may come without TLS, as far as the client is concerned.
    """
    answer = found.answer
    return Location(
        comment=_comment(answer),
        modifier=_EXACT if found.exact else None,
        path=Literal(found.path),
        remembered=_debug(answer, plan),
        https_only=_https_only(answer, plan) if plain else (),
        directives=_with_injected(_directives(answer, plan), injected),
        source=_source(answer),
    )


def _with_injected(own: tuple[Simple, ...], injected: tuple[Simple, ...]) -> tuple[Simple, ...]:
    """Add what is injected; what the service itself says wins, as in Kong."""
    if not injected:
        return own
    names = {directive.name for directive in own if directive.name.startswith("proxy_")}
    return (*own, *(directive for directive in injected if directive.name not in names))


def _comment(answer: Answer) -> str:
    match answer:
        case Proxied():
            stripped = answer.route.strip_path and answer.path not in (None, "/")
            way = f", without {answer.path}" if stripped else ""
            return f"route {answer.route.label} -> service {answer.service.label}{way}"
        case NoService():
            return f"route {answer.route.label} has no service"
        case NoRoute():
            return "no route"


def _source(answer: Answer) -> Source | None:
    if isinstance(answer, NoRoute):
        return None
    route = answer.route
    return Source("route", route.id, route.name, route.source)


def _directives(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    match answer:
        case Proxied():
            return _proxied(answer, plan)
        case NoService():
            return _NO_SERVICE
        case NoRoute():
            return _NO_ROUTE


def _proxied(answer: Proxied, plan: Plan) -> tuple[Simple, ...]:
    destination = answer.destination
    preserve = answer.route.preserve_host
    host = Expression("$http_host") if preserve else expression(destination.host_header)
    target: Expression | Literal
    if answer.group is not None:
        before: tuple[Simple, ...] = ()
        target = Literal(f"{destination.scheme}://{answer.group.name}")
    else:
        peer = destination.peers[0]
        before = (Simple("set", (Expression("$upstream_address"), expression(peer.address))),)
        target = Expression(f"{destination.scheme}://$upstream_address")
    return (
        Simple("set", (Expression("$upstream_host"), host)),
        *_stripped(answer),
        *before,
        *lower_rewrites(answer),
        *_tls(answer, plan.common_tls),
        *_tuning(answer),
        Simple("proxy_pass", (target,)),
    )


def _stripped(answer: Proxied) -> tuple[Simple, ...]:
    """Remember the path that is taken away, for X-Forwarded-Prefix."""
    if not answer.strips:
        return ()
    return (Simple("set", (Expression("$stripped_prefix"), expression(answer.path or ""))),)


def _debug(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Remember what matched, for the debug headers of whatever is answered."""
    if not plan.headers.debug or isinstance(answer, NoRoute):
        return ()
    values = {"route_id": answer.route.id, "route_name": answer.route.name or ""}
    if isinstance(answer, Proxied):
        values |= {"service_id": answer.service.id, "service_name": answer.service.name or ""}
    return tuple(
        Simple("set", (Expression(f"$kong_{name}"), expression(value)))
        for name, value in values.items()
    )


def _https_only(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Return what a plain request to an https route is told; nothing where plain HTTP is fine."""
    if isinstance(answer, NoRoute) or "http" in answer.route.protocols:
        return ()
    return send_away(answer.route.https_redirect_status_code, plan)


def send_away(status: int, plan: Plan) -> tuple[Simple, ...]:
    """Return the answer to a plain request that should have come over HTTPS."""
    if status == 426:
        return _UPGRADE
    host = "$forwarded_host" if plan.trusted_ips else "$host"
    return (Simple("return", (status, Expression(f"https://{host}$request_uri"))),)


def _tls(answer: Proxied, common: TlsPolicy | None) -> tuple[Simple, ...]:
    """Return what differs from the TLS that all locations share."""
    tls = answer.destination.tls
    if tls is None or common is None:
        return ()
    found = [*_policy(tls.policy, common)]
    if answer.client_names_upstream:
        # Whatever name the client sends is verified: nothing of one name may serve another.
        found.append(Simple("proxy_ssl_session_reuse", (False,)))
    elif answer.route.preserve_host and answer.tls_name is not None:
        found.append(Simple("proxy_ssl_name", (expression(answer.tls_name),)))
    elif tls.name is not None and tls.name != answer.destination.host_header:
        host = answer.destination.host_header.rpartition(":")[0] or answer.destination.host_header
        if host.strip("[]") != tls.name.strip("[]"):
            found.append(Simple("proxy_ssl_name", (expression(tls.name),)))
    elif tls.name is None:
        found.append(Simple("proxy_ssl_server_name", (False,)))
    return tuple(found)


def _policy(policy: TlsPolicy, common: TlsPolicy) -> list[Simple]:
    found = []
    if policy.verify != common.verify:
        found.append(Simple("proxy_ssl_verify", (policy.verify,)))
    if policy.verify and policy.depth != common.depth:
        found.append(Simple("proxy_ssl_verify_depth", (policy.depth,)))
    if policy.trusted is not None and policy.trusted != common.trusted:
        path = Literal(bundle_file(policy.trusted))
        found.append(Simple("proxy_ssl_trusted_certificate", (path,)))
    if policy.client is not None and policy.client != common.client:
        found += client_certificate(policy)
    return found


def client_certificate(policy: TlsPolicy) -> list[Simple]:
    """Return the directives that present a policy's client certificate."""
    if policy.client is None:
        return []
    return [
        Simple("proxy_ssl_certificate", (Literal(certificate_file(policy.client)),)),
        Simple("proxy_ssl_certificate_key", (Literal(key_file(policy.client)),)),
    ]


def _tuning(answer: Proxied) -> tuple[Simple, ...]:
    service, route = answer.service, answer.route
    found = []
    for name, value in (
        ("proxy_connect_timeout", service.connect_timeout),
        ("proxy_send_timeout", service.write_timeout),
        ("proxy_read_timeout", service.read_timeout),
    ):
        if value != _DEFAULT_TIMEOUT:
            found.append(Simple(name, (Literal(f"{value}ms"),)))
    if service.retries != _DEFAULT_RETRIES:
        found.append(Simple("proxy_next_upstream_tries", (service.retries + 1,)))
    if not route.request_buffering:
        found.append(Simple("proxy_request_buffering", (False,)))
    if not route.response_buffering:
        found.append(Simple("proxy_buffering", (False,)))
    return tuple(found)
