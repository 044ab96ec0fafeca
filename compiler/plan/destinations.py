"""Where each service's requests go: peers, Host, and TLS."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules, tls_rules, upstream_rules
from compiler.model.destinations import Destination, Peer, UpstreamTls
from compiler.model.entities import Upstream
from compiler.model.protocols import OVER_TLS
from compiler.model.uri_path import kept_escape
from compiler.plan.balancing import plan_balancing
from compiler.plan.health import plan_health
from compiler.plan.names import asks_for_srv, srv_problem
from compiler.plan.upstream_tls import plan_policy

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Service, Target
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
        destination = Destination(
            service=service,
            upstream=upstream,
            scheme=service.protocol,
            peers=peers,
            host_header=host,
            tls=self._tls(service, upstream, name),
            fixed_peers=self._fixed(upstream, peers),
            balancing=plan_balancing(upstream),
            health=plan_health(upstream, self._report),
        )
        if not destination.speaks_grpc:
            self._check_path(destination)
        if upstream is not None:
            self._check_hashing(destination, upstream)
            if upstream.use_srv_name and sends_own_name:
                self._check_srv_host(destination, upstream)
        return destination

    def _peers(self, service: Service, upstream: Upstream | None) -> tuple[Peer, ...]:
        if upstream is None:
            return (self._peer(service.host, service.port, None, service),)
        targets = [t for t in self._targets.get(upstream.id, []) if t.weight > 0]
        if not targets:
            self._report.add(
                plan_rules.UPSTREAM_EMPTY,
                upstream.source.place(),
                entity=upstream.ref,
                upstream=upstream.name,
            )
        return tuple(
            self._peer(*_split_target(target.target), target.weight, upstream)
            for target in sorted(targets, key=lambda t: (t.target, t.id))
        )

    def _peer(self, host: str, port: int, weight: int | None, owner: Service | Upstream) -> Peer:
        named = not is_address(host) and host.lower() != "localhost"
        use_srv_name = isinstance(owner, Upstream) and owner.use_srv_name
        srv = named and asks_for_srv(host, self._config.settings, use_srv_name=use_srv_name)
        problem = srv_problem(host, self._features) if srv else None
        if problem is not None:
            reason, advice = problem
            self._report.add(
                upstream_rules.SRV_NAMES,
                owner.source.place("targets" if isinstance(owner, Upstream) else "host"),
                entity=owner.ref,
                owner=f"{owner.ref.type} {owner.name or owner.id}",
                name=host,
                reason=reason,
                advice=advice,
            )
        return Peer(host=_bracketed(host), port=port, weight=weight, resolve=named, srv=srv)

    def _check_path(self, destination: Destination) -> None:
        """Report a path that can be sent neither decoded nor as it is written.

        nginx puts a path in front of a request's as it is written where nothing else varies.
        """
        service = destination.service
        path = service.path or ""
        what = kept_escape(path)
        if what is None or (destination.fixed_peers and "$" not in path):
            return
        where = "beside a $"
        if not destination.fixed_peers:
            where = "to a name that it looks up for each request (before 1.27.3)"
        self._report.add(
            plan_rules.SERVICE_PATH,
            service.source.place("path"),
            entity=service.ref,
            service=service.label,
            path=path[:200],
            what=what,
            where=where,
        )

    def _check_hashing(self, destination: Destination, upstream: Upstream) -> None:
        """Report that a name with several addresses is one target to nginx."""
        names = [peer for peer in destination.peers if peer.resolve and not peer.srv]
        if not names or destination.balancing.algorithm != "consistent-hashing":
            return
        if not destination.fixed_peers:
            difference = "nginx takes the addresses of a single name in turn before 1.27.3"
        elif len(destination.peers) == 1:
            difference = "most keys move when the addresses of the name change"
        else:
            difference = "nginx takes the addresses of one name in turn"
        self._report.add(
            upstream_rules.HASH_NAMES,
            upstream.source.place("targets"),
            entity=upstream.ref,
            service=destination.service.label,
            upstream=upstream.name,
            difference=difference,
        )

    def _check_srv_host(self, destination: Destination, upstream: Upstream) -> None:
        if upstream.host_header is None and any(peer.srv for peer in destination.peers):
            self._report.add(
                upstream_rules.SRV_HOST,
                upstream.source.place("use_srv_name"),
                entity=upstream.ref,
                upstream=upstream.name,
                host=destination.host_header,
            )

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
            return _header_of(peers[0], default_port), service.host
        if upstream.host_header is not None:
            return upstream.host_header, upstream.host_header.rpartition(":")[0] or (
                upstream.host_header
            )
        names = sorted({peer.host for peer in peers})
        headers = {_header_of(peer, default_port) for peer in peers}
        if len(headers) == 1:
            return headers.pop(), names[0]
        if sends_own_name and peers:
            self._names_differ(service, upstream, names)
        return service.host, names[0] if len(names) == 1 else None

    def _names_differ(self, service: Service, upstream: Upstream, names: list[str]) -> None:
        matters = service.protocol in OVER_TLS and len(names) > 1
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
        if service.protocol not in OVER_TLS:
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


def _header_of(peer: Peer, default_port: int) -> str:
    # Kong adds the port of the SRV record, which nobody knows before the request.
    return peer.host if peer.srv or peer.port == default_port else peer.address
