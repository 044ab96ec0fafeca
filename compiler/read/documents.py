"""Declarative files to documents: picks the syntax, checks the size and the top level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import document_rules as rules
from compiler.model.diagnostic import Report
from compiler.model.document import Document, MappingNode, SequenceNode
from compiler.model.place import Place
from compiler.read.json_document import read_json
from compiler.read.yaml_document import UNREADABLE, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.inputs import SourceText

MAX_BYTES = 100 * 1024 * 1024
"""The largest file that is read."""


def read_documents(sources: Iterable[SourceText], report: Report) -> list[Document]:
    """Return a document for every source whose top level is a mapping; report the others."""
    documents = []
    for source in sources:
        document = read_document(source, report)
        if document is not None:
            documents.append(document)
    return documents


def read_document(source: SourceText, report: Report) -> Document | None:
    """Return what *source* holds, or None after reporting why that is no declarative file."""
    if len(source.data) > MAX_BYTES:
        size = f"has {len(source.data)} bytes, more than the limit of {MAX_BYTES} (100 MiB)"
        report.add(rules.DOCUMENT_TOO_LARGE, Place(source.name), problem=size)
        return None
    root = _read(source, report)
    if isinstance(root, MappingNode):
        return Document(source.name, root)
    if root is not UNREADABLE:
        place = Place(source.name, 1, 1)
        report.add(rules.ROOT_NOT_MAPPING, place, actual=_described(root))
    return None


def _read(source: SourceText, report: Report) -> Any:
    name, data = source.name, source.data
    if name.lower().endswith(".json"):
        return read_json(name, data, report)
    if not data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return read_yaml(name, data, report)
    # Most likely JSON, which the YAML parser reads less faithfully; but {a: b} is YAML.
    for reader in (read_json, read_yaml):
        attempt = Report()
        root = reader(name, data, attempt)
        if not attempt.has_errors:
            return root
    return read_json(name, data, report)


def _described(value: object) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, SequenceNode) else "a single value"
