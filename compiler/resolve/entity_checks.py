"""Checks of services, certificates, consumers and plugins that look at several fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.plugin_protocols import (
    DEFAULT_PROTOCOLS,
    HTTP_PLUGINS,
    OWN_DEFAULT_PROTOCOLS,
    STREAM_PROTOCOLS,
)
from compiler.model.document import MappingNode, SequenceNode
from compiler.resolve.problems import nearest
from compiler.resolve.urls import expand_url

if TYPE_CHECKING:
    from compiler.resolve.drafts import Draft
    from compiler.resolve.fields import Context
    from compiler.resolve.problems import Problems

Values = dict[str, Any]

_WITHOUT_PATH = frozenset({"grpc", "grpcs", "tcp", "tls", "udp"})
_UPSTREAM_TLS = (
    "client_certificate",
    "tls_verify",
    "tls_verify_depth",
    "ca_certificates",
    "tls_sans",
)
_TLS_PROTOCOLS = ("https", "tls")
_LATER_TLS_PROTOCOLS = ("grpcs", "wss")
_LATER_TLS_SINCE = (3, 14)


def expand_service(node: MappingNode) -> MappingNode:
    """Return a service with its `url` replaced by the fields it stands for, which win."""
    url = node.get("url")
    if not isinstance(url, str) or not url:
        return node
    at = node.keys_at.get("url", node.position)
    parts = expand_url(url)
    # A host that the url lacks is missing at the url.
    expanded = MappingNode(node.file, at)
    expanded.keys_at = {**node.keys_at, **dict.fromkeys(parts, at)}
    expanded.update(
        (key, value) for key, value in node.items() if key not in parts and key != "url"
    )
    expanded.update((key, value) for key, value in parts.items() if value is not None)
    return expanded


def check_service(node: MappingNode, values: Values, problems: Problems, context: Context) -> None:
    """Report fields that the protocol of a service does not have, and CAs that do not exist."""
    protocol = values["protocol"]
    if protocol in _WITHOUT_PATH and node.get("path") is not None:
        _not_allowed(node, "path", f"when protocol is {protocol}", problems)
    later = context.version >= _LATER_TLS_SINCE
    protocols = _TLS_PROTOCOLS + (_LATER_TLS_PROTOCOLS if later else ())
    if protocol in protocols:
        _check_cas(node, problems, context)
        return
    reason = f"when protocol is {protocol}, only for {', '.join(protocols)}"
    for field in _UPSTREAM_TLS:
        if node.get(field) is not None:
            _not_allowed(node, field, reason, problems)


def _check_cas(node: MappingNode, problems: Problems, context: Context) -> None:
    ids = node.get("ca_certificates")
    if not isinstance(ids, SequenceNode):
        return
    for index, name in enumerate(ids):
        is_uuid = isinstance(name, str) and context.checks["uuid"](name) is None
        if is_uuid and context.index.find("ca_certificates", name) is None:
            problems.add(
                rules.UNKNOWN_REFERENCE,
                ids.place(index),
                field="ca_certificates",
                name=name,
                kind="ca_certificates",
                suggestion="add a CA certificate with this id; each needs one written out",
            )


def check_certificate(
    node: MappingNode, _values: Values, problems: Problems, _context: Context
) -> None:
    """Report half of a second pair."""
    alternatives = ("cert_alt", "key_alt")
    given = [field for field in alternatives if node.get(field) is not None]
    if len(given) == 1:
        missing = alternatives[1 - alternatives.index(given[0])]
        problems.add(
            rules.FIELDS_INCOMPLETE,
            node.place(given[0]),
            owner=problems.owner,
            given=given[0],
            missing=missing,
        )


def check_consumer(
    node: MappingNode, _values: Values, problems: Problems, _context: Context
) -> None:
    """Report a consumer that nothing identifies."""
    if not node.get("username") and not node.get("custom_id"):
        problems.add(
            rules.NOTHING_TO_MATCH,
            node.place(),
            owner=problems.owner,
            fields="username, custom_id",
            reason="",
        )


def check_plugin(node: MappingNode, values: Values, problems: Problems, _context: Context) -> None:
    """Report protocols that a plugin does not work for; set the default of its own."""
    name = values["name"]
    protocols = node.get("protocols")
    if protocols is None:
        values["protocols"] = OWN_DEFAULT_PROTOCOLS.get(str(name), DEFAULT_PROTOCOLS)
        return
    if name not in HTTP_PLUGINS or not isinstance(protocols, SequenceNode):
        return
    for index, protocol in enumerate(protocols):
        if isinstance(protocol, str) and protocol in STREAM_PROTOCOLS:
            problems.add(
                rules.UNKNOWN_VALUE,
                protocols.place(index),
                field="protocols",
                value=repr(protocol),
                suggestion=f"{name} works for {', '.join(DEFAULT_PROTOCOLS)}",
            )


def shared_config(draft: Draft, values: Values, problems: Problems) -> Values | MappingNode:
    """Return the config of a plugin, over what its `_config` names in `_plugin_configs`."""
    own = values["config"]
    own = own if isinstance(own, MappingNode) else MappingNode(draft.node.file, draft.node.position)
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
    merged = MappingNode(base.file, base.position)
    merged.update(base)
    merged.keys_at = {**base.keys_at, **own.keys_at}
    merged.update(own)
    return merged


def _not_allowed(node: MappingNode, field: str, reason: str, problems: Problems) -> None:
    problems.add(rules.FIELD_NOT_ALLOWED, node.place(field), field=field, reason=reason)
