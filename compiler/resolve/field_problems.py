"""What is said about a field: shared by the checkers of all types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.plugin_schemas import RENAMED_FIELDS
from compiler.resolve.problems import described, nearest, shown

if TYPE_CHECKING:
    from compiler.catalog.schema_fields import Field
    from compiler.model.document import MappingNode
    from compiler.model.place import Place
    from compiler.resolve.fields import Plan
    from compiler.resolve.problems import Problems

EXPECTED = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "set": "a list",
    "map": "a mapping",
    "record": "a mapping",
    "consumer": "a string",
    "authority": "a string",
    "authority_id": "a string",
}


def report_type(name: str, field: Field, value: Any, place: Place, problems: Problems) -> None:
    """Report a *value* of the wrong type."""
    expected = EXPECTED[field.type]
    suggestion = f"write {expected} here"
    if expected == "a string" and isinstance(value, bool | int | float):
        suggestion = "put it in quotes"
    elif isinstance(value, str) and field.type in {"integer", "number", "boolean"}:
        suggestion = f"write {expected}, without quotes"
    elif field.type in {"list", "set"}:
        suggestion = "put it in square brackets"
    problems.add(
        rules.WRONG_TYPE,
        place,
        field=name,
        expected=expected,
        actual=described(value),
        suggestion=suggestion,
    )


def report_choice(
    name: str, choices: tuple[Any, ...], value: Any, place: Place, problems: Problems
) -> None:
    """Report a *value* that is not one of *choices*."""
    if _holds_pem(value):
        report_invalid(name, "", place, problems, pem=True)
        return
    known = ", ".join(map(str, choices))
    near = nearest(value, map(str, choices), "")
    problems.add(
        rules.UNKNOWN_VALUE,
        place,
        field=name,
        value=shown(value),
        suggestion=f"{near} known are {known}".strip() if near else f"choose one of {known}",
    )


def report_invalid(
    name: str, problem: str, place: Place, problems: Problems, *, pem: bool = False
) -> None:
    """Report what a check said; advice after a semicolon becomes the hint.

    PEM that went astray is not shown: it may be a key.
    """
    suggestion = "correct the value"
    if pem or _holds_pem(problem):
        problem = "PEM does not belong here"
    if "; write " in problem:
        problem, suggestion = problem.rsplit("; ", 1)
    problems.add(rules.INVALID_VALUE, place, field=name, problem=problem, suggestion=suggestion)


def report_missing(name: str, place: Place, problems: Problems) -> None:
    """Report a required field that is not there."""
    problems.add(rules.MISSING_FIELD, place, owner=problems.owner, field=name, reason="")


def report_unknown(name: str, node: MappingNode, plan: Plan, problems: Problems) -> None:
    """Report a field that is not in the *plan* of the entity."""
    known = plan.checkers
    fields = ", ".join(sorted(field for field in known if not field.startswith("_")))
    suggestion = nearest(name, known, f"its fields are: {fields}")
    now = RENAMED_FIELDS.get(name)
    if now in known:
        suggestion = f"it is called {now} since Kong 3.0"
    problems.add(
        rules.UNKNOWN_FIELD,
        node.place(name),
        owner=problems.owner,
        field=plan.prefix + name,
        suggestion=suggestion,
    )


def _holds_pem(value: object) -> bool:
    return isinstance(value, str) and "-----BEGIN " in value
