"""Checks of services, certificates and consumers that look at several fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.model.document import MappingNode, SequenceNode
from compiler.resolve.urls import expand_url

if TYPE_CHECKING:
    from compiler.resolve.context import Context
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


def _not_allowed(node: MappingNode, field: str, reason: str, problems: Problems) -> None:
    problems.add(rules.FIELD_NOT_ALLOWED, node.place(field), field=field, reason=reason)
