"""What upstreams ask for that is not compiled: refused, not approximated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import plan_rules, upstream_rules

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Upstream

_COMPILED = frozenset({"round-robin", "least-connections", "consistent-hashing"})
_ALWAYS_THERE = frozenset({"ip", "path", "cookie"})
_SLOTS = 10_000
_REASONS = {
    "consumer": "only plugins that are not compiled know consumers",
}


def check_upstreams(config: Config, report: Report) -> None:
    """Report what is asked for and not compiled, for each upstream that a service uses."""
    services = config.entities.services.values()
    hosts = {service.host for service in services if service.enabled}
    for upstream in config.entities.upstreams.values():
        if upstream.name in hosts:
            _check_upstream(upstream, report)


def _check_upstream(upstream: Upstream, report: Report) -> None:
    if upstream.algorithm not in _COMPILED:
        report.add(
            plan_rules.UPSTREAM_ALGORITHM,
            upstream.source.place("algorithm"),
            entity=upstream.ref,
            upstream=upstream.name,
            algorithm=upstream.algorithm,
        )
    elif upstream.algorithm == "consistent-hashing":
        _check_hashing(upstream, report)
    if upstream.source.get("slots") is not None and upstream.slots != _SLOTS:
        report.add(
            upstream_rules.SLOTS,
            upstream.source.place("slots"),
            entity=upstream.ref,
            upstream=upstream.name,
            slots=upstream.slots,
        )
    if upstream.healthchecks.get("threshold"):
        report.add(
            plan_rules.UPSTREAM_FEATURE,
            upstream.source.place("healthchecks"),
            entity=upstream.ref,
            upstream=upstream.name,
            feature="healthchecks.threshold",
        )


def _check_hashing(upstream: Upstream, report: Report) -> None:
    first, second = upstream.hash_on, upstream.hash_fallback
    if first == "none":
        report.add(
            upstream_rules.HASH_BY_NOTHING,
            upstream.source.place("algorithm"),
            entity=upstream.ref,
            upstream=upstream.name,
        )
    elif first == "consumer" and second != "none":
        report.add(
            upstream_rules.HASH_CONSUMER,
            upstream.source.place("hash_on"),
            entity=upstream.ref,
            upstream=upstream.name,
            field="hash_on",
            instead=f"hash_fallback ({second}) decides",
        )
    else:
        _check_input(upstream, "hash_on", first, report)
    if first not in _ALWAYS_THERE:
        _check_input(upstream, "hash_fallback", second, report)


def _check_input(upstream: Upstream, field: str, kind: str, report: Report) -> None:
    if kind in _REASONS:
        report.add(
            upstream_rules.HASH_INPUT,
            upstream.source.place(field),
            entity=upstream.ref,
            upstream=upstream.name,
            field=field,
            input=kind,
            reason=_REASONS[kind],
        )
