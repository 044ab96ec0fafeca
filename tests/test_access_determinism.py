"""A small change of who may come in is a small change of the output."""

from __future__ import annotations

import json
from collections import Counter
from difflib import unified_diff
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import pytest
from support import pki
from support.compiling import compile_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    Target = Literal["nginx", "openresty"]
    Changed = dict[str, list[str]]

CONF = "ssl_cert = ec.crt\nssl_cert_key = ec.key\ndns_resolver = 192.0.2.53\n"
HOSTS, CONSUMERS, AUTHORITIES = range(12), range(20), range(4)
SPARE = len(AUTHORITIES)
"""The number of an authority that nobody trusts to begin with."""

TARGETS = pytest.mark.parametrize("target", ["nginx", "openresty"])


@cache
def authority(number: int) -> dict[str, Any]:
    return {"id": ca_id(number), "cert": pki.ca(f"Authority {number}").cert_pem}


def ca_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def route(number: int, trusted: Iterable[int] | None = None) -> dict[str, Any]:
    """Return a protected host; every other one knows consumers."""
    cas = [number % len(AUTHORITIES)] if trusted is None else trusted
    config = {
        "ca_certificates": [ca_id(n) for n in cas],
        "skip_consumer_lookup": number % 2 == 0,
        "revocation_check_mode": "SKIP",
    }
    plugin = {"name": "mtls-auth", "config": config}
    return {"name": f"route-{number:03}", "hosts": [host(number)], "plugins": [plugin]}


def host(number: int) -> str:
    return f"h{number:03}.example.com"


def consumer(number: int, *more: str) -> dict[str, Any]:
    names = [f"credential-{number:03}", *more]
    return {
        "username": f"user-{number:03}",
        "custom_id": f"custom-{number:03}",
        "mtls_auth_credentials": [{"subject_name": name} for name in names],
    }


def gateway(
    routes: Iterable[dict[str, Any]],
    consumers: Iterable[dict[str, Any]] = tuple(consumer(number) for number in CONSUMERS),
    authorities: Iterable[int] = (*AUTHORITIES, SPARE),
) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": "http://192.0.2.1", "routes": list(routes)}],
        "consumers": list(consumers),
        "ca_certificates": [authority(number) for number in authorities],
    }


def texts(given: dict[str, Any], target: Target) -> dict[str, str]:
    outcome = compile_texts(given, CONF, target=target)
    return {**outcome.texts, **outcome.data}


def changed(before: dict[str, Any], after: dict[str, Any], target: Target) -> Changed:
    """Return the lines that differ, by file; the comma behind a row of JSON is nobody's."""
    old, new = texts(before, target), texts(after, target)
    assert old.keys() == new.keys()
    found = {}
    for path in old:
        lines = [[line.rstrip(",") for line in side[path].splitlines()] for side in (old, new)]
        diff = list(unified_diff(*lines, n=0, lineterm=""))[2:]
        found[path] = [line for line in diff if not line.startswith("@@")]
    return {path: lines for path, lines in found.items() if lines}


def everything(found: Changed) -> list[str]:
    return [line for lines in found.values() for line in lines]


def all_consumers() -> list[dict[str, Any]]:
    return [consumer(number) for number in CONSUMERS]


def all_routes() -> list[dict[str, Any]]:
    return [route(number) for number in HOSTS]


@TARGETS
@pytest.mark.parametrize("number", [0, 7, 19])
def test_one_more_consumer(target: Target, number: int) -> None:
    without = [consumer(n) for n in CONSUMERS if n != number]
    found = changed(gateway(all_routes(), without), gateway(all_routes(), all_consumers()), target)
    mark = f"-{number:03}"
    assert all(line.startswith("+") and mark in line for line in everything(found))
    # Three names, each with a row, and two that upstreams are told; or one row of each kind.
    path, rows = ("conf/clients.conf", 5) if target == "nginx" else ("lua/data/access.json", 2)
    assert {where: len(lines) for where, lines in found.items()} == {path: rows}


@TARGETS
@pytest.mark.parametrize("number", [0, 7, 19])
def test_one_more_credential(target: Target, number: int) -> None:
    with_it = all_consumers()
    with_it[number] = consumer(number, "one-more")
    found = changed(gateway(all_routes(), all_consumers()), gateway(all_routes(), with_it), target)
    (lines,) = found.values()
    assert [line[0] for line in lines] == ["+"]
    assert "one-more" in lines[0]


@TARGETS
@pytest.mark.parametrize("number", [0, 5, 6, 11])
def test_one_more_protected_host(target: Target, number: int) -> None:
    without = [route(n) for n in HOSTS if n != number]
    found = changed(gateway(without), gateway(all_routes()), target)
    assert not [line for line in everything(found) if line.startswith("-")]
    lines = found.pop("nginx.conf")
    (key,) = found.pop("conf/routing.conf")
    assert key.strip("+; ").split() == [host(number)] * 2
    assert sum(host(number) in line for line in lines) == 3
    # Its name, and a location in its own server and in that of plain HTTP.
    assert lines.count(f"+        server_name {host(number)};") == 1
    assert lines.count(f"+        location {host(number)}/ {{") == 2
    assert sum("location" in line for line in lines) == 2
    assert len(lines) < 50
    rows = found.pop("lua/data/access.json", [])
    assert len(rows) == (1 if target == "openresty" else 0)
    assert not found


@TARGETS
def test_one_more_authority_that_nobody_trusts(target: Target) -> None:
    old = gateway(all_routes(), authorities=AUTHORITIES)
    assert changed(old, gateway(all_routes()), target) == {}


@TARGETS
@pytest.mark.parametrize("number", [0, 5, 12])
def test_one_more_authority_with_a_host_of_its_own(target: Target, number: int) -> None:
    others = [route(n) for n in HOSTS if n != number]
    found = changed(gateway(others), gateway([*others, route(number, [SPARE])]), target)
    assert not [line for line in everything(found) if line.startswith("-")]
    lines = found["nginx.conf"]
    assert [line for line in lines if line.startswith("+    server {")] == ["+    server {"]
    assert sum(f"Authority {SPARE}" in line for line in lines) == 1
    rows = found.get("lua/data/access.json", [])
    assert len(rows) == (2 if target == "openresty" else 0)


@TARGETS
@pytest.mark.parametrize("trusted", [[0, SPARE], [SPARE], [0, 1]])
def test_another_set_of_authorities(target: Target, trusted: list[int]) -> None:
    old, new = ([route(0, cas), *map(route, (1, 2, 5))] for cas in ([0], trusted))
    before, after = (texts(gateway(routes), target) for routes in (old, new))
    differing = [path for path in after if before[path] != after[path]]
    data = ["lua/data/access.json"] if target == "openresty" else []
    assert sorted(differing) == sorted([*data, "nginx.conf"])
    # Which server is first says nothing, so lines are counted and not compared in their order.
    counts = [Counter(side["nginx.conf"].splitlines()) for side in (before, after)]
    gone, come = counts[0] - counts[1], counts[1] - counts[0]
    # Where Lua verifies, nginx believes nobody: a comment alone says whom clients are asked by.
    changed = ["#"] if data else ["#", "ssl_trusted_certificate"]
    for lines in (gone, come):
        assert sorted(line.split()[0] for line in lines.elements()) == changed
    if data:
        rows = [json.loads(side[data[0]])["rules"] for side in (before, after)]
        assert rows[0].keys() == rows[1].keys()
        assert sum(rows[0][key] != rows[1][key] for key in rows[0]) == 1
