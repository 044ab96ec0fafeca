"""What changes in how services' connections to their upstreams are protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.diff.changes import Change, risk
from compiler.diff.masking import DIGITS, shown_certificate
from compiler.model.diagnostic import Report
from compiler.plan.stream_destinations import StreamDestinationPlanner
from compiler.plan.versions import features_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.diff.changes import Risk
    from compiler.model.config import Config
    from compiler.model.destinations import UpstreamTls
    from compiler.model.entities import Service
    from compiler.model.inputs import Inputs
    from compiler.model.x509 import Bundle, KeyPair


def upstream_tls_changes(
    old: tuple[Config, Inputs], new: tuple[Config, Inputs], services: Iterable[tuple[str, str]]
) -> Iterator[Change]:
    """Yield what changes for each of *services*, given by their old and new ids."""
    planners = _planner(*old), _planner(*new)
    for old_id, new_id in services:
        before, after = old[0].entities.services[old_id], new[0].entities.services[new_id]
        tls = [
            planner.plan(service, sends_own_name=True).tls
            for planner, service in zip(planners, (before, after), strict=True)
        ]
        yield from _service_changes(after, tls[0], tls[1], before)


def _planner(config: Config, inputs: Inputs) -> StreamDestinationPlanner:
    return StreamDestinationPlanner(
        config,
        features_of(inputs.nginx_version),
        names_at_start=inputs.names_at_start,
        report=Report(),
    )


def _service_changes(
    service: Service, before: UpstreamTls | None, after: UpstreamTls | None, old: Service
) -> Iterator[Change]:
    if before is not None and after is not None:
        yield from _both(service, before, after)
    elif before is not None:
        said = f"{service.label}: connections to the upstream no longer use TLS"
        yield _change("tls-removed", service, "weakens", old.protocol, service.protocol, said)
    elif after is not None:
        verified = "" if after.policy.verify else ", but the upstream is not verified"
        said = f"{service.label}: connections to the upstream now use TLS{verified}"
        yield _change("tls-added", service, "strengthens", old.protocol, service.protocol, said)


def _both(service: Service, before: UpstreamTls, after: UpstreamTls) -> Iterator[Change]:
    if before.policy.verify != after.policy.verify:
        yield _verify(service, after)
    elif after.policy.verify:
        yield from _verified(service, before, after)
    if (before.name, before.server_name) != (after.name, after.server_name):
        shown = before.name or "none", after.name or "none"
        said = f"{service.label}: name that the upstream is known by: {shown[0]} → {shown[1]}"
        yield _change("name-changed", service, "neutral", before.name, after.name, said)
    yield from _client(service, before.policy.client, after.policy.client)


def _verify(service: Service, after: UpstreamTls) -> Change:
    verify, because = after.policy.verify, after.because["verify"][0]
    what = "now verified" if verify else "no longer verified"
    return _change(
        f"verify-{'added' if verify else 'removed'}",
        service,
        risk(weakens=not verify, strengthens=verify),
        not verify,
        verify,
        f"{service.label}: upstream {what} ({because})",
    )


def _verified(service: Service, before: UpstreamTls, after: UpstreamTls) -> Iterator[Change]:
    """Yield what changes in a verification that is on before and after."""
    was, depth = before.policy.depth, after.policy.depth
    if was != depth:
        said = f"{service.label}: intermediate certificates allowed: {was} → {depth}"
        level = risk(weakens=depth > was, strengthens=depth < was)
        yield _change("verify-depth-changed", service, level, was, depth, said)
    old, new = _authorities(before.policy.trusted), _authorities(after.policy.trusted)
    if old.keys() == new.keys():
        return
    come = [new[key] for key in new if key not in old]
    gone = [old[key] for key in old if key not in new]
    parts = [*_some("trusts", come), *_some("no longer trusts", gone)]
    yield _change(
        "ca-set-changed",
        service,
        risk(weakens=bool(come), strengthens=bool(gone)),
        sorted(old.values()),
        sorted(new.values()),
        f"{service.label}: CA set changed: {', '.join(parts)} ({after.because['trusted'][0]})",
    )


def _client(service: Service, before: KeyPair | None, after: KeyPair | None) -> Iterator[Change]:
    old, new = _shown(before), _shown(after)
    if old == new:
        return
    level: Risk = "neutral" if before and after else risk(
        weakens=after is None, strengthens=before is None
    )  # fmt: skip
    what = "changed" if before and after else "removed" if after is None else "added"
    said = f"{service.label}: client certificate {what}: {old or 'none'} → {new or 'none'}"
    if after is not None:
        said += f", expires {after.leaf.not_after:%Y-%m-%d}"
    yield _change(f"client-certificate-{what}", service, level, old, new, said)


def _authorities(bundle: Bundle | None) -> dict[str, str]:
    found = () if bundle is None else bundle.certificates
    return {authority.sha256: shown_certificate(authority) for authority in found}


def _some(verb: str, names: list[str]) -> list[str]:
    if not names:
        return []
    shown = "; ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"{verb} {shown}"]


def _shown(pair: KeyPair | None) -> str | None:
    if pair is None:
        return None
    chain = [c.sha256[:DIGITS] for c in pair.chain[1:]]
    return shown_certificate(pair.leaf) + (f" with chain {' '.join(chain)}" if chain else "")


def _change(
    what: str, service: Service, level: Risk, before: object, after: object, message: str
) -> Change:
    return Change(
        kind=f"upstream-{what}",
        risk=level,
        entity=service.ref,
        before=before,
        after=after,
        message=message,
    )
