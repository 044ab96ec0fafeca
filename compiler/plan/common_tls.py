"""Which TLS policy stands once for all locations, and what the others cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.destinations import TlsPolicy
from compiler.model.routing import Proxied
from compiler.plan.scale import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.config import UpstreamTlsDefaults
    from compiler.model.diagnostic import Report
    from compiler.model.plan import Features
    from compiler.model.routing import HostTable

_SECONDS_PER_CERTIFICATE = 180e-6
_BYTES_PER_CERTIFICATE = 6_000
_SECONDS_PER_CONTEXT = 600e-6
_BYTES_PER_CONTEXT = 25_000


def plan_common_policy(
    tables: Iterable[HostTable], defaults: UpstreamTlsDefaults, *, grpc: bool
) -> TlsPolicy | None:
    """Return the policy that all locations of https (or of grpcs) inherit, None without any.

    It is the global one, which keeps one more service from moving other lines; but a location
    with a policy of its own costs a TLS context (about 0.4 ms and 29 KB), so one that very many
    locations share takes its place.
    """
    counts = Counter(_policies(tables, grpc=grpc))
    if not counts:
        return None
    own = TlsPolicy(
        verify=defaults.verify,
        depth=defaults.depth,
        trusted=defaults.trusted if defaults.verify else None,
        client=defaults.client,
    )
    often = {
        policy: count
        for policy, count in counts.items()
        if count >= LARGE and policy.client == own.client and count > counts[own]
    }
    if not often:
        return own
    return max(often, key=lambda policy: (often[policy], _order(policy)))


def report_cost(
    tables: Iterable[HostTable], features: Features, version: tuple[int, ...], report: Report
) -> None:
    """Warn where every https location builds a TLS context of its own and that hurts."""
    if features.shares_upstream_tls:
        return
    counts = Counter(_policies(tables, grpc=False))
    locations = sum(counts.values())
    certificates = sum(
        count * len(policy.trusted.certificates)
        for policy, count in counts.items()
        if policy.trusted is not None
    )
    seconds = certificates * _SECONDS_PER_CERTIFICATE + locations * _SECONDS_PER_CONTEXT
    size = certificates * _BYTES_PER_CERTIFICATE + locations * _BYTES_PER_CONTEXT
    if seconds >= 1 or size >= 100e6:
        report.add(
            rules.COSTLY_CONTEXTS,
            None,
            version=".".join(map(str, version)),
            count=locations,
            seconds=f"{seconds:.0f}" if seconds >= 1 else "1",
            megabytes=f"{size / 1e6:.0f}",
        )


def _policies(tables: Iterable[HostTable], *, grpc: bool) -> Iterable[TlsPolicy]:
    for table in tables:
        for answer in table.answers:
            if not isinstance(answer, Proxied) or answer.destination.tls is None:
                continue
            if answer.destination.speaks_grpc == grpc:
                yield answer.destination.tls.policy


def _order(policy: TlsPolicy) -> tuple[bool, int, str]:
    return policy.verify, policy.depth, policy.trusted.name if policy.trusted else ""
