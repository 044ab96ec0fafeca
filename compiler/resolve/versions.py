"""Which Kong to compile for."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){1,3}\Z")

NEWEST_PATCHES: Mapping[tuple[int, int], tuple[int, ...]] = MappingProxyType(
    {
        (3, 4): (3, 4, 3, 19),
        (3, 5): (3, 5, 0, 7),
        (3, 6): (3, 6, 1, 8),
        (3, 7): (3, 7, 1, 5),
        (3, 8): (3, 8, 1, 2),
        (3, 9): (3, 9, 1, 2),
        (3, 10): (3, 10, 0, 15),
        (3, 11): (3, 11, 0, 3),
        (3, 12): (3, 12, 0, 9),
        (3, 13): (3, 13, 0, 7),
        (3, 14): (3, 14, 0, 7),
        (3, 15): (3, 15, 0, 1),
    }
)
"""The newest known patch release of each known line of versions."""

NEWEST_VERSION = NEWEST_PATCHES[max(NEWEST_PATCHES)]
"""The Kong that is compiled for unless another is asked for."""


def parse_kong_version(text: str) -> tuple[int, ...]:
    """Return the version that *text* names: `X.Y` is the newest known patch of that line.

    `X.Y.Z` (Kong's open-source releases) and `X.Y.Z.W` are taken as they stand.
    Raises ValueError, with a text for the user, if there is no such version or it is not known.
    """
    text = text.strip()
    if not _VERSION.match(text):
        raise ValueError(f"{text!r} is no Kong version: write X.Y or X.Y.Z.W, as in 3.10")
    version = tuple(int(part) for part in text.split("."))
    newest = NEWEST_PATCHES.get((version[0], version[1]))
    if newest is None:
        first, last = min(NEWEST_PATCHES), max(NEWEST_PATCHES)
        known = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
        raise ValueError(f"Kong {text} is not known: versions {known} are")
    return newest if len(version) == 2 else version
