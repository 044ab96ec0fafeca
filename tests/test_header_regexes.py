"""Regular expressions of headers, for the list that nginx makes of a repeated header's values."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from support.compiling import Outcome, compile_texts

from compiler.plan.pcre_text import in_list
from compiler.router.rust_regex import to_pcre

REGEXES = (
    "^v[12]$",
    "^v",
    "1$",
    "v1",
    "^(v1|w)$",
    "^v1|w$",
    "(^|-)v1($|;)",
    r"\bv1\b",
    "^.*$",
    "^w*$",
)
VALUES = ("v1", "v2", "w", "-v1", "v1;", "zz", "")


@pytest.mark.parametrize("regex", REGEXES)
@pytest.mark.parametrize("translate", [lambda r: to_pcre(r, in_list=True), in_list])
def test_a_list_matches_where_one_of_its_values_does(translate: Any, regex: str) -> None:
    found = translate(regex).replace(r"\z", r"\Z")
    for size in (1, 2, 3):
        for values in itertools.product(VALUES, repeat=size):
            expected = any(re.search(regex.replace("$", r"\Z"), value) for value in values)
            assert bool(re.search(found, ", ".join(values))) == expected, (values, found)


@pytest.mark.parametrize(
    "regex",
    [
        "(?=v)",
        "v(?!1)",
        "(?<=v)1",
        "(?<!v)1",
        r"\Gv",
        "v++",
        "v*+",
        "(?>v|v1)",
        "(?x) ^v1",
        "v{2}+",
    ],
)
def test_what_looks_beyond_a_value_is_left_as_it_is(regex: str) -> None:
    assert in_list(regex) is None


@pytest.mark.parametrize("regex", [r"[\^$]", r"\^\$", r"\Q^$\E", "[^$]", r"[[:^alpha:]$]", r"\\"])
def test_what_is_no_anchor_stays(regex: str) -> None:
    assert in_list(regex) == regex


def compiled(flavor: str, version: tuple[int, int, int], **fields: Any) -> Outcome:
    entities = {"_format_version": "3.0", "routes": [{"name": "r", **fields}]}
    conf = {"router_flavor": flavor, "proxy_listen": "127.0.0.1:80"}
    return compile_texts(entities, conf, nginx_version=version)


@pytest.mark.parametrize(
    ("flavor", "fields", "told"),
    [
        ("traditional_compatible", {"headers": {"x": ["~*^v1$", "~*.*2"], "y": ["~*a"]}}, ""),
        ("traditional_compatible", {"headers": {"x": ["v1"]}}, None),
        ("traditional", {"headers": {"x": ["~*^v1$"]}}, ""),
        ("traditional", {"headers": {"x": ["~*^(?!v1)"], "y": ["~*(?!v2)"]}}, "as one text"),
        ("expressions", {"expression": 'any(http.headers.x) ~ "^v1$"'}, ""),
        ("expressions", {"expression": 'http.headers.x ~ "^v1$"'}, "as one text"),
        ("expressions", {"expression": 'http.headers.x == "v1"'}, None),
    ],
)
def test_what_nginx_cannot_do_is_said_once(
    flavor: str, fields: dict[str, Any], told: str | None
) -> None:
    for version, how in (((1, 28, 0), told), ((1, 22, 1), "the first alone")):
        report = compiled(flavor, version, **fields).report
        found = [d.message for d in report if d.rule.code == "K347"]
        assert len(found) == (bool(how) and told is not None), found
        assert all(str(how) in message for message in found)
