"""Finds every entity of the documents, at the top level and inside others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.schemas import CHILDREN, LINKS, SCHEMAS, UNCOMPILED_KINDS
from compiler.model.document import MappingNode, SequenceNode
from compiler.resolve.drafts import Draft
from compiler.resolve.format_versions import check_top_level, is_old_format, migrate_route
from compiler.resolve.identifiers import Identifiers
from compiler.resolve.problems import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from compiler.model.document import Document
    from compiler.model.place import Place
    from compiler.resolve.problems import Problems

_KINDS = (*SCHEMAS, *sorted(UNCOMPILED_KINDS))


def collect_drafts(documents: Sequence[Document], problems: Problems) -> list[Draft]:
    """Return a draft for every entity, parents before what stands in them; ids are given."""
    collector = _Collector(problems)
    for document in documents:
        check_top_level(document, problems)
        collector.old_format = is_old_format(document)
        for kind in document.root:
            if kind in _KINDS:
                collector.collect(kind, document.root, document, None)
    return collector.drafts


class _Collector:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.identifiers = Identifiers()
        self.drafts: list[Draft] = []
        self.old_format = False

    def collect(
        self, kind: str, holder: MappingNode, document: Document, parent: Draft | None
    ) -> None:
        """Collect the list of *kind* in *holder*, and all that stands in its entities."""
        if parent is not None and kind in LINKS:
            self._collect_links(kind, holder, document, parent)
            return
        children = CHILDREN.get(kind, {})
        field = None if parent is None else CHILDREN[parent.kind][kind]
        for node in self._items(kind, holder, parent):
            old_route = kind == "routes" and self.old_format
            own = migrate_route(node) if old_route else node
            draft = self._add(Draft(kind, own, document, parent, field))
            for child in children:
                if child in node:
                    self.collect(child, node, document, draft)

    def _collect_links(
        self, name: str, holder: MappingNode, document: Document, parent: Draft
    ) -> None:
        """Collect what links *parent* to each of those that its list of that *name* names."""
        kind, field = LINKS[name]
        for item in self._items(name, holder, parent):
            node = MappingNode(item.file, item.position)
            node[field] = item
            self._add(Draft(kind, node, document, parent, CHILDREN[parent.kind][name]))

    def _add(self, draft: Draft) -> Draft:
        draft.id = self.identifiers.identify(draft)
        self.drafts.append(draft)
        return draft

    def _items(self, kind: str, holder: MappingNode, parent: Draft | None) -> Iterator[MappingNode]:
        items = holder[kind]
        if isinstance(items, SequenceNode):
            for index, item in enumerate(items):
                node = _named_sni(items, index) if kind == "snis" else item
                if isinstance(node, MappingNode):
                    yield node
                else:
                    self._report(kind, parent, items.place(index), f"each of {kind}", node)
        elif items is not None and items != {}:
            self._report(kind, parent, holder.place(kind), kind, items)

    def _report(
        self, kind: str, parent: Draft | None, place: Place, field: str, value: Any
    ) -> None:
        self.problems.draft = parent
        is_item = field != kind
        self.problems.add(
            rules.WRONG_TYPE,
            place,
            field=field,
            expected="a mapping" if is_item else "a list",
            actual=described(value),
            suggestion="write its fields as 'name: value'" if is_item else "begin each with '- '",
        )


def _named_sni(items: SequenceNode, index: int) -> Any:
    """Return an SNI as a mapping, also where only its name is written."""
    item = items[index]
    if not isinstance(item, str):
        return item
    node = MappingNode(items.file, items.items_at[index])
    node["name"] = item
    node.keys_at["name"] = items.items_at[index]
    return node
