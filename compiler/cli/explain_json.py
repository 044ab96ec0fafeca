"""The answers of `kcompile explain`, as programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.cli.explain_policies import policies_json
from compiler.model.access import OPEN

if TYPE_CHECKING:
    from compiler.explain.request import RequestAnswer
    from compiler.explain.service import ServiceAnswer
    from compiler.explain.sni import SniAnswer
    from compiler.model.access import CertificateAuth
    from compiler.model.entities import Route, Service
    from compiler.model.x509 import KeyPair


_REQUESTED = {True: "requested", False: "not-requested", None: None}


def sni_json(answer: SniAnswer | None) -> dict[str, Any]:
    """Return which certificate is served, with the keys that programs rely on."""
    if answer is None:
        return {
            "rule": None, "sni": None, "certificate": None, "tried": [], "client_certificate": None
        }  # fmt: skip
    main = answer.pairs[0] if answer.pairs else None
    return {
        "rule": answer.rule,
        "sni": None if answer.sni is None else answer.sni.name,
        "certificate": {
            "id": None if answer.certificate is None else answer.certificate.id,
            "source": answer.source,
            **_pair(main),
        },
        "alternatives": [_pair(pair) for pair in answer.pairs[1:]],
        "covers_server_name": answer.covered,
        "tried": [name for _, name in answer.tried],
        "client_certificate": _REQUESTED[answer.requests_certificate],
        "client_authorities": list(_authorities(answer)),
    }


def _authorities(answer: SniAnswer) -> tuple[str, ...]:
    """Return the ids of the authorities whose certificates are believed."""
    handshake = answer.handshake
    trust = None if handshake is None else handshake.trust
    return () if trust is None else trust.authorities


def _pair(pair: KeyPair | None) -> dict[str, Any]:
    if pair is None:
        return {"sha256": None, "subject": None, "not_after": None, "key_type": None}
    leaf = pair.leaf
    return {
        "sha256": leaf.sha256,
        "subject": leaf.subject,
        "not_after": f"{leaf.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "key_type": leaf.key_type,
    }


def service_json(answer: ServiceAnswer | None) -> dict[str, Any]:
    """Return where a service's requests go, likewise."""
    if answer is None:
        return {"service": None, "upstream": None, "because": {}}
    service = answer.service
    return {
        "service": {**_named(service), "enabled": service.enabled},
        "routes": [_named(route) for route in answer.routes],
        "preserve_host": [_named(route) for route in answer.renaming],
        "upstream": _upstream(answer),
        "because": _because(answer),
    }


def request_json(answer: RequestAnswer | None) -> dict[str, Any]:
    """Return how a request is answered, likewise."""
    if answer is None:
        nothing = ("status", "route", "service", "matched_path", "upstream", "client_auth")
        empty: dict[str, Any] = {"authentications": [], "candidates": []}
        return {**dict.fromkeys(nothing), **policies_json(OPEN), **empty}
    upstream, matched = answer.upstream, answer.matched
    authentications = [_client_auth(auth) for auth in answer.access.authentications]
    return {
        "status": answer.status,
        "reason": answer.reason,
        "location": answer.location,
        "route": None if answer.route is None else _named(answer.route),
        "service": None if answer.service is None else _named(answer.service),
        "path": answer.path,
        "matched_path": None if matched is None else matched.path,
        "upstream": None if upstream is None else {**_upstream(upstream), "uri": answer.uri},
        "because": {} if upstream is None else _because(upstream),
        "client_auth": next(iter(authentications), None),
        "authentications": authentications,
        **policies_json(answer.access),
        "candidates": [
            {
                "route": tried.route.label,
                "id": tried.route.id,
                "path": tried.path,
                "matched": tried.matched,
                "because": tried.because,
            }
            for tried in answer.tried
        ],
        "more_candidates": answer.more,
    }


def _client_auth(auth: CertificateAuth) -> dict[str, Any]:
    """Return whose certificates are believed, and as whom they let somebody in."""
    lookup = auth.lookup
    return {
        "plugin": auth.plugin.name,
        "id": auth.plugin.id,
        "ca_certificates": list(auth.trust.authorities),
        "consumers": None if lookup is None else sorted({m.consumer for m in lookup.matches}),
        "default_consumer": None if lookup is None else lookup.default,
        "anonymous": None if auth.anonymous is None else auth.anonymous.id,
    }


def _named(entity: Route | Service) -> dict[str, Any]:
    return {"id": entity.id, "name": entity.name}


def _because(answer: ServiceAnswer) -> dict[str, list[str]]:
    return {key: [str(item) for item in found] for key, found in answer.because.items()}


def _upstream(answer: ServiceAnswer) -> dict[str, Any]:
    service, destination = answer.service, answer.destination
    only = destination.peers[0] if len(destination.peers) == 1 else None
    return {
        "scheme": destination.scheme,
        "host": service.host if only is None else only.host,
        "port": service.port if only is None else only.port,
        "host_header": destination.host_header,
        "upstream": None if destination.upstream is None else destination.upstream.name,
        "targets": [
            {"host": peer.host, "port": peer.port, "weight": peer.weight}
            for peer in destination.peers
        ],
        "tls": _tls(answer),
    }


def _tls(answer: ServiceAnswer) -> dict[str, Any] | None:
    tls = answer.destination.tls
    if tls is None:
        return None
    policy = tls.policy
    trusted = () if policy.trusted is None else policy.trusted.certificates
    return {
        "verify": policy.verify,
        "depth": policy.depth,
        "trusted_certificates": [certificate.sha256 for certificate in trusted],
        "name": tls.name,
        "server_name": tls.server_name,
        "client_certificate": None if policy.client is None else policy.client.leaf.sha256,
    }
