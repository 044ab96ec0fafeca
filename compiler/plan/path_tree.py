"""Which route answers each path of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.plan.priority import Candidate

ROOT = "/"


class PathTree:
    """The best candidate for every path prefix of one host.

    Kong compares all routes; nginx takes the longest prefix. So each prefix gets the candidate
    that wins there in Kong, be it of that path, of a shorter one, or of none.
    """

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._by_path: dict[str, Candidate] = {}
        self._anywhere: Candidate | None = None
        for candidate in candidates:
            self._add(candidate)
        self._lengths = sorted({len(path) for path in self._by_path})

    def _add(self, candidate: Candidate) -> None:
        path = candidate.path
        if path is None:
            self._anywhere = _better(self._anywhere, candidate)
        else:
            self._by_path[path] = _better(self._by_path.get(path), candidate)

    def best(self, path: str) -> Candidate | None:
        """Return the candidate that wins for a request for exactly *path*."""
        winner = self._anywhere
        for length in self._lengths:
            if length > len(path):
                break
            candidate = self._by_path.get(path[:length])
            if candidate is not None:
                winner = _better(winner, candidate)
        return winner

    def answers(self) -> list[tuple[str, Candidate | None]]:
        """Return each prefix with its winner; prefixes that change nothing are left out."""
        found: dict[str, Candidate | None] = {ROOT: self.best(ROOT)}
        for path in sorted(self._by_path):
            winner = self.best(path)
            if winner != self._inherited(path, found):
                found[path] = winner
        return list(found.items())

    def _inherited(self, path: str, found: dict[str, Candidate | None]) -> Candidate | None:
        """Return what nginx would take for *path* without a location of its own."""
        for length in reversed(self._lengths):
            if length < len(path) and path[:length] in found:
                return found[path[:length]]
        return found[ROOT] if path != ROOT else None


def _better(first: Candidate | None, second: Candidate) -> Candidate:
    return second if first is None or second.priority > first.priority else first
