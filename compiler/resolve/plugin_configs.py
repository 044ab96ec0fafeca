"""The configuration of plugins: over a shared one, checked, with defaults filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS
from compiler.model.document import MappingNode
from compiler.resolve.fields import check_fields, make_plan
from compiler.resolve.plugin_checks import CONFIG_CHECKS
from compiler.resolve.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.resolve.context import Context
    from compiler.resolve.drafts import Draft
    from compiler.resolve.fields import Plan
    from compiler.resolve.problems import Problems

Values = dict[str, Any]


class PluginConfigs:
    """Checks configurations; keeps how that of each plugin is checked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._plans: dict[str, Plan] = {}

    def resolve(self, draft: Draft, values: Values, problems: Problems) -> Values:
        """Return the fields `written` and `config` of a plugin; report what is wrong with them.

        Only the plugins whose fields are known have a `config` that differs from what is written.
        """
        written = _written(draft, values, problems)
        name = values["name"]
        if name not in PLUGIN_SCHEMAS:
            return {"written": written, "config": written}
        plan = self._plans.get(name)
        if plan is None:
            plan = make_plan(PLUGIN_SCHEMAS[name], self._context, "config.")
            self._plans[name] = plan
        config = check_fields(written, plan, problems)
        check = CONFIG_CHECKS.get(name)
        if check is not None:
            check(written, config, problems)
        return {"written": written, "config": config}


def _written(draft: Draft, values: Mapping[str, Any], problems: Problems) -> MappingNode:
    """Return the config of a plugin, over what its `_config` names in `_plugin_configs`."""
    own = values["config"]
    own = own if isinstance(own, MappingNode) else _empty(draft)
    name = values.get("_config")
    if name is None:
        return own
    shared = draft.document.root.get("_plugin_configs")
    base = shared.get(name) if isinstance(shared, MappingNode) else None
    if not isinstance(base, MappingNode):
        known = shared if isinstance(shared, MappingNode) else ()
        problems.add(
            rules.UNKNOWN_REFERENCE,
            draft.node.place("_config"),
            field="_config",
            name=name,
            kind="_plugin_configs",
            suggestion=nearest(name, known, "add it to _plugin_configs of the same file"),
        )
        return own
    # Both stand in one file. What neither has is missing in the plugin, not in what it shares.
    merged = MappingNode(own.file, own.position)
    merged.update(base)
    merged.keys_at = {**base.keys_at, **own.keys_at}
    merged.update(own)
    return merged


def _empty(draft: Draft) -> MappingNode:
    """Return the config of a plugin that has none: what it lacks is missing where it begins."""
    node = draft.node
    return MappingNode(node.file, node.keys_at.get("config", node.position))
