"""Regular expressions of headers that requests repeat: any value may match, as with Kong."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, get_args

import pytest
from support.compiling import compile_texts
from support.gateway import gateway, secured_files

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.patterns import Flavor
from compiler.router.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from support.engines import Engine

REGEXES = (
    "^v[12]$", "^v[12]", "[12]$", "v[12]", "^(v1|w)$", "^v1|w2$", "(^|-)v1($|;)", "^[^a]+$",
    r"\bv1\b", r"^v\d*?$", "^$|^v", r"^\$$", "^[$^]$", "(?i)^v1$",
)  # fmt: skip
VALUES = ("v1", "v2", "v3", "zz", "w", "w2", "xw2", "a-v1", "v1;b", "v", "$", "av1", "v1a")
TRADITIONAL = r"\Av1\z"
FLAVORS = [flavor for flavor in get_args(Flavor) if flavor != "expressions"]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_any_of_the_values_may_match(flavor: Flavor, engine: Engine, workdir: Path) -> None:
    regexes = (*REGEXES, TRADITIONAL)
    routes = [
        {"name": f"r{n}", "paths": [f"/{n}/"], "headers": {"X-Re": [f"~*{regex}"]}}
        for n, regex in enumerate(regexes)
    ]
    entities: dict[str, Any] = {"_format_version": "3.0", "routes": routes}
    conf = f"router_flavor = {flavor}\n"
    outcome = compile_texts(entities, conf, nginx_version=engine.version[:3])
    assert outcome.compiled is not None, outcome.diagnostics
    joins = engine.version >= (1, 23)
    assert ("K347" in outcome.codes) == (not joins)
    known = candidates(outcome.compiled.config.entities.routes.values(), flavor)
    sent: list[tuple[str, ...]] = [(), *((value,) for value in VALUES)]
    sent += list(itertools.permutations(VALUES, 2))
    sent += list(itertools.permutations(VALUES[::3], 3))
    wrong = []
    with gateway(engine, workdir, secured_files(entities, conf)) as found:
        for n, values in itertools.product(range(len(regexes)), sent[:: 1 if joins else 5]):
            headers = [("X-Re", value) for value in values]
            answer = found.get("a.test", f"/{n}/", tls=False, headers=headers)
            # An older nginx sees the first of them.
            seen = tuple(headers if joins else headers[:1])
            request = Request(
                scheme="http", method="GET", host="a.test", target=f"/{n}/", headers=seen
            )
            expected = 404 if match(known, request) is None else 503
            if answer.status != expected:
                wrong.append((regexes[n], values, answer.status))
    assert wrong == []
