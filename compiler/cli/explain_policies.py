"""What plugins ask of a request, in the answer of `kcompile explain request`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.cli.explain_text import written_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.access import Access, Origins
    from compiler.model.entities import Plugin


def policy_lines(access: Access) -> Iterator[str]:
    """Yield what plugins ask beside who asks, as people read it."""
    if access.cross_origin is not None:
        rules = access.cross_origin
        yield f"  pages of {_sites(rules.origins)} may use it ({_by(rules.plugin)})"
    if access.addresses is not None:
        asks = access.addresses
        others = "all others" if asks.allows_others else "none else"
        allowed = ", ".join([*asks.allow, others])
        denied = f", but not from {', '.join(asks.deny)}" if asks.deny else ""
        yield f"  let in: from {allowed}{denied} ({_by(asks.plugin)})"
    if access.groups is not None:
        who = "all but members of" if access.groups.denies else "members of"
        which = ", as consumer groups, too" if access.groups.includes_consumer_groups else ""
        groups = f"{', '.join(access.groups.groups)}{which}"
        yield f"  let in: {who} {groups} ({_by(access.groups.plugin)})"
    if access.termination is not None:
        ends = access.termination
        only = "" if ends.trigger is None else f" where a header or argument is {ends.trigger}"
        yield f"  answered here with {ends.status}{only} ({_by(ends.plugin)})"


def policies_json(access: Access) -> dict[str, Any]:
    """Return the same as programs read it: by plugin, None for one that does not apply."""
    rules, asks, groups, ends = (
        access.cross_origin, access.addresses, access.groups, access.termination
    )  # fmt: skip
    return {
        "cors": None if rules is None else {
            "id": rules.plugin.id,
            "origins": list(rules.plugin.config["origins"] or ["*"]),
            "credentials": rules.credentials,
        },
        "ip_restriction": None if asks is None else {
            "id": asks.plugin.id,
            "allow": list(asks.allow),
            "deny": list(asks.deny),
            "status": asks.status,
        },
        "acl": None if groups is None else {
            "id": groups.plugin.id,
            "allow": [] if groups.denies else list(groups.groups),
            "deny": list(groups.groups) if groups.denies else [],
            "include_consumer_groups": groups.includes_consumer_groups,
            "consumers": list(groups.members),
        },
        "request_termination": None if ends is None else {
            "id": ends.plugin.id,
            "status": ends.status,
            "trigger": ends.trigger,
        },
    }  # fmt: skip


def _sites(origins: Origins) -> str:
    if origins.any_site:
        return "any site"
    if origins.only is not None:
        return origins.only
    return ", ".join((*origins.domains, *origins.domain_regexes, *origins.host_regexes))


def _by(plugin: Plugin) -> str:
    return f"{plugin.name}, {written_at(plugin.source, 'name')}"
