"""Answers to `location` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.balancing import captured
from compiler.lower.dispatch import route_source
from compiler.lower.paths import ENCODED_PATH
from compiler.lower.urls import passed_on, rewrites
from compiler.model.layout import bundle_file, certificate_file, key_file
from compiler.model.nginx import If, Location, Simple
from compiler.model.plan import NoService, Proxied
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.plan import Answer, Plan, TlsPolicy

_SECURE = frozenset({"https", "grpcs", "wss"})
_DEFAULT_TIMEOUT = 60_000
_DEFAULT_RETRIES = 5


def lower_location(
    answer: Answer, path: str, plan: Plan, injected: tuple[Simple, ...], *, exact: bool, plain: bool
) -> Location:
    """Return the location named *path* that gives *answer*, with what is injected into all.

    *plain* tells whether requests may come without TLS, as far as the client is concerned.
    """
    remembered = _debug(answer, plan)
    ifs = _https_only(answer, plan) if plain else ()
    if isinstance(answer, NoService):
        directives: tuple[Simple, ...] = (Simple("return", (503,)),)
    else:
        remembered += _remembered(answer)
        ifs += _encoded(answer)
        directives = _with_injected(_directives(answer, plan), injected)
    return Location(
        comment=_comment(answer),
        modifier=Literal("=") if exact else None,
        path=Literal(path),
        remembered=remembered,
        ifs=ifs,
        directives=directives,
        source=route_source(answer.route),
    )


def _with_injected(own: tuple[Simple, ...], injected: tuple[Simple, ...]) -> tuple[Simple, ...]:
    """Add what is injected; what the service itself says wins, as in Kong."""
    if not injected:
        return own
    names = {directive.name for directive in own if directive.name.startswith("proxy_")}
    return (*own, *(directive for directive in injected if directive.name not in names))


def _comment(answer: Answer) -> str:
    if isinstance(answer, NoService):
        return f"route {answer.route.label} has no service"
    matched = answer.path if answer.regex is None else f"what matches {answer.regex}"
    way = f", without {matched}" if answer.strips else ""
    return f"route {answer.route.label} -> service {answer.service.label}{way}"


def _remembered(answer: Proxied) -> tuple[Simple, ...]:
    """Remember what headers to the upstream say."""
    preserve = answer.route.preserve_host
    host = Expression("$http_host") if preserve else expression(answer.destination.host_header)
    found = [Simple("set", (Expression("$upstream_host"), host))]
    if answer.strips and answer.regex is None:
        found.append(Simple("set", (Expression("$stripped_prefix"), expression(answer.path or ""))))
    if answer.group is None:
        address = expression(answer.destination.peers[0].address)
        found.append(Simple("set", (Expression("$upstream_address"), address)))
    return (*found, *captured(answer))


def _target(answer: Proxied) -> str:
    """Return where requests go, as an expression."""
    name = "$upstream_address" if answer.group is None else expression(answer.group.name)
    return f"{answer.destination.scheme}://{name}"


def _encoded(answer: Proxied) -> tuple[If, ...]:
    """Return what passes on a path as it was sent: nginx would decode what Kong leaves alone."""
    target = Expression(_target(answer) + passed_on(answer))
    directives = (*rewrites(answer, encoded=True), Simple("proxy_pass", (target,)))
    return (If(variable=ENCODED_PATH, directives=directives),)


def _directives(answer: Proxied, plan: Plan) -> tuple[Simple, ...]:
    return (
        *rewrites(answer, encoded=False),
        *_tls(answer, plan.common_tls),
        *_tuning(answer),
        Simple("proxy_pass", (Expression(_target(answer)),)),
    )


def _debug(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Remember what matched, for the debug headers of whatever is answered."""
    if not plan.headers.debug:
        return ()
    values = {"route_id": answer.route.id, "route_name": answer.route.name or ""}
    if isinstance(answer, Proxied):
        values |= {"service_id": answer.service.id, "service_name": answer.service.name or ""}
    return tuple(
        Simple("set", (Expression(f"$kong_{name}"), expression(value)))
        for name, value in values.items()
    )


def _https_only(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return what a plain request to an https route is told; nothing where plain HTTP is fine."""
    if not _SECURE.issuperset(answer.route.protocols):
        return ()
    away = send_away(answer.route.https_redirect_status_code, plan)
    return (If(variable="$needs_https", directives=away),)


def send_away(status: int, plan: Plan) -> tuple[Simple, ...]:
    """Return the answer to a plain request that should have come over HTTPS."""
    if status == 426:
        return (Simple("return", (426,)),)
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
