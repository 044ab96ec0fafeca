"""Kong's own answers to requests, asked of the model of its router.

Letter case of hosts and server names counts for Kong and not for us. So routes and requests are
first rewritten such that case counts for everybody, and then every answer has to be Kong's; where
the answer stays the same without rewriting, what the upstream gets is compared too.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.routing import request, route, service

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.upstream import (
    Outcome,
    outcome,
    stripped_prefix,
    upstream_host,
    upstream_uri,
)
from compiler.router.uri import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.entities import Route, Service
    from compiler.router.candidates import Candidate
    from compiler.router.match import Match
    from compiler.router.patterns import Flavor
    from compiler.router.request import Request

HERE = Path(__file__).parent
CASES = json.loads((HERE / "data" / "router_cases.json").read_text())
SPEC = os.environ.get("KCOMPILE_SPEC_CASES")
SPEC_CASES = json.loads((Path(SPEC) / "router_spec_cases.json").read_text()) if SPEC else []
FLAVORS: tuple[Flavor, ...] = ("traditional_compatible", "traditional")

# In flavor traditional, routes that differ in nothing that Kong sorts by come in the order in
# which an unstable sort leaves them; we take the smaller id. Paths of one route do so as well: here
# is the request for which that decides how much is stripped.
UNSORTED = {("rand-all-160", 9)}


def with_case(text: str | None) -> str | None:
    """Rewrite upper case so that it differs from lower case in more than case."""
    return text and "".join(f"{c.lower()}\u0301" if c.isupper() else c for c in text)


def expectations(case: dict[str, Any], flavor: Flavor) -> Iterator[tuple[int, Request, Any]]:
    for index, asked in enumerate(case["requests"]):
        answer = asked if flavor != "traditional" else asked["traditional"]
        if not answer.get("order_sensitive"):
            yield index, request(asked), answer


def routes_of(case: dict[str, Any]) -> tuple[list[Route], dict[str, Service]]:
    services = {given["id"]: service(**given) for given in case["services"]}
    routes = [route(**given) for given in case["routes"]]
    served = [r for r in routes if r.service is None or services[r.service].enabled]
    return served, services


def candidates_by_case(routes: list[Route], flavor: Flavor) -> list[Candidate]:
    rewritten = [
        replace(
            r,
            hosts=tuple(with_case(h) or "" for h in r.hosts),
            snis=tuple(with_case(s) or "" for s in r.snis),
        )
        for r in routes
    ]
    return candidates(rewritten, flavor)


def answered(found: Match | None, destination: Service | None, asked: Request) -> dict[str, Any]:
    """Give what the model says in the words of the cases."""
    if found is None:
        return {}
    answer: dict[str, Any] = {
        "expect_prefix": stripped_prefix(found),
        "expect_captures": dict(found.captures) or None,
        "expect_outcome": outcome(found, asked),
    }
    if destination is not None:
        uri = upstream_uri(found, destination, asked)
        answer |= {
            "expect_upstream_uri": uri,
            "expect_upstream_uri_escaped": escape(uri),
            "expect_upstream_host": upstream_host(found, destination, asked),
            "expect_upstream_scheme": destination.protocol,
        }
    return answer


def expected(answer: dict[str, Any], flavor: Flavor, destination: Service | None) -> dict[str, Any]:
    """Give what Kong said; what it leaves out is what the model has no words for."""
    if answer["expect_route"] is None:
        return {}
    given = answer.get("expect_outcome")
    wanted: dict[str, Any] = {
        "expect_captures": answer.get("expect_captures"),
        "expect_outcome": Outcome(given["status"], given.get("location")) if given else None,
    }
    # Flavor traditional strips nothing without a service.
    if destination is not None or flavor != "traditional":
        wanted["expect_prefix"] = answer["expect_prefix"]
    if destination is not None:
        wanted["expect_upstream_host"] = answer["expect_upstream_host"]
        wanted["expect_upstream_scheme"] = answer["expect_upstream_scheme"]
        if answer.get("expect_upstream_uri") is not None:
            uri = answer["expect_upstream_uri"]
            wanted["expect_upstream_uri"] = uri
            wanted["expect_upstream_uri_escaped"] = answer.get("expect_upstream_uri_escaped", uri)
    return wanted


def depends_on_sorting(ordered: list[Candidate], found: Match | None, wanted: str | None) -> bool:
    """Whether Kong's answer is as good as ours: nothing but unset times tells them apart."""
    if found is None:
        return False
    winner = found.candidate
    return any(
        other.route.id == wanted
        and other.priority.rank[:-1] == winner.priority.rank[:-1]
        and None in {other.route.created_at, winner.route.created_at}
        for other in ordered
    )


def check(case: dict[str, Any], flavor: Flavor) -> None:
    routes, services = routes_of(case)
    ordered = candidates(routes, flavor)
    by_case = candidates_by_case(routes, flavor)
    for index, asked, answer in expectations(case, flavor):
        rewritten = replace(asked, host=with_case(asked.host), sni=with_case(asked.sni))
        found = match(by_case, rewritten)
        reached = found.candidate.route.id if found else None
        if reached != answer["expect_route"]:
            assert flavor == "traditional", (index, reached)
            assert depends_on_sorting(by_case, found, answer["expect_route"]), (index, reached)
            continue
        if (case["name"], index) in UNSORTED:
            continue
        found = match(ordered, asked)
        if (found.candidate.route.id if found else None) != reached:
            # Only letter case can have made the difference.
            assert (rewritten, by_case) != (asked, ordered)
            continue
        destination = services.get((found and found.candidate.route.service) or "")
        wanted = expected(answer, flavor, destination)
        got = answered(found, destination, asked)
        assert {key: got[key] for key in wanted} == wanted, index


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_answers_of_kong(case: dict[str, Any], flavor: Flavor) -> None:
    check(case, flavor)


@pytest.mark.skipif(not SPEC, reason="KCOMPILE_SPEC_CASES names no folder")
@pytest.mark.parametrize("flavor", FLAVORS)
def test_the_answers_to_cases_of_its_own_tests(flavor: Flavor) -> None:
    for case in SPEC_CASES:
        check(case, flavor)


@pytest.mark.parametrize(
    ("flavor", "asked", "different"),
    [("traditional_compatible", 2728, 32), ("traditional", 2608, 46)],
)
def test_nearly_all_answers_are_those_of_kong_without_any_rewriting(
    flavor: Flavor, asked: int, different: int
) -> None:
    """What differs does so because of letter case or, in flavor traditional, of sorting."""
    same = []
    for case in CASES:
        ordered = candidates(routes_of(case)[0], flavor)
        for _, made, answer in expectations(case, flavor):
            found = match(ordered, made)
            same.append((found and found.candidate.route.id) == answer["expect_route"])
    assert len(same) == asked
    assert same.count(False) == different
