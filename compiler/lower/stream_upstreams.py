"""Services of streams to `upstream` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.injected import raw
from compiler.lower.sizes import power
from compiler.lower.upstreams import NO_PEER, lower_peers
from compiler.model.nginx import Simple, Source, UpstreamBlock
from compiler.model.words import Literal

if TYPE_CHECKING:
    from compiler.model.plan import Plan
    from compiler.model.stream import StreamGroup, StreamPlan

ZONE = Literal("stream_upstream_names")
"""The shared memory in which looked-up addresses are kept; the http block has its own."""

_BYTES_PER_PEER = 4096
_SMALLEST_ZONE = 256 * 1024


def lower_stream_upstreams(stream: StreamPlan, plan: Plan) -> tuple[UpstreamBlock, ...]:
    """Return a block for each service, so that no two share TLS sessions."""
    injected = tuple(raw(d) for d in plan.directives.get("supstream", ()))
    blocks = [_block(group, plan, injected) for group in stream.groups]
    if any(block.zone is not None for block in blocks):
        blocks.insert(0, _zone(stream))
    return tuple(blocks)


def _zone(stream: StreamPlan) -> UpstreamBlock:
    peers = sum(peer.resolve for group in stream.groups for peer in group.destination.peers)
    size = power(peers * _BYTES_PER_PEER, _SMALLEST_ZONE)
    return UpstreamBlock(
        comment="memory for the addresses that names are looked up to, shared by all groups",
        name=ZONE,
        zone=(ZONE, Literal(f"{size // 1024}k")),
        servers=(NO_PEER,),
        method=(),
        keepalive=(),
        source=None,
    )


def _block(group: StreamGroup, plan: Plan, injected: tuple[Simple, ...]) -> UpstreamBlock:
    destination = group.destination
    service, peers = destination.service, destination.peers
    comment = f"service {service.label}"
    if destination.upstream is not None:
        comment += f", upstream {destination.upstream.name}"
    dynamic = plan.features.resolve_peers and any(peer.resolve for peer in peers)
    in_memory = dynamic or destination.health.failures
    return UpstreamBlock(
        comment=comment,
        name=Literal(group.name),
        zone=(ZONE,) if in_memory else None,
        servers=lower_peers(destination, plan) or (NO_PEER,),
        method=(),
        keepalive=injected,
        source=Source("service", service.id, service.name, service.source),
    )
