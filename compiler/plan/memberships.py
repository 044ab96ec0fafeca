"""acl: members of which groups may ask, and where nobody can be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import policy_rules as rules
from compiler.model.access import GroupRule, Memberships

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.access import Access
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report, Rule
    from compiler.model.entities import Plugin
    from compiler.model.routing import Answer, HostTable


def memberships(config: Config) -> Memberships:
    """Return the groups of each consumer that is in any.

    Those of acls come in the order in which they are read, consumer groups by name.
    """
    acl = [(found.consumer, found.group) for found in config.entities.acls.values()]
    return Memberships(acl=_by_consumer(acl), all=_by_consumer([*acl, *_consumer_groups(config)]))


def _consumer_groups(config: Config) -> list[tuple[str, str]]:
    groups = config.entities.consumer_groups
    members = config.entities.consumer_group_consumers.values()
    return sorted((m.consumer, groups[m.consumer_group].name) for m in members)


def _by_consumer(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for consumer, group in pairs:
        found.setdefault(consumer, {})[group] = None
    return {consumer: tuple(groups) for consumer, groups in found.items()}


def plan_groups(plugin: Plugin, known: Memberships) -> GroupRule:
    """Return what *plugin* asks, of consumers whose groups are *known*.

    Whether a certificate's group counts where a consumer is known, too, does not matter: nobody
    has both here.
    """
    said = plugin.config
    groups = tuple(sorted(set(said["deny"] or said["allow"] or ())))
    # Versions before 3.6 do not have it.
    included = bool(said.get("include_consumer_groups"))
    return GroupRule(
        plugin=plugin,
        groups=groups,
        members=_members(groups, known.all if included else known.acl),
        denies=bool(said["deny"]),
        includes_consumer_groups=included,
        hides=said["hide_groups_header"],
    )


def _members(groups: tuple[str, ...], groups_of: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(c for c, of in groups_of.items() if not set(groups).isdisjoint(of)))


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
