"""When a target is taken out: the part of Kong's health checks that nginx can follow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from compiler.catalog import upstream_rules as rules
from compiler.model.balancing import Health

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.entities import Upstream

_SECONDS = 10
"""How long a target is out where nothing says when Kong would ask it again (nginx's default)."""
_LONGEST = 3600


def plan_health(upstream: Upstream | None, report: Report) -> Health:
    """Return when targets are taken out; say what was asked for beyond that.

    Kong's counters know no time, and nginx counts failed connections and timeouts as one: the
    smaller of the two thresholds is taken. Without passive checks, those of the probes that
    nginx cannot send count failed requests instead.
    """
    if upstream is None:
        return Health()
    passive = _part(upstream.healthchecks, "passive", "unhealthy")
    probes = _probes(upstream.healthchecks)
    counted = _threshold(passive)
    failures = counted
    if probes and probes[0].get("interval"):
        failures = failures or _threshold(probes[1])
    health = Health(failures=failures, seconds=_recovery(probes) if failures else 0)
    if probes:
        _report_probes(upstream, probes, health, report)
    if counted:
        _report_passive(upstream, health, report, probed=probes is not None)
    if passive.get("http_failures"):
        report.add(
            rules.PASSIVE_STATUSES,
            upstream.source.place("healthchecks"),
            entity=upstream.ref,
            upstream=upstream.name,
        )
    return health


def _part(checks: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = checks
    for name in names:
        found = found.get(name) or {}
    return dict(found)


def _probes(checks: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the probes of healthy and of unhealthy targets; None when none are sent.

    Kong sends no tcp probes for HTTP.
    """
    active = _part(checks, "active")
    healthy, unhealthy = _part(active, "healthy"), _part(active, "unhealthy")
    if active.get("type") == "tcp" or not (healthy.get("interval") or unhealthy.get("interval")):
        return None
    return healthy, unhealthy


def _threshold(unhealthy: Mapping[str, Any]) -> int:
    counts = [unhealthy.get("tcp_failures") or 0, unhealthy.get("timeouts") or 0]
    return min((count for count in counts if count), default=0)


def _recovery(probes: tuple[Mapping[str, Any], Mapping[str, Any]] | None) -> int:
    """Return after how many seconds probes would have found a target healthy again."""
    # Kong probes targets that are out at the interval of `unhealthy`.
    interval = (probes[1].get("interval") or 0) if probes else 0
    successes = (probes[0].get("successes") or 0) if probes else 0
    if not interval or not successes:
        return _SECONDS
    return max(1, min(_LONGEST, math.ceil(interval * successes)))


def _report_probes(
    upstream: Upstream,
    probes: tuple[Mapping[str, Any], Mapping[str, Any]],
    health: Health,
    report: Report,
) -> None:
    intervals = [
        f"{kind} every {found['interval']:g} s"
        for kind, found in zip(("healthy", "unhealthy"), probes, strict=True)
        if found.get("interval")
    ]
    out = f"is out for {health.seconds} s after {health.failures} failed requests"
    report.add(
        rules.ACTIVE_CHECKS,
        upstream.source.place("healthchecks"),
        entity=upstream.ref,
        upstream=upstream.name,
        checks=", ".join(intervals),
        instead=f"a target {out}" if health.failures else "no target is taken out",
    )


def _report_passive(upstream: Upstream, health: Health, report: Report, *, probed: bool) -> None:
    kong = "where Kong waits for its probes" if probed else "where Kong leaves it out until told"
    report.add(
        rules.PASSIVE_CHECKS,
        upstream.source.place("healthchecks"),
        entity=upstream.ref,
        upstream=upstream.name,
        failures=health.failures,
        seconds=health.seconds,
        kong=kong,
    )
