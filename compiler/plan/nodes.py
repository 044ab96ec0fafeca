"""Which candidates are left to choose among at each path of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.plan.regex_prefix import literal_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from compiler.router.candidates import Candidate

ROOT = "/"


class PathNodes:
    """The candidates for every path prefix of one host, best first.

    Kong compares all routes; nginx takes the longest prefix. So each prefix gets all candidates
    that may match there, be they of that path, of a shorter one, or of none, up to the first
    that is sure to match. A regular expression stands at the text that all it matches begin with.
    """

    def __init__(
        self, candidates: Iterable[Candidate], always_matches: Callable[[Candidate], bool]
    ) -> None:
        self._always_matches = always_matches
        self._by_path: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            self._by_path.setdefault(anchor(candidate), []).append(candidate)
        self._lengths = sorted({len(path) for path in self._by_path})

    def at(self, path: str) -> tuple[Candidate, ...]:
        """Return the candidates for *path*, and for what is below where no more is known."""
        groups = [
            self._by_path[path[:length]]
            for length in self._lengths
            if length <= len(path) and path[:length] in self._by_path
        ]
        found = groups[0] if len(groups) == 1 else [c for group in groups for c in group]
        if len(found) == 1:
            return tuple(found)
        return self._reachable(sorted(found, key=lambda c: c.priority, reverse=True))

    def nodes(self) -> list[tuple[str, tuple[Candidate, ...]]]:
        """Return each prefix with its candidates; prefixes that change nothing are left out."""
        found: dict[str, tuple[Candidate, ...]] = {}
        for path in sorted(self._by_path):
            here = self.at(path)
            if here != self._inherited(path, found):
                found[path] = here
        return list(found.items())

    def _inherited(
        self, path: str, found: dict[str, tuple[Candidate, ...]]
    ) -> tuple[Candidate, ...]:
        """Return what nginx would take for *path* without a location of its own."""
        for length in reversed(self._lengths):
            if length < len(path) and path[:length] in found:
                return found[path[:length]]
        return ()

    def _reachable(self, candidates: list[Candidate]) -> tuple[Candidate, ...]:
        """Return *candidates* up to the first that every request matches."""
        for index, candidate in enumerate(candidates):
            if self._always_matches(candidate):
                return tuple(candidates[: index + 1])
        return tuple(candidates)


def anchor(candidate: Candidate) -> str:
    """Return the path at and below which *candidate* may match."""
    if candidate.regex is not None:
        return literal_prefix(candidate.regex)
    return candidate.path or ROOT
