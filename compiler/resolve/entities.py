"""Documents to entities: everything that Kong's schemas say about declarative files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.schema_fields import TEXT
from compiler.catalog.schemas import CHILDREN, CREDENTIALS, METADATA, SCHEMAS
from compiler.model.document import MappingNode
from compiler.model.entities import Entities, Uncompiled
from compiler.resolve.build import BUILDERS
from compiler.resolve.checks import checks_for
from compiler.resolve.collect import collect_drafts
from compiler.resolve.context import Context
from compiler.resolve.entity_checks import (
    check_certificate,
    check_consumer,
    check_service,
    expand_service,
)
from compiler.resolve.fields import Plan, check_fields, make_checker, make_plan
from compiler.resolve.plugin_checks import check_plugin
from compiler.resolve.plugin_configs import PluginConfigs
from compiler.resolve.problems import Problems
from compiler.resolve.references import Index
from compiler.resolve.route_checks import check_route
from compiler.resolve.upstream_checks import check_upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from compiler.model.diagnostic import Report
    from compiler.model.document import Document
    from compiler.model.entities import Entity
    from compiler.resolve.drafts import Draft

_CHECKS: Mapping[str, Callable[[MappingNode, dict[str, Any], Problems, Context], None]] = {
    "services": check_service,
    "routes": check_route,
    "upstreams": check_upstream,
    "certificates": check_certificate,
    "consumers": check_consumer,
    "plugins": check_plugin,
}


def resolve_entities(
    documents: Sequence[Document],
    *,
    kong_version: tuple[int, ...],
    router_flavor: str,
    report: Report,
) -> Entities:
    """Return the entities of all *documents*, which are merged; report every problem in them.

    References are resolved to ids, defaults are filled in. An entity that can't be made is
    missing, but only after an error was reported.
    """
    problems = Problems(report)
    drafts = collect_drafts(documents, problems)
    index = Index()
    unique = [index.add(draft, problems) for draft in drafts]
    context = Context(kong_version, router_flavor, checks_for(router_flavor), index)
    _check_metadata(documents, problems, context)
    resolver = _Resolver(context, problems)
    entities: dict[str, dict[str, Entity]] = {kind: {} for kind in SCHEMAS}
    uncompiled = []
    for draft, is_unique in zip(drafts, unique, strict=True):
        if draft.kind not in SCHEMAS:
            uncompiled.append(resolver.uncompiled(draft))
            continue
        entity = resolver.resolve(draft)
        if entity is not None and is_unique:
            entities[draft.kind][entity.id] = entity
    made: dict[str, Any] = dict(entities)
    return Entities(**made, uncompiled=tuple(uncompiled))


def _check_metadata(documents: Sequence[Document], problems: Problems, context: Context) -> None:
    problems.draft = None
    for document in documents:
        for name, field in METADATA.items():
            value = document.root.get(name)
            if value is not None and name != "_format_version":
                make_checker(field, name, context)(value, document.root, name, problems)


class _Resolver:
    """Checks and makes entities one at a time; keeps the plans, which are made only once."""

    def __init__(self, context: Context, problems: Problems) -> None:
        self.context = context
        self.problems = problems
        self.plans: dict[tuple[str, str | None], Plan] = {}
        self.configs = PluginConfigs(context)

    def resolve(self, draft: Draft) -> Entity | None:
        """Return the entity of *draft*, or None if a field without a default is unusable."""
        kind, problems = draft.kind, self.problems
        problems.draft = draft
        plan = self._plan(kind, draft.parent_field)
        node = expand_service(draft.node) if kind == "services" else draft.node
        values = check_fields(node, plan, problems)
        if draft.parent is not None and draft.parent_field is not None:
            self._set_parent(draft, draft.parent, draft.parent_field, values)
        check = _CHECKS.get(kind)
        if check is not None:
            check(node, values, problems, self.context)
        for name in plan.required:
            if values[name] is None:
                return None
        if not self.context.index.add_together(draft, values, problems):
            return None
        if kind == "plugins":
            values |= self.configs.resolve(draft, values, problems)
        return BUILDERS[kind](draft, values, problems)

    def uncompiled(self, draft: Draft) -> Uncompiled:
        """Return an entity of a kind that is only read, with the consumer it belongs to."""
        self.problems.draft = draft
        of_consumer = draft.parent is not None and draft.parent_field == "consumer"
        parent = draft.parent.id if draft.parent is not None and of_consumer else None
        named = draft.node.get("consumer")
        if parent is None and named is not None and draft.kind in CREDENTIALS:
            checker = self._plan("plugins", None).checkers["consumer"]
            found = checker(named, draft.node, "consumer", self.problems)
            parent = found if isinstance(found, str) else None
        return Uncompiled(kind=draft.kind, source=draft.node, parent=parent)

    def _plan(self, kind: str, parent_field: str | None) -> Plan:
        plan = self.plans.get((kind, parent_field))
        if plan is None:
            plan = make_plan(SCHEMAS[kind], self.context)
            # What stands inside has been found already; its list is not a field.
            children = make_plan(
                dict.fromkeys(CHILDREN.get(kind, {}), _CHILD), self.context
            ).checkers
            plan = replace(
                plan,
                checkers={**plan.checkers, **children},
                required=tuple(name for name in plan.required if name != parent_field),
            )
            self.plans[kind, parent_field] = plan
        return plan

    def _set_parent(self, draft: Draft, parent: Draft, field: str, values: dict[str, Any]) -> None:
        written = values.get(field)
        if written is not None and written != parent.id:
            place = draft.node.place(field)
            named = draft.node[field]
            if isinstance(named, MappingNode):
                named = named.get("name") or named.get("id")
            self.problems.add(rules.NESTED_REFERENCE_IGNORED, place, field=field, name=named)
        values[field] = parent.id


_CHILD = replace(TEXT, type="any")
