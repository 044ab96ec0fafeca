"""Names that are digests of what they name, or end in one: two things never share one."""

from __future__ import annotations

from hashlib import sha256


def digest(*parts: str, length: int = 8) -> str:
    """Return what tells *parts* from all others."""
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:length]


class Names:
    """Gives names, and longer ones where a short one is taken by something else."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, ...]] = {}

    def of(self, kind: str, *parts: str) -> str:
        """Return a name that is that of *parts* alone."""
        short = f"{kind}{digest(*parts)}"
        if self._owners.setdefault(short, parts) == parts:
            return short
        return f"{kind}{digest(*parts, length=64)}"

    def readable(self, name: str, parts: tuple[str, ...]) -> str:
        """Return *name*, with a digest behind it where other *parts* have it already."""
        if self._owners.setdefault(name, parts) == parts:
            return name
        return f"{name}.{digest(*parts, length=64)}"
