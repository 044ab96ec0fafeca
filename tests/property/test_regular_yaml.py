"""What is read without the parser is what the parser reads, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compiler.model.diagnostic import Report
from compiler.model.document import MappingNode, SequenceNode
from compiler.read import yaml_document
from compiler.read.regular_yaml import read_regular
from compiler.read.yaml_document import read_yaml


def flat(node: Any) -> Any:
    """Return a node with its types and all its positions, for comparing."""
    if isinstance(node, MappingNode):
        keys = [(key, node.keys_at[key], flat(node[key])) for key in node]
        return node.position, list(node.keys_at), keys
    if isinstance(node, SequenceNode):
        return node.position, node.items_at, [flat(item) for item in node]
    return type(node), repr(node)


def compare(text: str) -> bool:
    """Compare both ways to read *text*; tell whether it could be read without the parser."""
    found = read_regular("kong.yml", text.encode())
    if found is None:
        return False
    report = Report()
    reader = yaml_document._Reader("kong.yml", report)  # noqa: SLF001
    root = reader.read(yaml.CSafeLoader(text.encode()))
    assert flat(found[0]) == flat(root)
    assert (found[1], []) == (reader.nodes, list(report))
    return True


_WORDS = (
    r"x 1 -1 ~ true 1.5 0x1F 010 1:30 .nan -.inf <x =x /p ~/p$ (a|b) \d ^z _ . .. a:b a::b ::x x: "
    r"- -- --- -x ? ?x !x &x *x %x @x `x | |- |+ > |2 [] {} [a] , ],[ x'y 'q' '' 'a''b' '#' a#b #x "
    r"""x"y "q" "" "a\n" << é ..."""
)
WORDS = st.sampled_from(_WORDS.split(" "))
VALUES = st.lists(WORDS, max_size=3).map(" ".join) | st.text("ax-:#'\" |~\\\t", max_size=5)
KEYS = st.sampled_from([*"aaabbbcccddd", "a-b", "x.y", "_", "1", "<<", "'q'", "-", "true"])
FIELDS = st.builds("{}:{}{}".format, KEYS, st.sampled_from(["", " ", " ", " ", "  "]), VALUES)
COMMENTS = st.sampled_from(["", "#", "# x", "---"])
BODIES = FIELDS | FIELDS | KEYS.map("{}:".format) | VALUES | COMMENTS
LINES = st.builds(
    "{}{}{}".format, st.integers(0, 5).map(" ".__mul__), st.sampled_from(["", "", "- "]), BODIES
)


@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\n", "\n", "", "\n\n"]))
def test_any_lines(lines: list[str], end: str) -> None:
    compare("\n".join(lines) + end)


TREES = st.recursive(
    VALUES,
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def written(tree: Any, indent: int, step: int) -> str:
    """Write a tree as tools do; with a *step* of 0, lists are not indented."""
    margin = " " * indent
    if isinstance(tree, dict):
        fields = [margin + key + ":" + _below(tree[key], indent, step) for key in tree]
        return "".join(fields)
    items = []
    for item in tree:
        text = written(item, indent + 2, step) if isinstance(item, dict) else ""
        items.append(margin + "- " + (text.lstrip(" ") or f"{item}\n"))
    return "".join(items)


def _below(value: Any, indent: int, step: int) -> str:
    if isinstance(value, str):
        return f" {value}\n"
    return "\n" + written(value, indent + (step if isinstance(value, list) else 2), step)


@given(st.dictionaries(KEYS, TREES, min_size=1), st.sampled_from([0, 2, 3]))
def test_trees(tree: dict[str, Any], step: int) -> None:
    compare(written(tree, 0, step))


FORMS = {
    "fields": "a: 1\nb: x y\nc:\nd: ~\n",
    "quoted": "a: \"3.0\"\nb: 'on'\nc: \"\"\nd: '# a: b'\n",
    "a list that is indented": "a:\n  - x\n  - 2\nb: 1\n",
    "a list that is not indented": "a:\n- x\n- 2\nb: 1\n",
    "a list alone": "- a: 1\n  b:\n  - c: 2\n    d:\n      e: 3\n- f\n",
    "a text": "a:\n- b: |\n    x: y\n      - # z\n  c: |-\n    x\n",
    "a text in a list": "- |\n  x\n  y\n- z\n",
    "a text at the end": "a: |\n x\n",
    "paths": "a:\n- /\n- ~/x$\n- http://h:80/x\n",
    "comments and empty lines": "---\n# a\n\na:\n  # b\n- b: |\n    x\n  # y\n\n  c: 1\n#\n",
    "any letters": "a: é b\nb: 'x😀'\n",
    "a hash in a word": "a: b#c\nb: c:#d\n",
    "many levels": "".join("  " * n + f"a{n}:\n" for n in range(40)),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_forms_that_need_no_parser(name: str) -> None:
    assert compare(FORMS[name])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a: 1",
        "a: 1\r\n",
        "a: 1 \n",
        "a: \ufeff\n",
        "a: \u2028\n",
        "a: x\x85y\n",
        "a: \x07\n",
        "a: 1 # b\n",
        "a: 1\n---\nb: 1\n",
        " a: 1\n",
        "a: 1\n  b\n",
        "a: 1\n  b: 1\n",
        "a: 1\n- b\n",
        "a: 1\na: 2\n",
        "a:\n    b: 1\n  c: 1\n",
        "a:\n- b: 1\n   c: 1\n",
        "a:\n- |\n  x\n\n  y\n",
        "a: |\n\n  x\n",
        "a: |\nb: 1\n",
        "a: |\n    x\n   y\n",
        "a: >\n  b\n",
        "a: [b]\n",
        "a: &b c\n",
        "a: !!str 1\n",
        "a: 'b''c'\n",
        'a: "\\x41"\n',
        "a: b: c\n",
        "<<: a\n",
        "- - a\n",
        "-\n",
        "".join(" " * n + f"a{n}:\n" for n in range(60)),
    ],
)
def test_what_is_left_to_the_parser(text: str) -> None:
    assert read_regular("kong.yml", text.encode()) is None


def test_only_few_lines_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.read.regular_yaml._MOST_KNOWN", 1)
    assert compare("a:\n- x\n- x\n- y\n- y\n")


def test_more_nodes_than_the_parser_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "MAX_NODES", 3)
    report = Report()
    read_yaml("kong.yml", b"a:\n  b: 1\n  c: 2\nd:\n  e: 1\n", report)
    assert [found.rule.name for found in report] == ["document-too-large"]
