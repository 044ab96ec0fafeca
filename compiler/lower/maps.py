"""What the keys and rows of `map` blocks have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


def expression_map(
    why: str, source: str, variable: str, entries: Mapping[str, str], *, default: str = ""
) -> Map:
    """Return a map from what *source* is to expressions; without a default it is empty."""
    return Map(
        why=why,
        source=Expression(source),
        variable=variable,
        default=Expression(default) if default else None,
        entries=tuple((Literal(key), Expression(value)) for key, value in entries.items()),
    )


def map_key(name: str) -> str:
    """Spell a name so that `map` takes it as a plain key."""
    special = name in ("default", "hostnames", "include", "volatile") or name[:1] in ("~", "\\")
    return f"\\{name}" if special else name
