"""Checks of plugins that look at several fields: of the plugin itself, and of its config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.plugin_protocols import default_protocols, own_protocols
from compiler.catalog.plugin_schemas import PLUGIN_SINCE, RENAMED_FIELDS, WITHOUT_CONSUMER
from compiler.model.document import SequenceNode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.model.document import MappingNode
    from compiler.resolve.context import Context
    from compiler.resolve.problems import Problems

    ConfigCheck = Callable[[MappingNode, Mapping[str, Any], Problems], None]

Values = dict[str, Any]


def check_plugin(node: MappingNode, values: Values, problems: Problems, context: Context) -> None:
    """Report what a plugin does not work for; set the default of its own protocols."""
    name = values["name"]
    since = PLUGIN_SINCE.get(name, ())
    if context.version < since:
        problems.add(
            rules.UNKNOWN_VALUE,
            node.place("name"),
            field="name",
            value=repr(name),
            suggestion=f"Kong has it from {'.'.join(map(str, since))}: compile for a later version"
            " with --kong-version, or remove the plugin",
        )
    if name in WITHOUT_CONSUMER:
        for field in ("consumer", "consumer_group"):
            if values[field] is not None:
                _not_allowed(node, field, field, f"for the plugin {name}", problems)
    _check_protocols(node, values, problems, context)


def _check_protocols(
    node: MappingNode, values: Values, problems: Problems, context: Context
) -> None:
    name = values["name"]
    protocols = node.get("protocols")
    if protocols is None:
        values["protocols"] = default_protocols(name, context.version)
        return
    if not isinstance(protocols, SequenceNode):
        return
    refused, works = own_protocols(name)
    for index, protocol in enumerate(protocols):
        if isinstance(protocol, str) and protocol in refused:
            problems.add(
                rules.UNKNOWN_VALUE,
                protocols.place(index),
                field="protocols",
                value=repr(protocol),
                suggestion=f"{name} works for {', '.join(works)}",
            )


def _check_acl(node: MappingNode, config: Mapping[str, Any], problems: Problems) -> None:
    _check_lists(node, config, problems)
    if config["allow"] and config["deny"]:
        _together(node, "deny", "allow", problems)


def _check_lists(node: MappingNode, _config: Mapping[str, Any], problems: Problems) -> None:
    # A list that was refused, perhaps for its old name, is no reason to ask for another.
    written = ("allow", "deny", *RENAMED_FIELDS)
    if not any(node.get(field) for field in written):
        problems.add(
            rules.NOTHING_TO_MATCH,
            node.place(),
            owner=problems.owner,
            fields="config.allow, config.deny",
            reason="to restrict anything",
        )


def _check_proxies(node: MappingNode, _config: Mapping[str, Any], problems: Problems) -> None:
    for scheme in ("http", "https"):
        pair = (f"{scheme}_proxy_host", f"{scheme}_proxy_port")
        given = [field for field in pair if node.get(field) is not None]
        if len(given) == 1:
            _incomplete(node, given[0], pair[1 - pair.index(given[0])], problems)


def _check_answer(node: MappingNode, config: Mapping[str, Any], problems: Problems) -> None:
    for field in ("content_type", "body"):
        if config["message"] and config[field]:
            _together(node, "message", field, problems)
        if config["echo"] and config[field]:
            _together(node, "echo", field, problems)
    if config["content_type"] and not node.get("body"):
        _incomplete(node, "content_type", "body", problems)


def _check_origins(node: MappingNode, config: Mapping[str, Any], problems: Problems) -> None:
    if config["credentials"] and (not config["origins"] or "*" in config["origins"]):
        problems.add(rules.ANY_ORIGIN_WITH_CREDENTIALS, node.place("credentials"))


CONFIG_CHECKS: Mapping[str, ConfigCheck] = {
    "acl": _check_acl,
    "cors": _check_origins,
    "header-cert-auth": _check_proxies,
    "ip-restriction": _check_lists,
    "mtls-auth": _check_proxies,
    "request-termination": _check_answer,
}
"""By plugin: what checks the fields of its config against each other."""


def _together(node: MappingNode, field: str, other: str, problems: Problems) -> None:
    _not_allowed(node, field, f"config.{field}", f"together with config.{other}", problems)


def _not_allowed(node: MappingNode, key: str, field: str, reason: str, problems: Problems) -> None:
    problems.add(rules.FIELD_NOT_ALLOWED, node.place(key), field=field, reason=reason)


def _incomplete(node: MappingNode, given: str, missing: str, problems: Problems) -> None:
    problems.add(
        rules.FIELDS_INCOMPLETE,
        node.place(given),
        owner=problems.owner,
        given=f"config.{given}",
        missing=f"config.{missing}",
    )
