"""What one change is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from compiler.model.diagnostic import EntityRef

Risk = Literal["weakens", "strengthens", "neutral"]

RISKS: tuple[Risk, ...] = ("weakens", "strengthens", "neutral")
"""In the order in which changes are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs; `before` and `after` hold no secret and can be written as JSON."""

    kind: str
    risk: Risk
    entity: EntityRef
    before: Any = field(default=None, hash=False)
    after: Any = field(default=None, hash=False)
    message: str

    def sort_key(self) -> tuple[object, ...]:
        """Order what weakens first, then by kind and name."""
        name = self.entity.name or self.entity.id
        return RISKS.index(self.risk), self.kind, name, self.entity.id, self.message


def risk(*, weakens: bool, strengthens: bool) -> Risk:
    """Return the risk of a change that does one, or both (which says nothing), or neither."""
    if weakens == strengthens:
        return "neutral"
    return "weakens" if weakens else "strengthens"
