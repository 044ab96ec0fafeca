"""Many conditions at one path: what they are written as grows with their number alone."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import compile_texts

from compiler.lower.comparisons import ANY
from compiler.lower.parts import LONGEST, MOST_LINES, fits_one, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from support.compiling import Outcome

    from compiler.lower.parts import Part

SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "headers": lambda n: {"paths": ["/x"], "headers": {f"x-feature-{n}": ["1"]}},
    "paths and a header": lambda n: {"paths": [f"~/x/[0-9]+/n{n}$"], "headers": {"x-a": [str(n)]}},
    "paths and a method": lambda n: {"paths": [f"~/x/[a-z]+/n{n}"], "methods": ["GET"]},
}


def compiled(shape: str, count: int, *more: dict[str, Any]) -> Outcome:
    routes = [{"name": f"r{n:05}", **SHAPES[shape](n)} for n in range(count)]
    return compile_texts(
        {"_format_version": "3.0", "routes": [*routes, *more]}, {"proxy_listen": "127.0.0.1:80"}
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_as_many_take_twice_the_room(shape: str) -> None:
    texts = [compiled(shape, count).texts for count in (600, 1200, 2400)]
    sizes = [sum(map(len, found.values())) for found in texts]
    assert sizes[2] - sizes[1] < 2.1 * (sizes[1] - sizes[0])
    words = re.findall(r'"[^"]*"', texts[-1]["conf/routing.conf"])
    assert max(map(len, words)) < LONGEST


@pytest.mark.parametrize("count", [MOST_LINES, MOST_LINES + 1])
def test_few_stand_in_their_location(count: int) -> None:
    assert ("$decided_" in compiled("headers", count).conf) == (count > MOST_LINES)


def test_hosts_share_a_chain() -> None:
    paths = [{"name": f"below-{n}", "paths": [f"/x/{n}"]} for n in range(20)]
    found = compiled("headers", 300, *paths)
    chains = set(re.findall(r"\^ (\$decided_\w+)\$kong_path", found.conf))
    assert len(chains) == 1
    assert found.conf.count(next(iter(chains))) == 21


def test_rows_and_chains_say_whose_they_are() -> None:
    found = compiled("headers", 200)
    assert found.compiled is not None
    lines = found.texts["conf/routing.conf"].split("\n")
    spans = found.compiled.tree.spans["conf/routing.conf"]
    told = {(span.source.name or "", lines[span.first - 1].split()[-1]) for span in spans}
    assert told == {(f"r{n:05}", f"route=r{n:05};") for n in range(200)}


@pytest.mark.parametrize("seed", range(30))
def test_parts_find_the_first_row_that_holds(seed: int) -> None:
    draw = random.Random(seed)
    sources = [f"$s{n}" for n in range(draw.choice([1, 40, 200]))]
    rows = [
        {s: draw.choice(["a", "b", "(?:a|b)"]) for s in draw.sample(sources, min(len(sources), n))}
        for n in draw.choices([1, 1, 2, 3, 40], k=150)
    ]
    parts = list(parts_of(rows))
    assert [part.first for part in parts] == sorted({part.first for part in parts})
    assert sum(len(part.keys) for part in parts) == len(rows)
    for _ in range(20):
        request = {source: draw.choice(["", "a", "a", "b"]) for source in sources}
        assert found_in(parts, request) == first_of(rows, request)


def found_in(parts: Sequence[Part], request: Mapping[str, str]) -> int | None:
    for part in parts:
        text = "\n".join(request[source] for source in part.source.split("\n"))
        for index, key in enumerate(part.keys, part.first):
            if re.search(key.removeprefix("~"), text):
                return index
    return None


def first_of(rows: Sequence[Mapping[str, str]], request: Mapping[str, str]) -> int | None:
    for index, row in enumerate(rows):
        if all(re.fullmatch(pattern, request[source]) for source, pattern in row.items()):
            return index
    return None


def test_parts_keep_away_from_the_limit() -> None:
    name = "$http_" + "n" * 150
    rows = [{f"{name}{n}": "a", "$request_method": "GET"} for n in range(100)]
    assert not fits_one(rows[:14])
    assert fits_one(rows[:10])
    for part in parts_of(rows):
        assert len(part.source) < LONGEST
        assert all(len(key) < LONGEST for key in part.keys)
    assert not fits_one([{"$s": "a" * LONGEST}])
    assert fits_one([{"$s": ANY}])
