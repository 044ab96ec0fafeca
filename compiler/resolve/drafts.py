"""Drafts: entities as they stand in the files, found but not yet checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.document import Document, MappingNode


@dataclass(slots=True, eq=False)
class Draft:
    """One entity: its mapping, the entity it stands in, and the id it has or is given.

    `parent_field` is the field that names the parent (`service` for a route in a service).
    """

    kind: str
    node: MappingNode
    document: Document
    parent: Draft | None = None
    parent_field: str | None = None
    id: str = ""
