"""Checks of upstreams that look at several fields: how requests are spread by hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules

if TYPE_CHECKING:
    from compiler.model.document import MappingNode
    from compiler.resolve.context import Context
    from compiler.resolve.problems import Problems

Values = dict[str, Any]

_INPUTS = {
    "header": ("hash_on_header", "hash_fallback_header"),
    # There is one cookie, whichever of the two it serves.
    "cookie": ("hash_on_cookie", "hash_on_cookie"),
    "query_arg": ("hash_on_query_arg", "hash_fallback_query_arg"),
    "uri_capture": ("hash_on_uri_capture", "hash_fallback_uri_capture"),
}
_DISTINCT = ("header", "query_arg", "uri_capture")
_ONCE = frozenset({"consumer", "ip", "path"})


def check_upstream(
    node: MappingNode, values: Values, problems: Problems, _context: Context
) -> None:
    """Report hashing that lacks its input; settle the algorithm that follows from it."""
    _settle_algorithm(node, values)
    _check_input("hash_on", 0, node, values, problems)
    _check_input("hash_fallback", 1, node, values, problems)
    _check_fallback(node, values, problems)
    for kind in _DISTINCT:
        first, second = _INPUTS[kind]
        if node.get(first) is not None and node.get(first) == node.get(second):
            problems.add(rules.FIELDS_EQUAL, node.place(second), first=first, second=second)


def _settle_algorithm(node: MappingNode, values: Values) -> None:
    """Let `hash_on` decide, as in Kong: hashing is an algorithm, least-connections another."""
    if values["algorithm"] == "least-connections":
        values["hash_on"] = "none"
    elif values["hash_on"] != "none":
        values["algorithm"] = "consistent-hashing"
    elif node.get("hash_on") == "none" and values["algorithm"] == "consistent-hashing":
        values["algorithm"] = "round-robin"


def _check_input(
    field: str, index: int, node: MappingNode, values: Values, problems: Problems
) -> None:
    inputs = _INPUTS.get(values[field])
    if inputs is not None and node.get(inputs[index]) is None:
        problems.add(
            rules.MISSING_FIELD,
            node.place(field),
            owner=problems.owner,
            field=inputs[index],
            reason=f" because {field} is {values[field]}",
        )


def _check_fallback(node: MappingNode, values: Values, problems: Problems) -> None:
    first, second = values["hash_on"], values["hash_fallback"]
    if second == "none":
        return
    if first in {"none", "cookie"} or (first == second and first in _ONCE):
        problems.add(
            rules.FIELD_NOT_ALLOWED,
            node.place("hash_fallback"),
            field="hash_fallback",
            reason=f"to {second} when hash_on is {first}",
        )
