"""What the settings inject: raw nginx text, by Kong's name of the block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.nginx import Simple
from compiler.model.words import Raw

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from compiler.model.plan import Plan
    from compiler.model.settings import Directive


def raw(directive: Directive) -> Simple:
    """Return an injected directive as it is written; some have no value."""
    return Simple(directive.name, (Raw(directive.value),) if directive.value else ())


def injected_into(plan: Plan, blocks: Iterable[str], names: Collection[str]) -> list[Directive]:
    """Return what is injected into *blocks* under one of *names*."""
    return [d for block in blocks for d in plan.directives.get(block, ()) if d.name in names]
