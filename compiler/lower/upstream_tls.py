"""TLS to upstreams: what all locations share, and what one of them has of its own.

nginx has the same directives for HTTP and for gRPC, under other names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.layout import bundle_file, certificate_file, key_file
from compiler.model.nginx import Section, Simple
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.destinations import TlsPolicy
    from compiler.model.plan import Plan
    from compiler.model.routing import Proxied

_UPSTREAM_HOST = Expression("$upstream_host")


def common_tls(plan: Plan) -> list[Section]:
    """Return what all locations with an upstream over TLS inherit."""
    return [
        Section(
            comment=f"TLS to upstreams{of}: the name sent and verified is the Host that is sent",
            directives=_common(common, prefix, plan),
        )
        for prefix, of, common in (
            ("proxy", "", plan.common_tls),
            ("grpc", " of gRPC", plan.common_grpc_tls),
        )
        if common is not None
    ]


def _common(common: TlsPolicy, prefix: str, plan: Plan) -> tuple[Simple, ...]:
    found = [
        Simple(f"{prefix}_ssl_server_name", (True,)),
        Simple(f"{prefix}_ssl_name", (_UPSTREAM_HOST,)),
        Simple(f"{prefix}_ssl_verify", (common.verify,)),
        Simple(f"{prefix}_ssl_verify_depth", (common.depth,)),
        *_protocols(prefix, plan),
    ]
    if common.trusted is not None:
        path = Literal(bundle_file(common.trusted))
        found.append(Simple(f"{prefix}_ssl_trusted_certificate", (path,)))
    return (*found, *client_certificate(common, prefix))


def _protocols(prefix: str, plan: Plan) -> list[Simple]:
    """Return the protocols spoken to upstreams, where nginx's default is not that of Kong's."""
    name = f"{prefix}_ssl_protocols"
    chosen = any(
        directive.name == name
        for block in ("http", "proxy", "location")
        for directive in plan.directives.get(block, ())
    )
    if chosen or (plan.features.upstream_tls13_by_default and not plan.weak_ciphers):
        return []
    names = ("TLSv1", "TLSv1.1") if plan.weak_ciphers else ()
    words = tuple(Literal(name) for name in (*names, "TLSv1.2", "TLSv1.3"))
    return [Simple(name, words)]


def own_tls(answer: Proxied, plan: Plan) -> tuple[Simple, ...]:
    """Return what differs from the TLS that all locations share."""
    grpc = answer.destination.speaks_grpc
    prefix = "grpc" if grpc else "proxy"
    common = plan.common_grpc_tls if grpc else plan.common_tls
    tls = answer.destination.tls
    if tls is None or common is None:
        return ()
    found = [*_policy(tls.policy, common, prefix)]
    if answer.client_names_upstream:
        # Whatever name the client sends is verified: nothing of one name may serve another.
        found.append(Simple(f"{prefix}_ssl_session_reuse", (False,)))
    elif answer.route.preserve_host and answer.tls_name is not None:
        found.append(Simple(f"{prefix}_ssl_name", (expression(answer.tls_name),)))
    elif tls.name is not None and tls.name != answer.destination.host_header:
        host = answer.destination.host_header.rpartition(":")[0] or answer.destination.host_header
        if host.strip("[]") != tls.name.strip("[]"):
            found.append(Simple(f"{prefix}_ssl_name", (expression(tls.name),)))
    elif tls.name is None:
        found.append(Simple(f"{prefix}_ssl_server_name", (False,)))
    return tuple(found)


def _policy(policy: TlsPolicy, common: TlsPolicy, prefix: str) -> list[Simple]:
    found = []
    if policy.verify != common.verify:
        found.append(Simple(f"{prefix}_ssl_verify", (policy.verify,)))
    if policy.verify and policy.depth != common.depth:
        found.append(Simple(f"{prefix}_ssl_verify_depth", (policy.depth,)))
    if policy.trusted is not None and policy.trusted != common.trusted:
        path = Literal(bundle_file(policy.trusted))
        found.append(Simple(f"{prefix}_ssl_trusted_certificate", (path,)))
    if policy.client is not None and policy.client != common.client:
        found += client_certificate(policy, prefix)
    return found


def client_certificate(policy: TlsPolicy, prefix: str = "proxy") -> list[Simple]:
    """Return the directives that present a policy's client certificate."""
    if policy.client is None:
        return []
    return [
        Simple(f"{prefix}_ssl_certificate", (Literal(certificate_file(policy.client)),)),
        Simple(f"{prefix}_ssl_certificate_key", (Literal(key_file(policy.client)),)),
    ]
