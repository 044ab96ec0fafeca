"""A file that is cut and read in parts means what the whole file means, or is read whole."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.model.diagnostic import Report
from compiler.model.document import MappingNode, SequenceNode
from compiler.model.inputs import SourceText
from compiler.read import pieces
from compiler.read.documents import read_document
from compiler.read.pieces import find_cut, read_around, read_elsewhere

CERTIFICATES = "certificates:\n- cert: |\n    a\n    b\n  snis: [{name: c}]\n- cert: d\n"


@pytest.fixture(autouse=True)
def _small_files_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "WORTHWHILE", 1)
    monkeypatch.setattr(pieces, "_KEPT", 0.4)


def flat(node: Any) -> Any:
    """Return a node with all its positions, for comparing."""
    if isinstance(node, MappingNode):
        return node.position, [(key, node.keys_at[key], flat(node[key])) for key in node]
    if isinstance(node, SequenceNode):
        return node.position, node.items_at, [flat(item) for item in node]
    return node


def read_cut(text: str) -> MappingNode | None:
    source = SourceText("kong.yml", text.encode())
    cut = find_cut([source])
    assert cut is not None
    return read_around(cut, lambda: read_elsewhere(source.name, cut.items, cut.certificates))


def read_whole(text: str) -> tuple[Any, Report]:
    report = Report()
    document = read_document(SourceText("kong.yml", text.encode()), report)
    return document and flat(document.root), report


FINE = {
    "certificates last": f"a:\n- b: 1\n- b: 2\n- b: 3\n- b: 4\n{CERTIFICATES}",
    "certificates in the middle": f"a: 1\n{CERTIFICATES}services:\n- b: 1\n",
    "a mark at the beginning": f"---\n# comment\na: 1\n{CERTIFICATES}z: 1\n",
    "no new line at the end": f"a: 1\n{CERTIFICATES}z: 1",
    "comments": f"a: 1\n# é\n{CERTIFICATES}# certificates:\nz: 1\n",
    "an empty list before": f"a:\n{CERTIFICATES}",
    "anchors within a part": f"a: &x 1\nb: *x\n{CERTIFICATES}z: &x 2\ny: *x\n",
    "text that looks like items": f"a: |\n  x\n  - y\n  - z\n{CERTIFICATES}",
    "block text at the end": f"a: 1\n{CERTIFICATES}z: |+\n  x\n\n\n",
}


@pytest.mark.parametrize("name", FINE)
def test_parts_are_put_together_as_they_stand(name: str) -> None:
    whole, report = read_whole(FINE[name])
    assert not list(report)
    found = read_cut(FINE[name])
    assert found is not None
    assert flat(found) == whole


def test_items_are_read_elsewhere() -> None:
    source = SourceText("kong.yml", FINE["certificates last"].encode())
    cut = find_cut([source])
    assert cut is not None
    assert cut.items.data.startswith(b"- b: ")
    assert cut.certificates.data == CERTIFICATES.encode()


WHOLE = {
    "an alias of another part": f"a: &x 1\n{CERTIFICATES}z: *x\n",
    "a field of another part again": f"a: 1\n{CERTIFICATES}a: 2\n",
    "certificates again": f"a: 1\n{CERTIFICATES}{CERTIFICATES}",
    "an end of the document": f"a: 1\n...\n{CERTIFICATES}",
    "an end after them": f"a: 1\n{CERTIFICATES}...\nz: 1\n",
    "another document": f"a: 1\n{CERTIFICATES}---\nz: 1\n",
    "in quotes": f'a: "x\n{CERTIFICATES}z: 1"\n',
    "in brackets": "a: [x,\ncertificates:\n y]\nz: 1\n",
    "after brackets in the first column": f"a:\n[b, c]\n- d\n- e\n{CERTIFICATES}",
    "brackets around all before": f"{{a: 1}}\n{CERTIFICATES}",
    "a list in quotes before brackets": f'x: "\nb:\n- y"\nb:\n[c]\n- d\n- e\n{CERTIFICATES}',
    "items of no list": f"a: 1\nb:\n  c\n- d\n- e\n- f\n{CERTIFICATES}",
    "items that are further right": f"a:\n  - b\n  - c\n- d\n- e\n{CERTIFICATES}",
    "a scalar before": f"a\n{CERTIFICATES}",
    "a list before": f"- a\n{CERTIFICATES}",
    "nothing before": f"\n{CERTIFICATES}",
    "tags": f"%TAG ! tag:yaml.org,2002:\n---\na: 1\n{CERTIFICATES}z: !str 1\n",
    "other ends of lines": f"a: 1\rb: 2\n{CERTIFICATES}z: 1\n",
    "further right": f" a: 1\n{CERTIFICATES}",
    "an error": f"a: 1\n{CERTIFICATES}z: [\n",
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_may_mean_something_else_is_read_whole(name: str) -> None:
    assert read_cut(WHOLE[name]) is None


@pytest.mark.parametrize("text", [*FINE.values(), *WHOLE.values()])
def test_no_cut_at_any_item_changes_the_meaning(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for tenth in range(11):
        monkeypatch.setattr(pieces, "_KEPT", tenth / 10)
        found = read_cut(text)
        if found is not None:
            whole, report = read_whole(text)
            assert (flat(found), list(report)) == (whole, [])


def test_limits_hold_for_all_parts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FINE["certificates last"]
    monkeypatch.setattr(pieces, "MAX_NODES", 25)
    assert read_cut(whole) is None
