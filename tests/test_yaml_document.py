from __future__ import annotations

import gc
import math
from typing import TYPE_CHECKING, Any

import pytest

from compiler.model.diagnostic import Diagnostic, Report
from compiler.model.inputs import SourceText
from compiler.read import documents
from compiler.read.documents import read_documents
from compiler.read.scalars import plain_scalar, tagged_scalar

if TYPE_CHECKING:
    from compiler.model.document import MappingNode


def read(data: bytes | str, name: str = "kong.yml") -> tuple[Any, list[Diagnostic]]:
    report = Report()
    raw = data.encode() if isinstance(data, str) else data
    found = read_documents([SourceText(name, raw)], report)
    return (found[0].root if found else None), list(report)


def root_of(data: bytes | str) -> MappingNode:
    root, diagnostics = read(data)
    assert diagnostics == []
    return root


def only_error(data: bytes | str) -> Diagnostic:
    _, diagnostics = read(data)
    assert len(diagnostics) == 1, diagnostics
    return diagnostics[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("tRUE", "tRUE"),
        ("yes", True),
        ("on", True),
        ("ON", True),
        ("no", False),
        ("off", False),
        ("y", "y"),
        ("n", "n"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("1_000", 1000),
        ("012", 10),
        ("08", 8),
        ("0x1F", 31),
        ("-0x10", -16),
        ("0b101", 5),
        ("0o17", "0o17"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("3.0", 3.0),
        ("1.2.3.4", "1.2.3.4"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("22:22", 1342),
        ("1:30:00", 5400),
        ("1:30.5", 90.5),
        ("-", "-"),
        (".", "."),
        ("_", "_"),
        ("e", "e"),
        ("-inf", "-inf"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("2024-01-01", "2024-01-01"),
        ("11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111111"),
        ("9" * 5000, "9" * 5000),
        ("plain text", "plain text"),
    ],
)
def test_plain_scalars_mean_what_kong_makes_of_them(text: str, value: object) -> None:
    result = plain_scalar(text)
    assert (type(result), result) == (type(value), value)


def test_nan_is_a_number() -> None:
    value = plain_scalar(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "5", "5"),
        ("int", "5", 5),
        ("float", "5", 5.0),
        ("bool", "yes", True),
        ("null", "", None),
        ("binary", "aGk=", "aGk="),
    ],
)
def test_tags_decide(tag: str, text: str, value: object) -> None:
    result = tagged_scalar(f"tag:yaml.org,2002:{tag}", text)
    assert (type(result), result) == (type(value), value)


def test_a_tag_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="'x' is not of type int"):
        tagged_scalar("tag:yaml.org,2002:int", "x")
    assert only_error("a: !!int x").rule.name == "document-syntax"


def test_quoted_and_block_scalars_are_texts() -> None:
    root = root_of("a: 'on'\nb: \"5\"\nc: |\n  12\nd: !!str 5\n")
    assert root == {"a": "on", "b": "5", "c": "12\n", "d": "5"}


def test_keys_are_texts_even_if_they_look_like_something_else() -> None:
    assert list(root_of("on: 1\n80: 2\n~: 3\n")) == ["on", "80", "~"]


def test_every_key_and_item_has_its_position() -> None:
    root = root_of("a: 1\nlist:\n  - x\n  - k: é\n    z: [p, q]\n")
    items = root["list"]
    assert root.keys_at == {"a": (1, 1), "list": (2, 1)}
    assert items.items_at == [(3, 5), (4, 5)]
    assert items[1].keys_at == {"k": (4, 5), "z": (5, 5)}
    assert items[1]["z"].items_at == [(5, 9), (5, 12)]
    assert str(items[1].place("k")) == "kong.yml:4:5"


def test_an_alias_is_the_same_node() -> None:
    root = root_of("a: &x {k: [1]}\nb: *x\nc: &s text\nd: *s\n")
    assert root["b"] is root["a"]
    assert root["d"] == "text"


