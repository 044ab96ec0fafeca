"""What the checks of fields know beside the value at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.catalog.schema_fields import Field
    from compiler.resolve.checks import Check
    from compiler.resolve.problems import Holder, Problems
    from compiler.resolve.references import Index

INVALID: Any = object()
"""What a checker returns instead of a value that it reported."""

Checker = Callable[[Any, "Holder", "str | int", "Problems"], Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What the same description may turn into different checkers for."""

    version: tuple[int, ...]
    flavor: str
    checks: Mapping[str, Check]
    index: Index

    def has(self, field: Field) -> bool:
        """Tell whether the version and router flavor have *field*."""
        here = self.version >= field.since or any(
            self.version[:2] == release[:2] and self.version >= release
            for release in field.backported
        )
        return here and (not field.flavors or self.flavor in field.flavors)
