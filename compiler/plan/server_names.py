"""Server names of handshakes: which of nginx's patterns one belongs to, and what is asked there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.plan.sni import normal_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.access import Handshake


def handshake_of(name: str | None, handshakes: Sequence[Handshake]) -> Handshake | None:
    """Return what a client that sends *name* is asked for; None where nobody is asked.

    nginx takes the exact name, else the longest wildcard in front, else the longest behind.
    """
    if name is None or not handshakes:
        return next(iter(handshakes), None)
    wanted = normal_name(name)
    named = [(pattern, found) for found in handshakes for pattern in found.names]
    matching = [(pattern, found) for pattern, found in named if _covers(pattern, wanted)]
    best = max(matching, key=lambda row: _specificity(row[0]), default=("", handshakes[0]))
    return best[1]


def is_named(name: str, handshakes: Sequence[Handshake]) -> bool:
    """Tell whether nginx knows the server name *name*: by itself, or by a wildcard."""
    return any(_covers(pattern, name) for found in handshakes for pattern in found.names)


def is_closer(one: str, other: str) -> bool:
    """Tell whether *one* is what nginx takes where a server name is one of both patterns."""
    return _specificity(one) > _specificity(other)


def overlap(pattern: str, name: str) -> bool:
    """Tell whether a host or server name may match both (either may be a wildcard)."""
    if "*" not in pattern and "*" not in name:
        return pattern == name
    if "*" not in pattern:
        return overlap(name, pattern)
    prefix = pattern.startswith("*")
    if "*" not in name:
        return name.endswith(pattern[1:]) if prefix else name.startswith(pattern[:-1])
    if prefix != name.startswith("*"):
        return True
    one, other = (pattern[1:], name[1:]) if prefix else (pattern[:-1], name[:-1])
    ends = (one.endswith(other), other.endswith(one))
    return any(ends) if prefix else one.startswith(other) or other.startswith(one)


def _covers(pattern: str, name: str) -> bool:
    """Tell whether a name is one of *pattern*; a wildcard is one of itself, and of shorter ones."""
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return pattern == name


def _specificity(pattern: str) -> tuple[bool, bool, int]:
    return "*" not in pattern, pattern.startswith("*"), len(pattern)
