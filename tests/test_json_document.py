from __future__ import annotations

import json
import random
from typing import Any

import pytest

from compiler.model.diagnostic import Diagnostic, Report
from compiler.model.inputs import SourceText
from compiler.read.documents import read_documents


def read(data: bytes | str, name: str = "kong.json") -> tuple[Any, list[Diagnostic]]:
    report = Report()
    raw = data.encode() if isinstance(data, str) else data
    found = read_documents([SourceText(name, raw)], report)
    return (found[0].root if found else None), list(report)


def only_error(data: bytes | str, name: str = "kong.json") -> Diagnostic:
    _, diagnostics = read(data, name)
    assert len(diagnostics) == 1, diagnostics
    return diagnostics[0]


def made_up(random_: random.Random, depth: int) -> Any:
    leaves = ["", "a", 'q"\\/\n\té€😀', "\ud83d", 0, -1, 1.5, 1e30, True, False, None]
    kind = random_.randrange(3) if depth else 2
    if kind == 0:
        return [made_up(random_, depth - 1) for _ in range(random_.randrange(4))]
    if kind == 1:
        keys = random_.sample(["a", "b", "", 'q"\\', "é", "key with spaces"], 3)
        return {key: made_up(random_, depth - 1) for key in keys}
    return random_.choice(leaves)


@pytest.mark.parametrize("seed", range(60))
def test_values_are_those_of_the_library(seed: int) -> None:
    random_ = random.Random(seed)
    value = {"x": made_up(random_, 5), "y": made_up(random_, 5)}
    indent = random_.choice([None, 0, 2, "\t"])
    root, diagnostics = read(json.dumps(value, indent=indent))
    assert diagnostics == []
    assert root == value
    assert json.dumps(root) == json.dumps(value)


def test_every_key_and_item_has_its_position() -> None:
    root, _ = read('{\n  "a": 1,\n  "b": ["x",\n {"k": [[], 2]}]\n}')
    assert root.position == (1, 1)
    assert root.keys_at == {"a": (2, 3), "b": (3, 3)}
    assert root["b"].items_at == [(3, 9), (4, 2)]
    assert root["b"][1].keys_at == {"k": (4, 3)}
    assert root["b"][1]["k"].items_at == [(4, 9), (4, 13)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,}', "1:9"),
        ('{"a": [1,]}', "1:10"),
        ('{"a": [,1]}', "1:8"),
        ('{"a" 1}', "1:6"),
        ('{"a": 1 "b": 2}', "1:9"),
        ('{"a": }', "1:7"),
        ('{"a": 1]', "1:8"),
        ("{1: 2}", "1:2"),
        ("{'a': 2}", "1:2"),
        ('{"a": NaN}', "1:7"),
        ('{"a": Infinity}', "1:7"),
        ('{"a": 01}', "1:7"),
        ('{"a": 1.}', "1:7"),
        ('{"a": +1}', "1:7"),
        ('{"a": truex}', "1:7"),
        ('{"a": "\n"}', "1:7"),
        ('{"a": "\\x"}', "1:7"),
        ('{"a": 1} {', "1:10"),
        ('{"a": 1', "1:8"),
        ('{\n"a":\n', "3:1"),
        ('{"a": // c\n1}', "1:7"),
        ('{"a": ' + "9" * 5000 + "}", "1:7"),
        ("{:1}", "1:2"),
        ('{"a":1,,"b":2}', "1:8"),
        ("", "1:1"),
    ],
)
def test_syntax_errors_have_their_place(text: str, place: str) -> None:
    found = only_error(text)
    assert (found.rule.name, str(found.place)) == ("document-syntax", f"kong.json:{place}")


def test_a_repeated_key_is_reported_with_both_places() -> None:
    found = only_error('{"a": 1,\n "a": 2}')
    assert found.rule.name == "duplicate-key"
    assert (str(found.place), str(found.related[0].place)) == ("kong.json:2:2", "kong.json:1:2")


def test_deep_nesting_is_refused() -> None:
    assert only_error('{"a": ' + "[" * 100_000).rule.name == "document-too-deep"
    assert read('{"a": ' + "[" * 99 + "]" * 99 + "}")[1] == []


def test_invalid_utf8_has_its_place() -> None:
    found = only_error(b'{"a": 1,\n"\xc3\xa9\xff": 1}')
    assert (found.rule.name, str(found.place)) == ("document-encoding", "kong.json:2:3")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_content(encoding: str) -> None:
    assert read('{"a": "é"}'.encode(encoding))[0] == {"a": "é"}


def test_the_top_level_must_be_a_mapping() -> None:
    assert only_error("[1]").rule.name == "root-not-mapping"


def test_a_text_that_begins_with_a_brace_is_json_first() -> None:
    assert read('{\t"a": "\\ud83d"}', "kong.yml") == ({"a": "\ud83d"}, [])
    assert read("{a: [b, c]}", "kong.yml") == ({"a": ["b", "c"]}, [])
    assert only_error('{"a" "b"}', "-").message.startswith("the file is not valid JSON")
    assert only_error("{a: b}").rule.name == "document-syntax"
