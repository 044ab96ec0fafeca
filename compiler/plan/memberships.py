"""acl: members of which groups may ask, and where nobody can be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import policy_rules as rules
from compiler.model.access import GroupRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.access import Access
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report, Rule
    from compiler.model.entities import Plugin
    from compiler.model.routing import Answer, HostTable


def memberships(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the groups of each consumer that is in any, in the order in which they are read."""
    found: dict[str, dict[str, None]] = {}
    for membership in config.entities.acls.values():
        found.setdefault(membership.consumer, {})[membership.group] = None
    return {consumer: tuple(groups) for consumer, groups in found.items()}


def plan_groups(plugin: Plugin, groups_of: Mapping[str, tuple[str, ...]]) -> GroupRule:
    """Return what *plugin* asks; *groups_of* are those of each consumer.

    Whether a certificate's group counts where a consumer is known, too, does not matter: nobody
    has both here.
    """
    said = plugin.config
    groups = said["deny"] or said["allow"] or ()
    return GroupRule(
        plugin=plugin,
        groups=tuple(sorted(set(groups))),
        members=tuple(sorted(c for c, of in groups_of.items() if not set(groups).isdisjoint(of))),
        denies=bool(said["deny"]),
        hides=said["hide_groups_header"],
    )


def report_groups(tables: Iterable[HostTable], report: Report) -> None:
    """Report rules that nobody meets, and those that some would get around."""
    asking = (answer for table in tables for answer in table.answers if answer.access.groups)
    for answer in {answer.route.id: answer for answer in asking}.values():
        rule = answer.access.groups
        if rule is None:
            continue
        if not answer.access.authentications:
            _report(rules.GROUPS_OF_NOBODY, answer, rule, report)
        elif rule.denies and _is_by_subject(answer.access):
            _report(rules.GROUPS_BY_SUBJECT, answer, rule, report)


def _is_by_subject(access: Access) -> bool:
    return any(auth.lookup is None and auth.group_by == "DN" for auth in access.authentications)


def _report(found: Rule, answer: Answer, rule: GroupRule, report: Report) -> None:
    report.add(
        found,
        rule.plugin.source.place("name"),
        entity=rule.plugin.ref,
        route=answer.route.label,
    )
