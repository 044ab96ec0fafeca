"""How each service's connections to its upstream are protected, and what decided it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import tls_rules as rules
from compiler.model.config import Because
from compiler.model.destinations import TlsPolicy
from compiler.model.place import FromFile, Place
from compiler.model.x509 import Bundle

if TYPE_CHECKING:
    from compiler.model.config import Materials, UpstreamTlsDefaults
    from compiler.model.diagnostic import Report
    from compiler.model.document import MappingNode
    from compiler.model.entities import Service, Upstream
    from compiler.model.x509 import KeyPair

POLICY_CAS = "lua_ssl_trusted_certificate"

Reasons = dict[str, tuple[Because, ...]]


def plan_policy(
    service: Service,
    upstream: Upstream | None,
    materials: Materials,
    bundles: dict[tuple[str, ...], Bundle],
    report: Report,
) -> tuple[TlsPolicy, Reasons]:
    """Return the TLS policy of *service* and, per field, what decided it, winner first.

    *bundles* keeps each set of CA ids' bundle, so that services that name the same share one.
    """
    defaults = materials.defaults_of(service.protocol)
    reasons: Reasons = {}

    verify, depth = defaults.verify, defaults.depth
    reasons["verify"] = (defaults.because["verify"],)
    reasons["depth"] = (defaults.because["depth"],)
    owner = f"services.{service.label}"
    if service.tls_verify is not None:
        verify = service.tls_verify
        own = _written(service.source, owner, "tls_verify")
        reasons["verify"] = (own, *reasons["verify"])
    if service.tls_verify_depth is not None:
        depth = service.tls_verify_depth
        own = _written(service.source, owner, "tls_verify_depth")
        reasons["depth"] = (own, *reasons["depth"])
    trusted, reasons["trusted"] = _trusted(service, materials, defaults, bundles)
    client, reasons["client"] = _client(service, upstream, materials)
    policy = TlsPolicy(
        verify=verify, depth=depth, trusted=trusted if verify else None, client=client
    )
    _check(service, policy, trusted, defaults, report)
    return policy, reasons


def _trusted(
    service: Service,
    materials: Materials,
    defaults: UpstreamTlsDefaults,
    bundles: dict[tuple[str, ...], Bundle],
) -> tuple[Bundle | None, tuple[Because, ...]]:
    fallback = defaults.because["trusted"]
    ids = tuple(sorted(set(service.ca_certificates or ()) & materials.cas.keys()))
    if not ids:
        return defaults.trusted, (fallback,)
    if ids not in bundles:
        bundles[ids] = Bundle(certificates=tuple(materials.cas[identifier] for identifier in ids))
    own = _written(service.source, f"services.{service.label}", "ca_certificates")
    return bundles[ids], (own, fallback)


def _client(
    service: Service, upstream: Upstream | None, materials: Materials
) -> tuple[KeyPair | None, tuple[Because, ...]]:
    """Return the client certificate: the service's over the upstream's over the global one."""
    layers: list[tuple[KeyPair, Because]] = []
    for prefix, owner in (("services", service), ("upstreams", upstream)):
        if owner is None or owner.client_certificate is None:
            continue
        pairs = materials.certificates.get(owner.client_certificate)
        if pairs is not None:
            label = owner.name or owner.id
            because = _written(owner.source, f"{prefix}.{label}", "client_certificate")
            layers.append((pairs.main, because))
    if materials.upstream.client is not None:
        layers.append((materials.upstream.client, Because("client_ssl_cert")))
    if not layers:
        return None, (Because("no client certificate is set"),)
    return layers[0][0], tuple(because for _, because in layers)


def _written(source: MappingNode, owner: str, name: str) -> Because:
    place = source.place(name)
    return Because(f"{owner}.{name}", FromFile(Place(place.file, place.line)))


def _check(
    service: Service,
    policy: TlsPolicy,
    trusted: Bundle | None,
    defaults: UpstreamTlsDefaults,
    report: Report,
) -> None:
    """Report what the service's TLS fields promise and cannot hold."""
    source = service.source
    if policy.verify and trusted is None:
        place = source.place("tls_verify")
        if defaults.because["trusted"].name == POLICY_CAS:
            report.add(rules.SYSTEM_CA_MISSING, place, entity=service.ref, service=service.label)
        else:
            report.add(
                rules.VERIFY_WITHOUT_CA,
                place,
                entity=service.ref,
                service=service.label,
                setting=defaults.trusted_setting,
            )
    if service.ca_certificates and not policy.verify:
        report.add(
            rules.CA_WITHOUT_VERIFY,
            source.place("ca_certificates"),
            entity=service.ref,
            service=service.label,
            state="false" if service.tls_verify is False else "not set",
        )
    if policy.verify and policy.depth == 0:
        report.add(
            rules.VERIFY_DEPTH_SHALLOW,
            source.place("tls_verify_depth"),
            entity=service.ref,
            service=service.label,
        )
    if service.tls_sans:
        report.add(
            rules.TLS_SANS, source.place("tls_sans"), entity=service.ref, service=service.label
        )
