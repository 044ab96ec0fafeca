"""Who is asked for the names of upstreams and of responders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.access_data import asks_responders
from compiler.model.nginx import Section, Simple
from compiler.model.words import Literal

if TYPE_CHECKING:
    from compiler.model.balancing import Lookup
    from compiler.model.plan import Plan

_PATIENCE = Simple("resolver_timeout", (Literal("10s"),))
"""Kong asks five times, two seconds each. LOOKUP_SECONDS of responders.lua is the same time."""


def lower_resolver(plan: Plan) -> tuple[Section, ...]:
    """Return the name servers and how they are asked; nothing where no name is looked up."""
    if not plan.resolvers:
        return ()
    servers = tuple(Literal(server) for server in plan.resolvers)
    return (
        Section(
            comment=_comment(plan),
            directives=(Simple("resolver", (*servers, *_options(plan.lookup))), _PATIENCE),
        ),
    )


def _comment(plan: Plan) -> str:
    if asks_responders(plan):
        return "names of upstreams and of responders (OCSP) are looked up here"
    return "names of upstreams are looked up here"


def _options(lookup: Lookup) -> tuple[Literal, ...]:
    found = [] if lookup.valid is None else [f"valid={lookup.valid}s"]
    found += [] if lookup.ipv4 else ["ipv4=off"]
    found += [] if lookup.ipv6 else ["ipv6=off"]
    return tuple(Literal(word) for word in found)
