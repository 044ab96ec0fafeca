"""Where each service's requests go: peers, Host, and TLS."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules, tls_rules
from compiler.model.plan import UPSTREAM_TLS, Destination, Peer, UpstreamTls
from compiler.plan.upstream_tls import plan_policy

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Service, Target, Upstream
    from compiler.model.plan import Features
    from compiler.model.x509 import Bundle

DEFAULT_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443, "ws": 80, "wss": 443}


class DestinationPlanner:
    """Plans the destination of one service after another."""

    def __init__(
        self, config: Config, features: Features, *, names_at_start: bool, report: Report
    ) -> None:
        self._config = config
        self._features = features
        self._names_at_start = names_at_start
        self._report = report
        self._upstreams = {u.name: u for u in config.entities.upstreams.values()}
        self._bundles: dict[tuple[str, ...], Bundle] = {}
        self._targets: dict[str, list[Target]] = {}
        for target in config.entities.targets.values():
            self._targets.setdefault(target.upstream, []).append(target)

    def plan(self, service: Service, *, sends_own_name: bool) -> Destination:
        """Return where *service* goes.

        *sends_own_name* tells whether any of its routes lets Kong choose the Host (no
        preserve_host): only then do the targets' names matter.
        """
        upstream = self._upstreams.get(service.host)
        peers = self._peers(service, upstream)
        host, name = self._names(service, upstream, peers, sends_own_name=sends_own_name)
        return Destination(
            service=service,
            upstream=upstream,
            scheme=service.protocol,
            peers=peers,
            host_header=host,
            tls=self._tls(service, upstream, name),
            fixed_peers=self._fixed(upstream, peers),
        )

    def _peers(self, service: Service, upstream: Upstream | None) -> tuple[Peer, ...]:
        if upstream is None:
            return (self._peer(service.host, service.port, None),)
        targets = [t for t in self._targets.get(upstream.id, []) if t.weight > 0]
        if not targets:
            self._report.add(
                plan_rules.UPSTREAM_EMPTY,
                upstream.source.place(),
                entity=upstream.ref,
                upstream=upstream.name,
            )
        return tuple(
            self._peer(*_split_target(target.target), target.weight)
            for target in sorted(targets, key=lambda t: (t.target, t.id))
        )

    def _peer(self, host: str, port: int, weight: int | None) -> Peer:
        named = not is_address(host) and host.lower() != "localhost"
        return Peer(host=_bracketed(host), port=port, weight=weight, resolve=named)

    def _fixed(self, upstream: Upstream | None, peers: tuple[Peer, ...]) -> bool:
        """Tell whether the peers can stand in a group; names may have to be looked up each time."""
        if self._features.resolve_peers or not any(peer.resolve for peer in peers):
            return True
        if len(peers) == 1:
            return False
        if upstream is not None and not self._names_at_start:
            self._report.add(
                plan_rules.NAMES_AT_START,
                upstream.source.place(),
                entity=upstream.ref,
                upstream=upstream.name,
                version="of this version",
            )
        return True

    def _names(
        self,
        service: Service,
        upstream: Upstream | None,
        peers: tuple[Peer, ...],
        *,
        sends_own_name: bool,
    ) -> tuple[str, str | None]:
        """Return the Host that is sent and the TLS name (None where there is no single one)."""
        default_port = DEFAULT_PORTS.get(service.protocol, 80)
        if upstream is None:
            return _host_header(service.host, service.port, default_port), service.host
        if upstream.host_header is not None:
            return upstream.host_header, upstream.host_header.rpartition(":")[0] or (
                upstream.host_header
            )
        names = sorted({peer.host for peer in peers})
        headers = {_host_header(peer.host, peer.port, default_port) for peer in peers}
        if len(headers) == 1:
            return headers.pop(), names[0]
        if sends_own_name and peers:
            self._names_differ(service, upstream, names)
        return service.host, names[0] if len(names) == 1 else None

    def _names_differ(self, service: Service, upstream: Upstream, names: list[str]) -> None:
        matters = service.protocol in UPSTREAM_TLS and len(names) > 1
        verified = matters and self._verifies(service)
        if verified or (matters and not all(is_address(name) for name in names)):
            self._report.add(
                plan_rules.TARGET_NAMES_DIFFER,
                service.source.place("host"),
                entity=service.ref,
                service=service.label,
                upstream=upstream.name,
                names=", ".join(names[:4]),
                effect="verifies" if verified else "sends as SNI",
            )
            return
        self._report.add(
            plan_rules.TARGET_HOST_HEADER,
            service.source.place("host"),
            entity=service.ref,
            service=service.label,
            upstream=upstream.name,
            host=service.host,
        )

    def _verifies(self, service: Service) -> bool:
        if service.tls_verify is None:
            return self._config.materials.defaults_of(service.protocol).verify
        return service.tls_verify

    def _tls(
        self, service: Service, upstream: Upstream | None, name: str | None
    ) -> UpstreamTls | None:
        if service.protocol not in UPSTREAM_TLS:
            return None
        policy, because = plan_policy(
            service, upstream, self._config.materials, self._bundles, self._report
        )
        address = name is not None and is_address(name)
        if policy.verify and address:
            self._report.add(
                tls_rules.VERIFY_IP,
                service.source.place("host"),
                entity=service.ref,
                service=service.label,
                address=name,
            )
        return UpstreamTls(
            policy=policy,
            name=name,
            server_name=name is not None and not address,
            because=because,
        )


def is_address(host: str) -> bool:
    """Tell whether *host* is an IP address (IPv6 with or without brackets)."""
    # Names are by far the most: only what begins like an address is parsed as one.
    if not (host[:1].isdigit() or ":" in host):
        return False
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _split_target(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    return host, int(port)


def _host_header(host: str, port: int, default_port: int) -> str:
    host = _bracketed(host)
    return host if port == default_port else f"{host}:{port}"
