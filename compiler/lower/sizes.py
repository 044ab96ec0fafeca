"""Sizes of nginx's hash tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.nginx import Simple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.nginx import Map


def power(wanted: int, smallest: int) -> int:
    """Return the first power of two times *smallest* that is enough: it seldom changes."""
    size = smallest
    while size < wanted:
        size *= 2
    return size


def map_sizes(maps: Iterable[Map]) -> tuple[Simple, ...]:
    """Return the directives that make room for all of *maps*."""
    tables = list(maps)
    keys = [len(str(key).encode()) for found in tables for key, _ in found.entries]
    rows = max((len(found.entries) for found in tables), default=0)
    return (
        Simple("map_hash_max_size", (power(rows * 2, 2048),)),
        Simple("map_hash_bucket_size", (power(4 * max(keys, default=0) + 128, 256),)),
    )
