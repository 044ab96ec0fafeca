"""The manifest: what the tree was made from and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

from compiler.model.nginx import OutputFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.emit.marks import Span
    from compiler.emit.tree import Tree

FORMAT = 1


def _json(value: str | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value)


_json_of_few = cache(_json)
"""Spells what is the same on very many lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How the tree was made: inputs by the name they were given, with their digests."""

    program: str
    target: str
    nginx_version: str
    kong_version: str
    inputs: Mapping[str, str]


def manifest(tree: Tree, made: Made) -> OutputFile:
    """Return the manifest of *tree*; no key stands in it, only digests of files."""
    parts = [
        f'"format": {FORMAT}',
        f'"program": {_json(made.program)}',
        f'"target": {_json(made.target)}',
        f'"nginx_version": {_json(made.nginx_version)}',
        f'"kong_version": {_json(made.kong_version)}',
        f'"inputs": {_rows("[]", [_input(*item) for item in sorted(made.inputs.items())])}',
        f'"files": {_rows("{}", [_file(p, f) for p, f in tree.files.items()])}',
        f'"lines": {_rows("{}", [_spans(p, s) for p, s in sorted(tree.spans.items())])}',
    ]
    return OutputFile("{\n" + ",\n".join(parts) + "\n}\n")


def _input(name: str, digest: str) -> str:
    return f'{{"name": {_json(name)}, "sha256": "{digest}"}}'


def _file(path: str, file: OutputFile) -> str:
    return f'{_json(path)}: {{"sha256": "{file.digest()}", "mode": "{file.mode:04o}"}}'


def _spans(path: str, spans: list[Span]) -> str:
    return f"{_json(path)}: {_rows('[]', [_span(span) for span in spans])}"


def _span(span: Span) -> str:
    source = span.source
    kind, name = _json_of_few(source.type), _json(source.name)
    entity = f'{{"type": {kind}, "id": {_json(source.id)}, "name": {name}}}'
    node = source.node
    file = None if node is None else node.file
    line = "null" if node is None else node.position[0]
    return (
        f'{{"first": {span.first}, "last": {span.last}, "entity": {entity}, '
        f'"file": {_json_of_few(file)}, "line": {line}}}'
    )


def _rows(brackets: str, rows: list[str]) -> str:
    """Spell a list or an object with a line for each row: small diffs, and fast to write."""
    if not rows:
        return brackets
    return brackets[0] + "\n" + ",\n".join(rows) + "\n" + brackets[1]
