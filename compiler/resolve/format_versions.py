"""The top level of a file: its format version, metadata, and what older formats meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.schemas import METADATA, SCHEMAS, UNCOMPILED_KINDS
from compiler.model.document import MappingNode, SequenceNode
from compiler.resolve.paths import migrate_path
from compiler.resolve.problems import nearest, shown

if TYPE_CHECKING:
    from compiler.model.document import Document
    from compiler.resolve.problems import Problems

FORMAT_VERSIONS = ("1.1", "2.1", "3.0")
_KINDS = frozenset(SCHEMAS) | UNCOMPILED_KINDS


def check_top_level(document: Document, problems: Problems) -> None:
    """Report a format version that is missing or unknown, and keys that Kong does not know."""
    problems.draft = None
    root = document.root
    problem = _version_problem(root.get("_format_version"))
    if problem is not None:
        problems.add(rules.FORMAT_VERSION, root.place("_format_version"), problem=problem)
    known = _KINDS | frozenset(METADATA)
    for key in root:
        if key not in known:
            otherwise = "remove it; an anchor can stand in the first entity that uses it"
            suggestion = nearest(key, known, otherwise)
            problems.add(rules.UNKNOWN_KIND, root.place(key), name=key, suggestion=suggestion)


def is_old_format(document: Document) -> bool:
    """Tell whether paths of routes have their meaning from before Kong 3.0."""
    return document.root.get("_format_version") in ("1.1", "2.1")


def migrate_route(node: MappingNode) -> MappingNode:
    """Return a route of an old format as format 3.0 has it, with the same positions."""
    paths = node.get("paths")
    if not isinstance(paths, SequenceNode):
        return node
    migrated = SequenceNode(paths.file, paths.position)
    migrated.items_at = paths.items_at
    migrated.extend(migrate_path(path) if isinstance(path, str) else path for path in paths)
    copy = MappingNode(node.file, node.position)
    copy.keys_at = node.keys_at
    copy.update(node)
    copy["paths"] = migrated
    return copy


def _version_problem(version: Any) -> str | None:
    if version is None:
        return "is missing"
    if not isinstance(version, str):
        return f"must be a string, not the number {version}"
    return None if version in FORMAT_VERSIONS else f"can't be {shown(version)}"
