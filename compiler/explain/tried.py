"""The routes that come close to a request, and why each is or is not the one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.explain.because import because, met, path_words, route_path, unmet
from compiler.router.match import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from compiler.model.entities import Route
    from compiler.router.candidates import Candidate
    from compiler.router.match import Match
    from compiler.router.request import Request

LIMIT = 20
_FAR = 3
"""How far a route is that asks for a host or a path alone, and for another one."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A route that was looked at, by the path of it that came closest; `matched` for the winner."""

    route: Route
    path: str | None
    matched: bool
    because: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    """How a candidate fared: the kind of its first unmet condition ("" for none), and its turn."""

    candidate: Candidate
    kind: str
    place: int


def routes_tried(
    candidates: Sequence[Candidate], request: Request, winner: Match | None
) -> tuple[tuple[Tried, ...], int]:
    """Return the routes that come close, in Kong's order, and how many more there are.

    Close is every route up to the winner whose host or path fits. Where there are too many, first
    those are left out of which the one fits only because they do not ask for it.
    """
    last = None if winner is None else winner.candidate
    by_route: dict[str, list[_Verdict]] = {}
    for place, candidate in enumerate(candidates):
        if _fits(candidate, request):
            verdict = _Verdict(candidate, unmet(candidate, request) or "", place)
            by_route.setdefault(candidate.route.id, []).append(verdict)
        if candidate is last:
            break
    close = list(by_route.values())
    kept = close if len(close) <= LIMIT else _closest_of(close, last)
    kept.sort(key=lambda found: _closest(found, last).place)
    return tuple(_tried(found, request, last) for found in kept), len(by_route) - len(kept)


def _closest_of(close: list[list[_Verdict]], winner: Candidate | None) -> list[list[_Verdict]]:
    near = [found for found in close if _distance(found, winner)[0] < _FAR]
    return sorted(near, key=lambda found: _distance(found, winner))[:LIMIT]


def _fits(candidate: Candidate, request: Request) -> bool:
    return CHECKS["hosts"](candidate, request) or CHECKS["paths"](candidate, request)


def _closest(verdicts: list[_Verdict], winner: Candidate | None) -> _Verdict:
    """Return the verdict on a route's paths that says most of the route."""
    return min(verdicts, key=lambda v: (v.candidate is not winner, v.kind == "paths", v.place))


def _distance(verdicts: list[_Verdict], winner: Candidate | None) -> tuple[int, int]:
    closest = _closest(verdicts, winner)
    asks = bool(closest.candidate.hosts) and route_path(closest.candidate) is not None
    if closest.candidate is winner:
        rank = 0
    elif closest.kind not in {"hosts", "paths"}:
        rank = 1
    else:
        rank = 2 if asks else _FAR
    return rank, closest.place


def _tried(verdicts: list[_Verdict], request: Request, winner: Candidate | None) -> Tried:
    closest = _closest(verdicts, winner)
    candidate = closest.candidate
    return Tried(
        route=candidate.route,
        path=route_path(candidate),
        matched=candidate is winner,
        because=_words(closest, verdicts, request, matched=candidate is winner),
    )


def _words(
    closest: _Verdict, verdicts: Iterable[_Verdict], request: Request, *, matched: bool
) -> str:
    if matched:
        return met(closest.candidate, request)
    if closest.kind == "paths":
        return path_words(verdict.candidate for verdict in verdicts)
    return because(closest.kind, closest.candidate, request)
