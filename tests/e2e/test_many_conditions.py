"""Paths at which hundreds of conditions decide: nginx finds the route that Kong's order finds."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import compile_texts
from support.gateway import gateway, secured_files

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway

Asked = tuple[str, str, list[tuple[str, str]]]
"""A method, a path, and headers."""


def by_headers(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {"name": f"r{n}", "paths": ["/x"], "headers": {f"x-feature-{n}": ["1"]}}
    yield {"name": "below", "paths": ["/x/below"]}


def by_paths_and_headers(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        # That of n1 matches where that of n12 does, too.
        headers = {f"x-{n % 50}": [str(n % 3)]}
        yield {"name": f"r{n}", "paths": [f"~/x/[0-9]+/n{n}"], "headers": headers}
    yield {"name": "all", "paths": ["/x"]}


def by_paths_and_methods(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {"name": f"r{n}", "paths": [f"~/x/[a-z]+/n{n}"], "methods": ["GET", "PUT"][n % 2 :]}
    yield {"name": "below", "paths": ["/x/a/n1/below"]}


def under_a_host(count: int) -> Iterator[dict[str, Any]]:
    """Yield routes with four kinds of attribute, which are tried before those with a host.

    Who asks the host for another path passes their chain twice: in its table, and in that of all.
    """
    for n in range(count):
        more = {"methods": ["GET"], "headers": {f"x-feature-{n}": ["1"]}, "snis": ["a.test"]}
        yield {"name": f"r{n}", "paths": ["/x"], **more}
    yield {"name": "of-host", "hosts": ["a.test"], "paths": ["/x/own"]}
    yield {"name": "of-all", "paths": ["/x/"], "methods": ["GET"]}


def feature(*numbers: int) -> Asked:
    return "GET", "/x", [(f"X-Feature-{n}", "1") for n in numbers]


def path_and_header(*numbers: int) -> Asked:
    """Ask for the last number's path, with the headers of all, and those of 12 and 1 with 123's."""
    digits = [str(n) for n in numbers]
    if len(digits) > 1:
        digits += [text[:length] for text in digits for length in range(1, len(text))]
    headers = {f"x-{int(text) % 50}": str(int(text) % 3) for text in reversed(digits)}
    return "GET", f"/x/1/n{numbers[-1]}", list(headers.items())


def path_and_method(*numbers: int) -> Asked:
    return ("GET", "PUT")[numbers[0] % 2], f"/x/a/n{numbers[-1]}/below", []


SHAPES: dict[str, tuple[int, Callable[[int], Iterator[dict[str, Any]]], Callable[..., Asked]]] = {
    "headers": (300, by_headers, feature),
    "headers, too many for one chain": (3400, by_headers, feature),
    "paths and headers": (300, by_paths_and_headers, path_and_header),
    "paths and methods": (300, by_paths_and_methods, path_and_method),
    "routes without a host": (150, under_a_host, feature),
}
NONE: tuple[Asked, ...] = (
    ("GET", "/x", []),
    ("PUT", "/x", []),
    ("DELETE", "/x/1/n1", [("x-1", "1")]),
    ("GET", "/x/", [("x-feature-0", "0"), ("x-feature-7", "")]),
    ("GET", "/x/below", []),
    ("GET", "/x/below", [("x-feature-7", "1")]),
    ("GET", "/x/own", []),
    ("GET", "/y", [("x-feature-7", "1")]),
)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_that_holds_answers(shape: str, engine: Engine, workdir: Path) -> None:
    count, made, asked = SHAPES[shape]
    entities = {"_format_version": "3.0", "routes": list(made(count))}
    outcome = compile_texts(entities, "", nginx_version=engine.version[:3])
    assert outcome.compiled is not None, outcome.diagnostics
    known = candidates(outcome.compiled.config.entities.routes.values(), "traditional_compatible")
    order = [int(str(c.route.name)[1:]) for c in known if str(c.route.name)[1:].isdigit()]
    draw = random.Random(shape)
    wanted = [asked(order[at]) for at in (0, 1, 30, 31, 32, 33, count // 2, -2, -1)]
    wanted += [asked(*draw.sample(order, size)) for size in (1, 2, 3, 9) for _ in range(10)]
    with gateway(engine, workdir, secured_files(entities, "allow_debug_header = on\n")) as found:
        told = [(request, ask(found, request), answer(known, request)) for request in wanted]
        told += [(request, ask(found, request), answer(known, request)) for request in NONE]
        assert "cycle" not in found.error_log()
    assert {expected for _, _, expected in told} > {f"r{order[0]}", f"r{order[-1]}", None}
    assert [row for row in told if row[1] != row[2]] == []


def ask(found: Gateway, request: Asked) -> str | None:
    """Return the name of the route that answers."""
    method, path, headers = request
    sent = [("Kong-Debug", "1"), *headers]
    answer = found.get("a.test", path, method=method, headers=sent)
    name = answer.header("Kong-Route-Name")
    assert answer.status == (404 if name is None else 503), request
    return name


def answer(known: Any, request: Asked) -> str | None:
    """Return the name of the route that Kong would find."""
    method, path, headers = request
    asked = Request(
        scheme="https", method=method, host="a.test", target=path, headers=tuple(headers),
        sni="a.test",
    )  # fmt: skip
    found = match(known, asked)
    return None if found is None else found.candidate.route.name
