"""From where requests may come (ip-restriction): one `geo` for each set of networks."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.refusals import refuse_if, words_of
from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.access import AddressRestriction
    from compiler.model.nginx import If
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer

_CLIENT = Expression("$remote_addr")
_DEFAULT_MESSAGE = Expression("IP address not allowed: $remote_addr")
_ALLOWED, _REFUSED = Literal("0"), Literal("1")


def address_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps that tell which addresses are refused."""
    asked = {id(answer.access): answer.access.addresses for answer in plan.answers}
    found = {_variable(asks): asks for asks in asked.values() if asks is not None}
    return tuple(_map(variable, found[variable]) for variable in sorted(found))


def address_refusals(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return what refuses clients of other addresses."""
    asks = answer.access.addresses
    if asks is None:
        return ()
    message = _DEFAULT_MESSAGE if asks.message is None else words_of(asks.message, answer)
    return (refuse_if(_variable(asks), asks.status, message, plan),)


def _map(variable: str, asks: AddressRestriction) -> Map:
    return Map(
        why="whether requests from an address are refused (ip-restriction)",
        source=_CLIENT,
        variable=variable,
        default=_ALLOWED if asks.allows_others else _REFUSED,
        entries=(
            *((Literal(network), _ALLOWED) for network in asks.allow),
            *((Literal(network), _REFUSED) for network in asks.deny),
        ),
        by_address=True,
    )


def _variable(asks: AddressRestriction) -> str:
    text = repr((asks.allow, asks.deny, asks.allows_others))
    return f"$address_refused_{sha256(text.encode()).hexdigest()[:8]}"
