"""Members of which groups may ask (acl).

Consumers are known by their ids, and what groups they are in is known now. Where no consumer is
looked for, a client's only group is a name in its certificate, as nginx writes it.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.consumers import certificate_name, rfc2253
from compiler.lower.refusals import refuse, refuse_if, words_of
from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.access import Access, GroupRule
    from compiler.model.nginx import If, Simple
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer

CONSUMER_GROUPS = "$consumer_groups"
AUTHENTICATED_GROUPS = "$authenticated_groups"

_CONSUMER = "$consumer_id"
_SUBJECT = "$client_cert_dn"
_NAME = "$certificate_common_name"
_GROUPS_OF = "$groups_of_consumer"
_ALL_GROUPS_OF = "$all_groups_of_consumer"
_REFUSED = Literal("1")
_LET_IN = Literal("")
# `set` comes first, but what is looked up before it must not be kept.
_FRESH = ("volatile",)


def group_told(access: Access) -> Iterator[tuple[str, str]]:
    """Yield the variables that tell upstreams of a client's groups, with their values."""
    rule = access.groups
    if rule is None or rule.hides:
        return
    if _knows_consumers(access):
        yield CONSUMER_GROUPS, _groups_variable(rule)
    if _knows_names(access):
        yield AUTHENTICATED_GROUPS, _group_name(access)


def group_refusals(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return what refuses those who are in no group that may ask."""
    access = answer.access
    if access.groups is None or not access.authentications:
        return ()
    message = words_of("You cannot consume this service", answer)
    return (refuse_if(_verdict(access, access.groups), 403, message, plan),)


def all_refused(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Return what refuses everybody, where nobody can be in a group."""
    if answer.access.groups is None or answer.access.authentications:
        return ()
    return refuse(401, words_of("Unauthorized", answer), plan)


def group_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind all that."""
    accesses = {id(answer.access): answer.access for answer in plan.answers}.values()
    asking = [access for access in accesses if access.groups and access.authentications]
    found: dict[str, Map] = {}
    for access in asking:
        found |= {made.variable: made for made in _maps(access, plan)}
    return tuple(found[name] for name in sorted(found))


def _maps(access: Access, plan: Plan) -> Iterator[Map]:
    rule = access.groups
    if rule is None:
        return
    if _knows_names(access):
        if _group_name(access) == _NAME:
            yield certificate_name(_SUBJECT, _NAME)
        yield _by_name(access, rule)
    if _knows_consumers(access):
        yield _by_consumer(access, rule)
        yield _groups_of(rule, plan)


def _by_consumer(access: Access, rule: GroupRule) -> Map:
    nobody = Expression(_name_verdict(access, rule)) if _knows_names(access) else _REFUSED
    return Map(
        why=f"whether a consumer is refused: {_in_words(rule)}",
        source=Expression(_CONSUMER),
        variable=_verdict(access, rule),
        default=_LET_IN if rule.denies else _REFUSED,
        entries=(
            (Literal(""), nobody),
            *((Literal(id_), _REFUSED if rule.denies else _LET_IN) for id_ in rule.members),
        ),
        options=_FRESH,
    )


def _by_name(access: Access, rule: GroupRule) -> Map:
    by_subject = _group_name(access) == _SUBJECT
    names = rule.groups if by_subject else map(rfc2253, rule.groups)
    return Map(
        why=f"whether a name in a certificate is refused, to the letter: {_in_words(rule)}",
        source=Expression(_group_name(access)),
        variable=_name_verdict(access, rule),
        default=_LET_IN if rule.denies else _REFUSED,
        entries=(
            (Literal(""), _REFUSED),
            *(
                (Literal(f"~^{re.escape(name)}$"), _REFUSED if rule.denies else _LET_IN)
                for name in names
            ),
        ),
        options=_FRESH,
    )


def _groups_of(rule: GroupRule, plan: Plan) -> Map:
    groups_of = plan.memberships.seen_by(rule)
    which = ", consumer groups included" if rule.includes_consumer_groups else ""
    return Map(
        why=f"the groups that a consumer is in{which}",
        source=Expression(_CONSUMER),
        variable=_groups_variable(rule),
        default=_LET_IN,
        entries=tuple(
            (Literal(consumer.id), expression(", ".join(groups_of[consumer.id])))
            for consumer in sorted(plan.consumers, key=lambda consumer: consumer.id)
            if consumer.id in groups_of
        ),
        options=_FRESH,
    )


def _groups_variable(rule: GroupRule) -> str:
    return _ALL_GROUPS_OF if rule.includes_consumer_groups else _GROUPS_OF


def _knows_consumers(access: Access) -> bool:
    return any(auth.lookup or auth.anonymous for auth in access.authentications)


def _knows_names(access: Access) -> bool:
    return any(auth.lookup is None for auth in access.authentications)


def _group_name(access: Access) -> str:
    return _SUBJECT if access.authentications[0].group_by == "DN" else _NAME


def _in_words(rule: GroupRule) -> str:
    by = "acl, consumer groups included" if rule.includes_consumer_groups else "acl"
    return f"{'in' if rule.denies else 'not in'} {', '.join(rule.groups)} ({by})"


def _verdict(access: Access, rule: GroupRule) -> str:
    if not _knows_consumers(access):
        return _name_verdict(access, rule)
    kind = _group_name(access) if _knows_names(access) else ""
    return f"$consumer_refused_{_digest(rule, kind)}"


def _name_verdict(access: Access, rule: GroupRule) -> str:
    return f"$name_refused_{_digest(rule, _group_name(access))}"


def _digest(rule: GroupRule, kind: str) -> str:
    text = repr((rule.groups, rule.denies, kind, *rule.includes_consumer_groups * ("all",)))
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
