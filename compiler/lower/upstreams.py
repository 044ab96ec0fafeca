"""Groups of peers to `upstream` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.nginx import Simple, Source, UpstreamBlock, UpstreamServer
from compiler.model.words import Literal, Raw

if TYPE_CHECKING:
    from compiler.model.plan import Peer, Plan, UpstreamGroup

ZONE = Literal("upstream_names")
"""The shared memory in which looked-up addresses are kept, one zone for all groups."""

_NO_PEER = UpstreamServer(
    address=Literal("127.0.0.1:1"), weight=None, resolve=False, ignore_failures=False, down=True
)
"""nginx wants a server in every group; this one is never asked."""

_BYTES_PER_PEER = 4096
_SMALLEST_ZONE = 256 * 1024


def lower_upstreams(plan: Plan) -> tuple[UpstreamBlock, ...]:
    """Return a block for each group, so that no two share connections or TLS sessions."""
    shared, separate = _directives(plan, shared=True), _directives(plan, shared=False)
    blocks = [
        _block(group, plan, shared if group.shared_connections else separate)
        for group in plan.groups
    ]
    if any(block.zone is not None for block in blocks):
        blocks.insert(0, _zone(plan))
    return tuple(blocks)


def _zone(plan: Plan) -> UpstreamBlock:
    """Return a group without peers that gives the shared zone its size, in one place."""
    return UpstreamBlock(
        comment="memory for the addresses that names are looked up to, shared by all groups",
        name=ZONE,
        zone=(ZONE, Literal(f"{zone_size(plan) // 1024}k")),
        servers=(_NO_PEER,),
        keepalive=(),
        source=None,
    )


def zone_size(plan: Plan) -> int:
    """Return the bytes for looked-up peers, in powers of two so that it seldom changes."""
    peers = sum(peer.resolve for group in plan.groups for peer in group.destination.peers)
    size = _SMALLEST_ZONE
    while size < peers * _BYTES_PER_PEER:
        size *= 2
    return size


def looked_up(group: UpstreamGroup, plan: Plan) -> bool:
    """Tell whether nginx looks the group's names up while it runs."""
    return plan.features.resolve_peers and any(p.resolve for p in group.destination.peers)


def _block(group: UpstreamGroup, plan: Plan, keepalive: tuple[Simple, ...]) -> UpstreamBlock:
    service = group.destination.service
    peers = group.destination.peers
    dynamic = looked_up(group, plan)
    return UpstreamBlock(
        comment=_comment(group),
        name=Literal(group.name),
        zone=(ZONE,) if dynamic else None,
        servers=tuple(_server(peer, plan, alone=len(peers) == 1) for peer in peers) or (_NO_PEER,),
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


def _server(peer: Peer, plan: Plan, *, alone: bool) -> UpstreamServer:
    return UpstreamServer(
        address=Literal(peer.address),
        weight=None if alone else peer.weight,
        resolve=peer.resolve and plan.features.resolve_peers,
        # Kong takes no peer out of rotation unless passive health checks say so.
        ignore_failures=not alone,
    )


def _directives(plan: Plan, *, shared: bool) -> tuple[Simple, ...]:
    """Return what is injected, in front since nginx wants a method before `keepalive`; then ours.

    Nothing that is injected keeps connections which must not be shared.
    """
    raw = tuple(
        Simple(d.name, (Raw(d.value),))
        for d in plan.directives.get("upstream", ())
        if shared or not d.name.startswith("keepalive")
    )
    injected = {d.name for d in raw}
    return (*raw, *(d for d in _keepalive(plan, shared=shared) if d.name not in injected))


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
