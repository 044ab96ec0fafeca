"""What plugins decide of a request before it is passed on, in the order in which Kong runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.access_data import asks_lua
from compiler.lower.addresses import address_maps, address_refusals
from compiler.lower.clients import client_refusals
from compiler.lower.errors import NO_PEER
from compiler.lower.groups import all_refused, group_maps, group_refusals
from compiler.lower.origins import cross_origin_texts, preflights
from compiler.lower.termination import terminated, termination_ifs, termination_maps
from compiler.model.nginx import Simple
from compiler.model.routing import Proxied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.nginx import If, Map
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer


def policy_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind what is decided."""
    return (*address_maps(plan), *group_maps(plan), *termination_maps(plan))


def gate_ifs(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return what answers requests to a route by what they come with."""
    return (*preflights(answer), *client_refusals(answer, plan))


def later_ifs(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return what ends some of those that were let in."""
    return (
        *address_refusals(answer, plan),
        *group_refusals(answer, plan),
        *termination_ifs(answer, plan),
    )


def has_gate(answer: Answer, plan: Plan) -> bool:
    """Tell whether who is let in goes on in a location of its own.

    Lua decides after all of a location's `if` and `return`, so what Kong does behind that has to
    stand elsewhere.
    """
    later = (answer.access.addresses, answer.access.groups, answer.access.termination)
    passed_on = isinstance(answer, Proxied) and not answer.reaches_nobody
    ends = any(found is not None for found in later) or not passed_on
    return asks_lua(answer.access, plan) and ends


def ended(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Return what ends all other requests to a route, nothing where they are passed on."""
    return all_refused(answer, plan) or terminated(answer, plan) or _without_peer(answer)


def _without_peer(answer: Answer) -> tuple[Simple, ...]:
    if isinstance(answer, Proxied) and answer.reaches_nobody:
        return (Simple("return", (NO_PEER,)),)
    return ()


def policy_texts(plan: Plan) -> Iterator[str]:
    """Yield the texts of users that stand in expressions."""
    for access in {id(answer.access): answer.access for answer in plan.answers}.values():
        if access.addresses is not None:
            yield access.addresses.message or ""
        if access.termination is not None:
            yield access.termination.body or ""
            yield access.termination.words or ""
    yield from cross_origin_texts(plan)
    for consumer in plan.consumers:
        yield from (consumer.username or "", consumer.custom_id or "")
        yield from plan.memberships.all.get(consumer.id, ())
    for credentials in plan.credentials.values():
        yield from (credential.name for credential in credentials)
