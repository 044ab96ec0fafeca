"""Services' paths that are sent as they are written: nginx would decode what Kong leaves alone.

Such a path stands in a `proxy_pass` without variables, which nginx sends as it is, with what
follows the location's name behind it, escaped. So the location of a route leads to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.clients import lua_access
from compiler.lower.dispatch import route_source, target_name
from compiler.lower.locations import passing, target_of, with_injected
from compiler.lower.paths import ENCODED_PATH
from compiler.lower.policies import ended, has_gate
from compiler.lower.termination import termination_type
from compiler.lower.urls import base_sent, keeps_escapes, sent_behind
from compiler.model.nginx import If, Location, Simple
from compiler.model.routing import Proxied
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.plan import Plan
    from compiler.model.routing import Answer


class Bases:
    """Names those locations, and makes them once it is known which there are."""

    def __init__(self, plan: Plan, injected: tuple[Simple, ...]) -> None:
        self._plan = plan
        self._injected = injected
        self._answers: dict[str, Proxied] = {}

    def name(self, answer: Answer) -> str | None:
        """Return the name of the location that *answer* needs, None where it needs none."""
        if not isinstance(answer, Proxied) or answer.destination.speaks_grpc:
            return None
        if not keeps_escapes(answer) or ended(answer, self._plan):
            return None
        called, parts = target_name(answer)
        name = f"to={called}/"
        if target_name(self._answers.setdefault(name, answer))[1] != parts:
            name = f"to={called}.{parts[0]}/"
            self._answers.setdefault(name, answer)
        return name

    def all(self) -> Iterator[Location]:
        """Yield the locations by name."""
        for name, answer in sorted(self._answers.items()):
            yield self._location(name, answer)

    def _location(self, name: str, answer: Proxied) -> Location:
        """Return a location with all that nginx decides once a path is rewritten."""
        target = target_of(answer)
        as_sent = Simple("proxy_pass", (Expression(f"{target}$uri$sent_query"),))
        passes = Simple("proxy_pass", (Expression(target + expression(base_sent(answer))),))
        own = (*termination_type(answer), *passing(answer, self._plan), passes)
        let_in = has_gate(answer, self._plan)
        return Location(
            comment=f"route {answer.route.label} -> service {answer.service.label}, with its path",
            path=Literal(name),
            ifs=(If(variable=ENCODED_PATH, directives=(sent_behind(answer), as_sent)),),
            directives=(
                *(() if let_in else lua_access(answer, self._plan)),
                *with_injected(own, self._injected),
            ),
            source=route_source(answer.route),
        )
