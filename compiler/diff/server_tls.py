"""What changes in the certificates that clients get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.diff.changes import Change, risk
from compiler.diff.masking import DIGITS, shown_certificate
from compiler.explain.sni import DEFAULT, NO_SNI, SniExplainer, has_tls
from compiler.model.diagnostic import EntityRef
from compiler.plan.sni import normal_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.diff.changes import Risk
    from compiler.explain.sni import SniAnswer
    from compiler.model.config import Config

_RULES = {
    "exact": "its own SNI",
    "prefix-wildcard": "the wildcard {}",
    "suffix-wildcard": "the wildcard {}",
    "catch-all": "the SNI *",
    DEFAULT: "the default certificate",
}


def server_tls_changes(old: Config, new: Config) -> Iterator[Change]:
    """Yield what changes for clients by the name they send; nothing where a side has no TLS."""
    if not (has_tls(old) and has_tls(new)):
        return
    explainers = SniExplainer(old), SniExplainer(new)
    names = {normal_name(s.name) for side in (old, new) for s in side.entities.snis.values()}
    for name in (None, *sorted(names)):
        # A wildcard finds what any name that it is there for finds.
        before, after = (explainer.explain(name) for explainer in explainers)
        yield from _name_changes(name, before, after)
    before, after = (explainer.explain(None) for explainer in explainers)
    if (before.requested_by is None) != (after.requested_by is None):
        yield _requested(before, after)


def _name_changes(name: str | None, before: SniAnswer, after: SniAnswer) -> Iterator[Change]:
    old, new = _served(before), _served(after)
    if old != new:
        yield _replaced(name, before, after)
    elif (before.rule, _sni(before)) != (after.rule, _sni(after)):
        yield _change(
            "server-name-rule-changed",
            name,
            "neutral",
            _rule(before),
            _rule(after),
            f"{_who(name)}: same certificate, now by {_rule(after)}, was by {_rule(before)}",
        )


def _replaced(name: str | None, before: SniAnswer, after: SniAnswer) -> Change:
    old, new = _served(before), _served(after)
    if before.rule == after.rule:
        what = _what_differs(before, after)
    else:
        what = f"now answered by {_rule(after)}, was by {_rule(before)}"
    come = [pair for pair in after.pairs if pair not in before.pairs]
    expiry = f", expires {come[0].leaf.not_after:%Y-%m-%d}" if come else ""
    shown = f"{_brief(before, after)} → {_brief(after, before)}"
    return _change(
        "server-certificate-changed",
        name,
        _risk(before, after),
        old,
        new,
        f"{_who(name)}: {what}: {shown}{expiry}",
    )


def _what_differs(before: SniAnswer, after: SniAnswer) -> str:
    leaves = [{pair.leaf for pair in answer.pairs} for answer in (before, after)]
    return "certificate chain changed" if leaves[0] == leaves[1] else "certificate replaced"


def _risk(before: SniAnswer, after: SniAnswer) -> Risk:
    """Names that fall back to the default certificate, or to one that is not for them, lose."""
    lost = before.rule not in (DEFAULT, NO_SNI) and after.rule == DEFAULT
    gained = before.rule == DEFAULT and after.rule not in (DEFAULT, NO_SNI)
    generated = after.source == "generated" and before.source != "generated"
    replaced = before.source == "generated" and after.source != "generated"
    uncovered = before.covered is True and after.covered is False
    return risk(weakens=lost or generated or uncovered, strengthens=gained or replaced)


def _served(answer: SniAnswer) -> list[str]:
    """Return what is served, for comparison and for programs."""
    if not answer.pairs:
        return ["self-signed"]
    found = []
    for pair in answer.pairs:
        chain = "".join(f" + sha256:{c.sha256[:DIGITS]}" for c in pair.chain[1:])
        found.append(shown_certificate(pair.leaf) + chain)
    return sorted(found)


def _brief(answer: SniAnswer, other: SniAnswer) -> str:
    """Return what is served and is not by *other*."""
    if not answer.pairs:
        return "self-signed"
    pairs = [pair for pair in answer.pairs if pair not in other.pairs] or answer.pairs
    return "; ".join(sorted(shown_certificate(pair.leaf) for pair in pairs))


def _sni(answer: SniAnswer) -> str | None:
    return None if answer.sni is None else normal_name(answer.sni.name)


def _rule(answer: SniAnswer) -> str:
    return _RULES[answer.rule].format(_sni(answer))


def _who(name: str | None) -> str:
    return "clients without SNI" if name is None else name


def _requested(before: SniAnswer, after: SniAnswer) -> Change:
    on = after.requested_by is not None
    directive = after.requested_by or before.requested_by
    words = "now" if on else "no longer"
    origin = "" if directive is None else f" (ssl_verify_client {directive.value})"
    return Change(
        kind=f"client-certificate-request-{'added' if on else 'removed'}",
        risk=risk(weakens=not on, strengthens=on),
        entity=EntityRef("setting", "ssl_verify_client", "ssl_verify_client"),
        before="not-requested" if on else "requested",
        after="requested" if on else "not-requested",
        message=f"certificates of clients are {words} requested{origin}",
    )


def _change(
    kind: str, name: str | None, level: Risk, before: Any, after: Any, message: str
) -> Change:
    shown = name or "no SNI"
    return Change(
        kind=kind,
        risk=level,
        entity=EntityRef("sni" if name else "default_certificate", shown, shown),
        before=before,
        after=after,
        message=message,
    )
