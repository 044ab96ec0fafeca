"""Groups of peers to `upstream` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.balancing import METHODS, hash_weights, lower_method
from compiler.lower.injected import raw
from compiler.model.nginx import Simple, Source, UpstreamBlock, UpstreamServer
from compiler.model.words import Literal

if TYPE_CHECKING:
    from compiler.model.destinations import Destination, Peer, UpstreamGroup
    from compiler.model.plan import Plan

ZONE = Literal("upstream_names")
"""The shared memory in which workers keep what they have to agree on, one zone for all groups."""

NO_PEER = UpstreamServer(
    address=Literal("127.0.0.1:1"), weight=None, resolve=False, max_fails=None, down=True
)
"""nginx wants a server in every group; this one is never asked."""

_BYTES_PER_PEER = 4096
_SMALLEST_ZONE = 256 * 1024


def lower_upstreams(plan: Plan) -> tuple[UpstreamBlock, ...]:
    """Return a block for each group, so that no two share connections or TLS sessions."""
    # One tuple for all alike: it is spelt once.
    directives = {
        (shared, balanced): _directives(plan, shared=shared, balanced=balanced)
        for shared in (True, False)
        for balanced in (True, False)
    }
    blocks = []
    for group in plan.groups:
        method = lower_method(group.destination)
        kept = directives[group.shared_connections, bool(method)]
        blocks.append(_block(group, plan, method, kept))
    if any(block.zone is not None for block in blocks):
        blocks.insert(0, _zone(plan))
    return tuple(blocks)


def _zone(plan: Plan) -> UpstreamBlock:
    """Return a group without peers that gives the shared zone its size, in one place."""
    return UpstreamBlock(
        comment="memory for addresses that are looked up and failures that are counted, for all",
        name=ZONE,
        zone=(ZONE, Literal(f"{zone_size(plan) // 1024}k")),
        servers=(NO_PEER,),
        method=(),
        keepalive=(),
        source=None,
    )


def zone_size(plan: Plan) -> int:
    """Return the bytes for peers in shared memory, in powers of two so that it seldom changes."""
    peers = sum(
        len(group.destination.peers)
        for group in plan.groups
        if looked_up(group, plan) or group.destination.health.failures
    )
    size = _SMALLEST_ZONE
    while size < peers * _BYTES_PER_PEER:
        size *= 2
    return size


def looked_up(group: UpstreamGroup, plan: Plan) -> bool:
    """Tell whether nginx looks the group's names up while it runs."""
    return plan.features.resolve_peers and any(p.resolve for p in group.destination.peers)


def _block(
    group: UpstreamGroup, plan: Plan, method: tuple[Simple, ...], keepalive: tuple[Simple, ...]
) -> UpstreamBlock:
    destination = group.destination
    service = destination.service
    # Workers have to agree on addresses, and on who is out as Kong's do.
    in_memory = looked_up(group, plan) or destination.health.failures
    return UpstreamBlock(
        comment=_comment(group),
        name=Literal(group.name),
        zone=(ZONE,) if in_memory else None,
        servers=lower_peers(destination, plan),
        method=method,
        keepalive=keepalive,
        source=Source("service", service.id, service.name, service.source),
    )


def _comment(group: UpstreamGroup) -> str:
    service = f"service {group.destination.service.label}"
    if group.destination.upstream is not None:
        service += f", upstream {group.destination.upstream.name}"
    if group.host is not None:
        return f"{service}, verified as {group.host}"
    return service if group.shared_connections else f"{service}, verified as the client's Host"


def lower_peers(destination: Destination, plan: Plan) -> tuple[UpstreamServer, ...]:
    """Return a `server` for each peer."""
    peers = destination.peers
    alone = len(peers) == 1
    hashed = destination.balancing.algorithm == "consistent-hashing"
    weights = hash_weights(peers) if hashed and not alone else [peer.weight for peer in peers]
    return tuple(
        _server(peer, None if alone or peer.srv else weight, destination, plan)
        for peer, weight in zip(peers, weights, strict=True)
    )


def _server(peer: Peer, weight: int | None, destination: Destination, plan: Plan) -> UpstreamServer:
    health = destination.health
    # One address is never taken out; a name may stand for several.
    one_address = len(destination.peers) == 1 and is_address(peer)
    service, address = None, peer.address
    if peer.srv:
        first, second, address = peer.host.rstrip(".").split(".", 2)
        service = Literal(f"{first}.{second}")
    return UpstreamServer(
        address=Literal(address),
        service=service,
        weight=weight,
        resolve=peer.resolve and plan.features.resolve_peers,
        # Kong takes no peer out of rotation unless health checks say so.
        max_fails=None if one_address else health.failures,
        fail_timeout=Literal(f"{health.seconds}s") if health.failures and not one_address else None,
    )


def is_address(peer: Peer) -> bool:
    """Tell whether the peer is one address, and no name that may stand for several."""
    return not peer.resolve and peer.host.lower() != "localhost"


def _directives(plan: Plan, *, shared: bool, balanced: bool) -> tuple[Simple, ...]:
    """Return what is injected, in front since nginx wants a method before `keepalive`; then ours.

    Nothing that is injected keeps connections which must not be shared, or chooses another
    method where the upstream (*balanced*) has one.
    """
    injected = tuple(
        raw(d)
        for d in plan.directives.get("upstream", ())
        if (shared or not d.name.startswith("keepalive")) and not (balanced and d.name in METHODS)
    )
    names = {d.name for d in injected}
    return (*injected, *(d for d in _keepalive(plan, shared=shared) if d.name not in names))


def _keepalive(plan: Plan, *, shared: bool) -> tuple[Simple, ...]:
    """Return how idle connections are kept; none are where requests must not share them."""
    keepalive = plan.keepalive
    if not shared or keepalive.connections == 0:
        off = (Simple("keepalive", (0,)),)
        return off if plan.features.keepalive_by_default else ()
    return (
        Simple("keepalive", (keepalive.connections,)),
        Simple("keepalive_requests", (keepalive.requests or 1_000_000,)),
        Simple("keepalive_timeout", (Literal(f"{keepalive.seconds or 3600}s"),)),
    )
