"""Field descriptions to checkers: functions that check a value and return it resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.model.document import MappingNode, SequenceNode
from compiler.resolve.context import INVALID
from compiler.resolve.field_problems import (
    report_choice,
    report_invalid,
    report_missing,
    report_type,
    report_unknown,
)
from compiler.resolve.problems import place_in, shown
from compiler.resolve.reference_fields import (
    authority_checker,
    authority_id_checker,
    consumer_checker,
    reference_checker,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.catalog.schema_fields import Field
    from compiler.resolve.context import Checker, Context
    from compiler.resolve.problems import Holder, Problems


@dataclass(frozen=True, slots=True)
class Plan:
    """How the fields of one kind are checked; `prefix` is put before their names in messages."""

    checkers: Mapping[str, Checker]
    defaults: Mapping[str, Any]
    required: tuple[str, ...]
    prefix: str = ""


def make_plan(fields: Mapping[str, Field], context: Context, prefix: str = "") -> Plan:
    """Prepare the checks of *fields*; *prefix* is how messages name the record they are in."""
    known = {name: field for name, field in fields.items() if context.has(field)}
    return Plan(
        {name: make_checker(field, prefix + name, context) for name, field in known.items()},
        {name: _default(field, context) for name, field in known.items()},
        tuple(sorted(name for name, field in known.items() if field.required)),
        prefix,
    )


def check_fields(node: MappingNode, plan: Plan, problems: Problems) -> dict[str, Any]:
    """Return the values of *node* with defaults filled in; report what is wrong with them.

    A field whose value was refused has its default. A required one without any is missing
    from the result, and reported.
    """
    values = dict(plan.defaults)
    checkers = plan.checkers
    required = plan.required
    for name, value in node.items():
        checker = checkers.get(name)
        if checker is None:
            report_unknown(name, node, plan, problems)
        elif value is None:
            if name in required:
                report_missing(plan.prefix + name, node.place(name), problems)
        else:
            checked = checker(value, node, name, problems)
            if checked is not INVALID:
                values[name] = checked
    for name in required:
        if values[name] is None and name not in node:
            report_missing(plan.prefix + name, node.place(), problems)
    return values


def make_checker(field: Field, name: str, context: Context) -> Checker:
    """Return the function that checks a value of *field*; *name* is for messages."""
    if not field.compiled:
        return _not_compiled(name)
    return _MAKERS[field.type](field, name, context)


def _default(field: Field, context: Context) -> Any:
    if field.type == "record" and field.fields is not None:
        inner = {name: _default(inner, context) for name, inner in field.fields.items()}
        return {name: value for name, value in inner.items() if value is not None} or None
    later = [value for value, since in field.later_defaults if context.version >= since]
    return later[-1] if later else field.default


def _any(value: Any, _holder: Holder, _key: str | int, _problems: Problems) -> Any:
    return value


def _not_compiled(name: str) -> Checker:
    def check(_value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        problems.add(rules.FIELD_NOT_COMPILED, place_in(holder, key), field=name)
        return INVALID

    return check


def _string(field: Field, name: str, context: Context) -> Checker:
    check_text = context.checks[field.check] if field.check else None
    choices = _choices(field, context)

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        if type(value) is not str:
            report_type(name, field, value, place_in(holder, key), problems)
        elif choices and value not in choices:
            report_choice(name, choices, value, place_in(holder, key), problems)
        elif not value:
            problems.add(rules.EMPTY_VALUE, place_in(holder, key), field=name)
        elif field.sensitive and value.startswith("{vault://") and value.endswith("}"):
            problems.add(rules.VAULT_REFERENCE, place_in(holder, key), field=name)
        else:
            problem = check_text(value) if check_text is not None else None
            if problem is None:
                return value
            report_invalid(name, problem, place_in(holder, key), problems)
        return INVALID

    return check


def _scalar(field: Field, name: str, _context: Context) -> Checker:
    low, high = field.between or (None, None)
    is_integer, is_boolean = field.type == "integer", field.type == "boolean"

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        kind = type(value)
        if kind is float and is_integer and value.is_integer():
            value, kind = int(value), int
        fits = kind is bool if is_boolean else kind is int or (kind is float and not is_integer)
        if not fits or value != value:  # noqa: PLR0124 - a NaN is no number either
            report_type(name, field, value, place_in(holder, key), problems)
        elif low is not None and not low <= value <= high:
            place = place_in(holder, key)
            problems.add(
                rules.OUT_OF_RANGE, place, field=name, value=shown(value), low=low, high=high
            )
        elif field.choices and value not in field.choices:
            report_choice(name, field.choices, value, place_in(holder, key), problems)
        else:
            return value
        return INVALID

    return check


def _list(field: Field, name: str, context: Context) -> Checker:
    element = field.elements
    check_item = make_checker(element, name, context) if element is not None else _any
    unique = field.type == "set"

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        if not _is_list(value):
            report_type(name, field, value, place_in(holder, key), problems)
            return INVALID
        if not value and field.not_empty:
            problems.add(rules.EMPTY_VALUE, place_in(holder, key), field=name)
            return INVALID
        checked = [check_item(item, value, index, problems) for index, item in enumerate(value)]
        kept = [item for item in checked if item is not INVALID]
        if unique and len(kept) > 1:
            kept = list({str(item): item for item in kept}.values())
        return tuple(kept)

    return check


def _map(field: Field, name: str, context: Context) -> Checker:
    element = field.elements
    check_item = (
        None if element is None or element.type == "any" else make_checker(element, name, context)
    )
    check_key = context.checks[field.check] if field.check else None

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        if not _is_map(value):
            report_type(name, field, value, place_in(holder, key), problems)
            return INVALID
        if check_item is None or not value:
            return value
        for entry in value:
            problem = check_key(entry) if check_key is not None else None
            if problem:
                report_invalid(name, problem, place_in(holder, key), problems)
        checked = {entry: check_item(value[entry], value, entry, problems) for entry in value}
        return {entry: item for entry, item in checked.items() if item is not INVALID}

    return check


def _record(field: Field, name: str, context: Context) -> Checker:
    plan = make_plan(field.fields or {}, context, f"{name}.")
    any_of = field.any_of

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        if not _is_map(value):
            report_type(name, field, value, place_in(holder, key), problems)
            return INVALID
        node = value if isinstance(value, MappingNode) else MappingNode(value.file, value.position)
        if any_of and not any(node.get(inner) is not None for inner in any_of):
            fields = " or ".join(any_of)
            problems.add(
                rules.NOTHING_TO_MATCH,
                place_in(holder, key),
                owner=f"each of {name}",
                fields=fields,
                reason="",
            )
        values = check_fields(node, plan, problems)
        return {inner: set_value for inner, set_value in values.items() if set_value is not None}

    return check


def _anything(_field: Field, _name: str, _context: Context) -> Checker:
    return _any


_MAKERS: Mapping[str, Callable[[Field, str, Context], Checker]] = {
    "string": _string,
    "integer": _scalar,
    "number": _scalar,
    "boolean": _scalar,
    "list": _list,
    "set": _list,
    "map": _map,
    "record": _record,
    "reference": reference_checker,
    "consumer": consumer_checker,
    "authority": authority_checker,
    "authority_id": authority_id_checker,
    "any": _anything,
}


def _choices(field: Field, context: Context) -> tuple[Any, ...]:
    later = tuple(value for value, since in field.later_choices if context.version >= since)
    return field.choices + later


def _is_list(value: Any) -> bool:
    # Kong can't tell an empty mapping from an empty list.
    return isinstance(value, SequenceNode) or value == {}


def _is_map(value: Any) -> bool:
    return isinstance(value, MappingNode) or value == []
