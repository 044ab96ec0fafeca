"""The answers of `kcompile explain`, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.stream import STREAM_PROTOCOLS

if TYPE_CHECKING:
    from compiler.explain.service import ServiceAnswer
    from compiler.explain.sni import SniAnswer
    from compiler.model.config import Config
    from compiler.model.destinations import Peer
    from compiler.model.document import MappingNode
    from compiler.model.x509 import X509

_LOOKED_UP = {
    "exact": "the name itself",
    "prefix-wildcard": "its first label as *",
    "suffix-wildcard": "its last label as *",
    "catch-all": "any name",
}
_MANY = 5


def sni_lines(answer: SniAnswer, config: Config) -> list[str]:
    """Return which certificate is served, and why."""
    lines = [_client(answer), *_served(answer, config), *_tried(answer)]
    return [*lines, *_requested(answer)]


def _requested(answer: SniAnswer) -> list[str]:
    """Return whether the client is asked for a certificate, and whose are believed."""
    directive = answer.requested_by
    if directive is not None:
        said = f"ssl_verify_client {directive.value} ({directive.origin})"
        return [f"client certificate: requested, by {said}"]
    if not answer.asked_is_known:
        return ["client certificate: not known, as there are errors"]
    handshake = answer.handshake
    if handshake is None or not handshake.asks:
        return ["client certificate: not requested"]
    if handshake.trust is None:
        return ["client certificate: requested, any will do"]
    return [
        "client certificate: requested; believed are those of",
        *(
            f"  {ca.subject} (ca_certificate {identifier})"
            for identifier, ca in zip(
                handshake.trust.authorities, handshake.trust.bundle.certificates, strict=True
            )
        ),
    ]


def tls_missing(config: Config) -> str:
    """Say that the proxy has no TLS listener."""
    setting = config.settings["proxy_listen"]
    return f"no certificate is served: proxy_listen has no listener with ssl ({setting.origin})"


def _client(answer: SniAnswer) -> str:
    if answer.server_name is None:
        who = "a client that sends no server name"
    else:
        who = f"a client that asks for {answer.server_name}"
    if answer.source == "generated":
        return f"{who} gets a self-signed certificate for localhost, made by render"
    return f"{who} gets the certificate of {answer.pairs[0].leaf.subject}"


def _served(answer: SniAnswer, config: Config) -> list[str]:
    lines = []
    for pair in answer.pairs:
        leaf = pair.leaf
        lines.append(f"  {leaf.key_type:<4} sha256:{leaf.sha256}, until {leaf.not_after:%Y-%m-%d}")
    if answer.certificate is not None and answer.sni is not None:
        at = written_at(answer.certificate.source, "cert")
        lines.append(f"  from certificate {answer.certificate.id} ({at})")
        lines.append(f"  for SNI {answer.sni.name} ({written_at(answer.sni.source, 'name')})")
    elif answer.pairs:
        lines.append(f"  from ssl_cert ({config.settings.origin('ssl_cert')})")
    else:
        lines.append("  because ssl_cert is not set")
    if answer.covered is False:
        names = _listed(sorted({n for pair in answer.pairs for n in pair.leaf.names}))
        lines.append(f"  it is not valid for {answer.server_name}, only for {names or 'no name'}")
    return lines


def _tried(answer: SniAnswer) -> list[str]:
    if not answer.tried:
        if answer.server_name is None:
            return ["no server name, no lookup: not even the SNI * is consulted"]
        return ["clients send no address as server name, so nothing is looked up"]
    lines = ["looked up, the first that exists wins:"]
    width = max(len("default"), *(len(name) for _, name in answer.tried))
    found = False
    for rule, name in answer.tried:
        state = "not reached" if found else "no such SNI"
        if rule == answer.rule:
            state, found = "found", True
        lines.append(f"  {name:<{width}}  {_LOOKED_UP[rule]}: {state}")
    if not found:
        lines.append(f"  {'default':<{width}}  the certificate of clients without SNI: taken")
    return lines


def service_lines(answer: ServiceAnswer) -> list[str]:
    """Return where requests go, with which TLS, and why."""
    service, destination = answer.service, answer.destination
    at = written_at(service.source, "name")
    lines = [f"service {service.label} ({at}){'' if service.enabled else ', disabled'}"]
    routes = _listed([route.label for route in answer.routes])
    lines.append(f"  routes: {routes or 'none, so no request reaches it'}")
    lines += peer_lines(answer)
    streams = service.protocol in STREAM_PROTOCOLS
    if not streams:
        lines.append(f"  Host: {destination.host_header}")
    if answer.renaming:
        renamed = _listed([route.label for route in answer.renaming])
        instead = "server name, if any," if streams else "Host"
        lines.append(f"  the client's {instead} instead of that (preserve_host): {renamed}")
    return [*lines, *tls_lines(answer)]


def peer_lines(answer: ServiceAnswer) -> list[str]:
    """Return where a service sends what reaches it."""
    destination = answer.destination
    peers = _listed([_peer(peer) for peer in destination.peers])
    lines = [f"  sends to: {destination.scheme}://{peers or answer.service.host}"]
    if destination.upstream is not None:
        at = written_at(destination.upstream.source, "name")
        lines.append(f"  upstream: {destination.upstream.name} ({at})")
    return lines


def tls_lines(answer: ServiceAnswer) -> list[str]:
    """Return with which TLS a service's upstream is reached, and what decided it."""
    tls = answer.destination.tls
    if tls is None:
        return ["  TLS: none"]
    policy = tls.policy
    trusted = () if policy.trusted is None else policy.trusted.certificates
    values = {
        "verify": "on" if policy.verify else "off: any certificate is accepted",
        "depth": str(policy.depth),
        "trusted_certificates": _listed([_certificate(c) for c in trusted]) or "none",
        "name": tls.name or "none, the targets differ",
        "server_name": "sent" if tls.server_name else "not sent",
        "client_certificate": "none" if policy.client is None else _certificate(policy.client.leaf),
    }
    if not policy.verify:
        values["trusted_certificates"] = "not used"
    return [
        "  TLS:",
        *(
            f"    {key.replace('_', ' ')}: {value}{_reasons(answer, key)}"
            for key, value in values.items()
        ),
    ]


def _reasons(answer: ServiceAnswer, key: str) -> str:
    first, *others = answer.because[key]
    over = f", over {', '.join(map(str, others))}" if others else ""
    return f"  # {first}{over}"


def _peer(peer: Peer) -> str:
    return peer.address if peer.weight is None else f"{peer.address} (weight {peer.weight})"


def _certificate(certificate: X509) -> str:
    return f"{certificate.subject} sha256:{certificate.sha256[:16]}"


def _listed(items: list[str]) -> str:
    more = len(items) - _MANY
    return ", ".join(items[:_MANY]) + (f" and {more} more" if more > 0 else "")


def written_at(source: MappingNode, key: str) -> str:
    """Return the file and the line of a field, else of its entity."""
    place = source.place(key)
    return f"{place.file}:{place.line}"
