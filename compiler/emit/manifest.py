"""The manifest: what the tree was made from and what it holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from compiler.model.nginx import OutputFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.emit.marks import Span
    from compiler.emit.tree import Tree

FORMAT = 1


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
    document = {
        "format": FORMAT,
        "program": made.program,
        "target": made.target,
        "nginx_version": made.nginx_version,
        "kong_version": made.kong_version,
        "inputs": [{"name": k, "sha256": v} for k, v in sorted(made.inputs.items())],
        "files": {path: _file(file) for path, file in tree.files.items()},
        "lines": {path: [_span(s) for s in spans] for path, spans in sorted(tree.spans.items())},
    }
    return OutputFile(_text(document))


def _file(file: OutputFile) -> dict[str, str]:
    return {"sha256": sha256(file.data()).hexdigest(), "mode": f"{file.mode:04o}"}


def _span(span: Span) -> dict[str, Any]:
    source = span.source
    place = None if source.node is None else source.node.place()
    return {
        "first": span.first,
        "last": span.last,
        "entity": {"type": source.type, "id": source.id, "name": source.name},
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
    }


def _text(document: dict[str, Any]) -> str:
    """Spell the document with one line for each file and each span: small diffs, fast to write."""
    parts = []
    for key, value in document.items():
        if isinstance(value, dict):
            rows = [f"{json.dumps(k)}: {_rows(v)}" for k, v in value.items()]
            text = "{" + ",".join(f"\n    {row}" for row in rows) + ("\n  }" if rows else "}")
        else:
            text = _rows(value)
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rows(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[" + ",".join(f"\n      {json.dumps(item)}" for item in value) + "\n    ]"
