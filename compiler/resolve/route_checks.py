"""Checks of routes that look at several fields: what each group of protocols may match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.model.document import MappingNode, SequenceNode
from compiler.resolve.regex_syntax import regex_problem

if TYPE_CHECKING:
    from compiler.resolve.context import Context
    from compiler.resolve.problems import Problems

Values = dict[str, Any]

_EXCLUSIVE = (
    frozenset({"http", "https"}),
    frozenset({"tcp", "tls", "udp"}),
    frozenset({"tls_passthrough"}),
    frozenset({"grpc", "grpcs"}),
    frozenset({"ws", "wss"}),
)
_WITH_SNI = frozenset({"grpcs", "https", "tls", "tls_passthrough", "wss"})
_STREAM = frozenset({"tcp", "tls", "udp"})
_PASSTHROUGH = frozenset({"tls_passthrough"})
_GRPC = frozenset({"grpc", "grpcs"})
_ADDRESSES = ("sources", "destinations")
_HTTP_MATCHERS = ("methods", "hosts", "headers", "paths")
_GRPC_MATCHERS = ("hosts", "headers", "paths")
_MATCHERS = (*_HTTP_MATCHERS, "snis", *_ADDRESSES)


def check_route(node: MappingNode, values: Values, problems: Problems, context: Context) -> None:
    """Report fields that do not go together; set the default that depends on the protocols."""
    protocols = frozenset(values["protocols"])
    groups = [group for group in _EXCLUSIVE if group & protocols]
    if len(groups) > 1:
        found = ", ".join(sorted(protocols))
        problems.add(rules.PROTOCOLS_MIXED, node.place("protocols"), found=found)
        return
    if node.get("snis") and not protocols & _WITH_SNI:
        reason = f"when protocols are {_listed(protocols)}, which have no TLS"
        _not_allowed(node, "snis", reason, problems)
    expressions = context.flavor == "expressions"
    _check_allowed(node, protocols, problems, expressions=expressions)
    _check_matchers(node, protocols, problems, expressions=expressions)
    if context.flavor != "traditional":
        _check_header_regexes(node, problems)
    if expressions:
        _check_expression(node, problems)
    if protocols & _GRPC:
        values["strip_path"] = False


def _check_allowed(
    node: MappingNode, protocols: frozenset[str], problems: Problems, *, expressions: bool
) -> None:
    if protocols & (_STREAM | _PASSTHROUGH):
        forbidden: tuple[str, ...] = _HTTP_MATCHERS
    elif protocols & _GRPC:
        forbidden = ("methods",) if expressions else ("methods", *_ADDRESSES)
        if node.get("strip_path") is True:
            _not_allowed(node, "strip_path", "to true for gRPC", problems)
    else:
        forbidden = () if expressions else _ADDRESSES
    for field in forbidden:
        if node.get(field) is not None:
            reason = f"when protocols are {_listed(protocols)}"
            _not_allowed(node, field, reason, problems)


def _check_matchers(
    node: MappingNode, protocols: frozenset[str], problems: Problems, *, expressions: bool
) -> None:
    fields = _needed(protocols)
    if expressions:
        fields = (*fields, "expression")
    if not any(node.get(field) for field in fields):
        problems.add(
            rules.NOTHING_TO_MATCH,
            node.place(),
            owner=problems.owner,
            fields=", ".join(fields),
            reason=f"when protocols are {_listed(protocols)}",
        )


def _needed(protocols: frozenset[str]) -> tuple[str, ...]:
    if protocols & _PASSTHROUGH:
        return ("snis",)
    if protocols & _STREAM:
        return (*_ADDRESSES, "snis")
    matchers = _GRPC_MATCHERS if protocols & _GRPC else _HTTP_MATCHERS
    return (*matchers, "snis") if protocols & _WITH_SNI else matchers


def _check_header_regexes(node: MappingNode, problems: Problems) -> None:
    headers = node.get("headers")
    if not isinstance(headers, MappingNode):
        return
    for name, wanted in headers.items():
        # Only a header with a single value is matched as a regular expression.
        if not isinstance(wanted, SequenceNode) or len(wanted) != 1:
            continue
        text = wanted[0]
        if isinstance(text, str) and text.startswith("~*"):
            problem = regex_problem(text[2:], compat=True)
            if problem:
                problems.add(
                    rules.INVALID_VALUE,
                    headers.place(name),
                    field=f"headers.{name}",
                    problem=f"the regular expression {text[2:]!r} {problem}",
                    suggestion="correct the value",
                )


def _check_expression(node: MappingNode, problems: Problems) -> None:
    matchers = [field for field in _MATCHERS if node.get(field)]
    if node.get("expression") and (matchers or node.get("regex_priority")):
        rest = ", ".join(matchers) or "regex_priority"
        _not_allowed(node, "expression", f"together with {rest}", problems)
    if matchers and node.get("priority"):
        _not_allowed(node, "priority", f"together with {', '.join(matchers)}", problems)


def _listed(protocols: frozenset[str]) -> str:
    return ", ".join(sorted(protocols)) or "unknown"


def _not_allowed(node: MappingNode, field: str, reason: str, problems: Problems) -> None:
    problems.add(rules.FIELD_NOT_ALLOWED, node.place(field), field=field, reason=reason)
