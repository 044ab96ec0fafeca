"""Flavor traditional: regular expressions that are PCRE, and parts of nginx's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import compile_texts
from support.gateway import gateway
from support.upstreams import upstream

from compiler.plan.pcre_text import without_names

if TYPE_CHECKING:
    from pathlib import Path

    from support.engines import Engine

CONF = "router_flavor = traditional\n"


def entities(*paths: str, strip: bool = True, address: str = "192.0.2.1:80") -> dict[str, Any]:
    routes = [{"name": f"r{n}", "paths": [p], "strip_path": strip} for n, p in enumerate(paths)]
    service = {"name": "s", "url": f"http://{address}", "routes": routes}
    return {"_format_version": "3.0", "services": [service]}


NAMES = ("uri", "host", "needs_https", "upstream_host", "kong_path", "stripped_prefix", "id")


@pytest.mark.parametrize("strip", [True, False])
def test_named_groups_are_no_variables(engine: Engine, workdir: Path, *, strip: bool) -> None:
    paths = [f"~/{name}/(?<{name}>[a-z]+)/(?P<other>x|y)" for name in NAMES]
    with upstream() as peer:
        files = {
            "kong.yml": entities(*paths, strip=strip, address=peer.address),
            "kong.conf": CONF,
        }
        with gateway(engine, workdir, files) as found:
            for name in NAMES:
                assert found.get("x.test", f"/{name}/abc/y/rest").status == 200
                sent = "/rest" if strip else f"/{name}/abc/y/rest"
                assert peer.last["target"] == sent
                assert ["Host", peer.address] in [list(pair) for pair in peer.last["headers"]]


@pytest.mark.parametrize(
    "regex",
    [r"/(a|b)/\1", r"/(?<n>a)\k<n>", r"/(?P<n>a)(?P=n)", "/(x)(?1)", "/a(*ACCEPT)b", "/(a)(?(1)b)",
     r"/\Qa", "/(?x) a # b"],
)  # fmt: skip
def test_what_would_change_its_meaning_is_refused(regex: str) -> None:
    found = compile_texts(entities(f"~{regex}"), f"{CONF}proxy_listen = 127.0.0.1:80\n")
    assert "K344" in found.codes, found.diagnostics


@pytest.mark.parametrize(
    ("regex", "plain"),
    [
        ("/(?<a>x)(?'b'y)(?P<c>z)", "/(x)(y)(z)"),
        ("/(?<=a)(?<!b)(?:c)(?i)d", "/(?<=a)(?<!b)(?:c)(?i)d"),
        (r"/\(?<a>[(?<b>]\Q(?<c>\E[]](?<d>e)", r"/\(?<a>[(?<b>]\Q(?<c>\E[]](e)"),
    ],
)
def test_names_of_groups_are_left_out(regex: str, plain: str) -> None:
    assert without_names(regex) == plain


def test_a_capture_that_cannot_be_read_is_refused() -> None:
    found = entities("~/(?<n>a)(?=b)")
    found["services"][0] = {**found["services"][0], "url": None, "host": "u"}
    found["services"][0].pop("url")
    found["upstreams"] = [
        {"name": "u", "algorithm": "consistent-hashing", "hash_on": "uri_capture",
         "hash_on_uri_capture": "n", "targets": [{"target": "192.0.2.1:80"}]}
    ]  # fmt: skip
    outcome = compile_texts(found, f"{CONF}proxy_listen = 127.0.0.1:80\n")
    assert "K344" in outcome.codes


@pytest.mark.parametrize(
    ("regex", "found"), [("V1$", False), ("(?i)^V1$", True), ("v[0-9]", True), ("(?i)^V2$", False)]
)
def test_values_are_compared_in_lower_case(
    engine: Engine, workdir: Path, regex: str, *, found: bool
) -> None:
    """Kong's flavor traditional does that with what a request says, not with the expression."""
    with upstream() as peer:
        services = [
            {
                "name": "s",
                "url": f"http://127.0.0.1:{peer.port}",
                "routes": [{"name": "r", "headers": {"x-version": [f"~*{regex}"]}}],
            }
        ]
        files = {"kong.yml": {"_format_version": "3.0", "services": services}, "kong.conf": CONF}
        with gateway(engine, workdir, files) as served:
            status = served.get("a.test", tls=False, headers={"X-Version": "V1"}).status
    assert status == (200 if found else 404)
