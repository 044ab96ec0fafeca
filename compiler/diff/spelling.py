"""Values that differ, as messages and programs are told them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.diff.records import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 60


def spelt(before: Any, after: Any) -> str:
    """Return a difference in words; of lists only what comes and goes."""
    if isinstance(before, list) and isinstance(after, list):
        gone = [item for item in before if item not in after]
        come = [item for item in after if item not in before]
        if gone or come:
            parts = [f"-{_short(item)}" for item in gone] + [f"+{_short(item)}" for item in come]
            return " ".join(parts)
    return f"{_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{listed(value)}]"
    text = str(as_json(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def listed(values: Sequence[Any]) -> str:
    """Return the first of several values, and how many more there are."""
    shown = [_short(value) for value in values[:4]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def as_json(value: Any) -> Any:
    """Return a value with links as what people call what they lead to."""
    if isinstance(value, Link):
        return value.label
    return [as_json(item) for item in value] if isinstance(value, list) else value
