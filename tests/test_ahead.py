"""Pairs that were matched ahead are those of the file, or none."""

from __future__ import annotations

from textwrap import indent

import pytest
from support.compiling import certificate

from compiler.ahead import Ahead, _match
from compiler.model.diagnostic import Report
from compiler.model.inputs import SourceText
from compiler.read import certificate_lines as lines
from compiler.read.documents import read_documents

RSA, EC = (
    (certificate(f"{kind}.crt"), certificate(f"{kind}.key")) for kind in ("rsa", "ec")
)  # fmt: skip


@pytest.fixture(autouse=True)
def _small_files_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "WORTHWHILE", 1)


def field(*pairs: tuple[str, str]) -> str:
    items = [
        f"- cert: |\n{indent(cert, '    ')}  key: |\n{indent(key, '    ')}" for cert, key in pairs
    ]
    return f"certificates:\n{''.join(items)}"


def matched(text: str, name: str = "kong.yml") -> set[tuple[str, str]]:
    """Return the pairs of a file that were matched ahead."""
    source = SourceText(name, text.encode())
    found = lines.certificate_lines(name, source.data)
    assert found is not None
    ahead = Ahead(name, _match(name, found))
    matches = ahead.matches(read_documents([source], Report()))
    assert all(match.pair is not None for match in matches.values())
    return set(matches)


@pytest.mark.parametrize(
    "text",
    [
        f"a: 1\n{field(RSA, EC)}",
        f"a: 1\n{field(RSA, EC)}z: 1\n",
        f"a: 1\n{field(RSA, EC)}# é\nz: [1]\n",
        f"a: 1\n{field(RSA, EC)}- cert: [1]\n  key: x\nz: 1\n",
    ],
)
def test_pairs_are_matched(text: str) -> None:
    assert matched(text) == {RSA, EC}


@pytest.mark.parametrize(
    "text",
    [
        f"a: 'x\n{field(RSA)}'\n",  # in quotes
        f"a: 'x\n{field(RSA)}z: '\n{field(EC)}",
        f"a: 1\n{field(RSA)}z: 1\n{field(EC)}",  # written twice
        f"a: &x {{cert: b, key: c}}\n{field(RSA)}- *x\n",  # an alias of what is elsewhere
        f"a: 1\n{field(RSA)}z: [\n",  # the file can't be read
        f"a: 1\n{field(RSA)}  b: [x,\ny: 1]\n{field(EC)[14:]}",  # a line that looks like a field
    ],
)
def test_a_wrong_guess_gives_nothing(text: str) -> None:
    assert matched(text) == set()


@pytest.mark.parametrize("name", ["kong.json", "kong.JSON"])
def test_no_guess_is_made_about_json(name: str) -> None:
    assert lines.certificate_lines(name, f"a: 1\n{field(RSA)}".encode()) is None


def test_no_guess_is_made_where_no_field_begins() -> None:
    assert lines.certificate_lines("kong.yml", field(RSA).encode()) is None