def test_an_anchor_may_be_used_again() -> None:
    assert root_of("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}
    assert root_of("a: &x [&x [1], *x]\nb: *x\n") == {"a": [[1], [1]], "b": [[1], [1]]}


def test_merge_keys_fill_in_what_is_not_written() -> None:
    root = root_of(
        "d: &d {x: 1, y: 2}\ne: &e {y: 3, z: 4}\nbefore: {<<: *d, x: 9}\n"
        "after: {x: 9, <<: *d}\nboth: {<<: [*d, *e]}\ntext: {'<<': 1}\n"
    )
    assert root["before"] == {"x": 9, "y": 2}
    assert root["after"] == {"x": 9, "y": 2}
    assert root["both"] == {"x": 1, "y": 2, "z": 4}
    assert root["text"] == {"<<": 1}
    assert root["before"].keys_at["y"] == (1, 14)


def test_a_merge_of_a_scalar_is_an_error() -> None:
    assert only_error("a: {<<: 1}").rule.name == "bad-merge"


def test_a_repeated_key_is_reported_with_both_places() -> None:
    found = only_error("a: 1\nb: 2\na: 3\n")
    assert found.rule.name == "duplicate-key"
    assert (str(found.place), str(found.related[0].place)) == ("kong.yml:3:1", "kong.yml:1:1")


def test_a_key_repeated_after_a_merge_is_reported_once() -> None:
    assert only_error("d: &d {x: 1}\ne: {<<: *d, x: 2, x: 3}\n").rule.name == "duplicate-key"


@pytest.mark.parametrize(
    ("data", "name", "place"),
    [
        (b"a: [1\nb: c", "document-syntax", "kong.yml:2:2"),
        (b"\ta: 1", "document-syntax", "kong.yml:1:1"),
        (b'a: "x', "document-syntax", "kong.yml:1:6"),
        (b"a: b: c", "document-syntax", "kong.yml:1:5"),
        (b"a: 1\nb: \xff", "document-encoding", "kong.yml:2:4"),
        ("é: 1\né: \x01".encode(), "document-encoding", "kong.yml:2:4"),
        (b"a: 1\n---\nb: 2\n", "several-documents", "kong.yml:2:1"),
        (b"a: *x", "alias-unknown", "kong.yml:1:4"),
        (b"a: &x [*x]", "alias-unknown", "kong.yml:1:8"),
        (b"a: &x {k: *x}", "alias-unknown", "kong.yml:1:11"),
        (b"? [a]\n: 1", "bad-key", "kong.yml:1:3"),
        (b"a: &x [1]\n*x : 1", "bad-key", "kong.yml:2:1"),
        (b"- a", "root-not-mapping", "kong.yml:1:1"),
        (b"text", "root-not-mapping", "kong.yml:1:1"),
        (b"", "root-not-mapping", "kong.yml:1:1"),
        (b"# nothing\n", "root-not-mapping", "kong.yml:1:1"),
    ],
)
def test_errors_have_their_place(data: bytes, name: str, place: str) -> None:
    found = only_error(data)
    assert (found.rule.name, str(found.place)) == (name, place)


@pytest.mark.parametrize("data", ["a: é", "\ufeffa: é"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_encodings_that_yaml_has(data: str, encoding: str) -> None:
    if encoding == "utf-16" and data[0] == "\ufeff":
        data = data[1:]
    assert root_of(data.encode(encoding)) == {"a": "é"}


@pytest.mark.parametrize("opening", [b"[", b"- ", b"{a: ", b"? "])
@pytest.mark.parametrize("levels", [200, 10_000])
def test_deep_nesting_is_refused(opening: bytes, levels: int) -> None:
    found = only_error(b"x:\n  " + opening * levels)
    assert found.rule.name in {"document-too-deep", "bad-key"}


def test_a_hundred_levels_are_fine() -> None:
    assert root_of("a: " + "[" * 99 + "]" * 99)
    assert only_error("a: " + "[" * 100 + "]" * 100).rule.name == "document-too-deep"


def test_multiplying_aliases_are_refused() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]")
    found = only_error("\n".join(lines))
    assert (found.rule.name, found.place and found.place.line) == ("document-too-large", 7)


def test_a_file_that_is_too_big_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 10)
    found = only_error("[" * 11)
    assert found.rule.name == "document-too-large"
    assert "limit of 10" in found.message


@pytest.mark.parametrize("data", ["a: 1", "a: ["])
def test_the_collector_is_left_as_it_was(data: str) -> None:
    assert gc.isenabled()
    read(data)
    assert gc.isenabled()
    gc.disable()
    try:
        read(data)
        assert not gc.isenabled()
    finally:
        gc.enable()
