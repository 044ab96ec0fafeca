"""Texts of properties to values, with Kong's ideas of what is on and what is a number."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from compiler.catalog import settings_rules as rules
from compiler.catalog.properties_shape import Kind
from compiler.model.number import lua_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.catalog.properties_shape import Property
    from compiler.model.diagnostic import Report, Rule
    from compiler.model.place import Place
    from compiler.model.settings import Value

_BLANKS = " \t\n\v\f\r"
_TRUE = frozenset({"on", "true"})
_FALSE = frozenset({"off", "false"})
_LONGEST_SHOWN = 60

UNSET: Mapping[Kind, Value] = MappingProxyType(
    {
        Kind.BOOLEAN: False,
        Kind.SWITCH: None,
        Kind.NUMBER: None,
        Kind.INTEGER: None,
        Kind.LIST: (),
        Kind.CHOICE: None,
        Kind.TEXT: None,
    }
)
"""The value of a property that nobody sets and that has no default."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a text, and the fault in it, if any, with what its rule wants to know."""

    value: Value
    fault: Rule | None = None
    about: tuple[tuple[str, str], ...] = ()

    def tell(self, name: str, shown: str, place: Place | None, report: Report) -> None:
        """Report the fault, showing *shown* for the text."""
        if self.fault is None:
            return
        fields: dict[str, Any] = {"name": name, **dict(self.about)}
        if "value" in self.fault.fields():
            fields["value"] = shown
        report.add(self.fault, place, **fields)


def split_list(text: str) -> tuple[str, ...]:
    """Return the entries between the commas of *text*, without the empty ones."""
    entries = (entry.strip(_BLANKS) for entry in text.split(","))
    return tuple(entry for entry in entries if entry)


def show(text: str, *, secret: bool) -> str:
    """Return *text* in quotes, fit for a message: short, and hidden if it is secret."""
    if secret:
        return "[redacted]"
    short = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return f"'{short}'" if short.isprintable() else ascii(short)


def read_value(known: Property, text: str) -> Reading:
    """Return the value that *text* is for property *known*."""
    text = text.strip(_BLANKS)
    match known.kind:
        case Kind.BOOLEAN:
            return _read_boolean(known, text)
        case Kind.SWITCH:
            # Unlike for a boolean, `true` in the file or the environment is off.
            copied = bool(text) and text not in {"on", "off"}
            return Reading("on" if text == "on" else "off", rules.SWITCH_COPIED if copied else None)
        case Kind.NUMBER | Kind.INTEGER:
            return _read_number(known, text)
        case Kind.LIST:
            return Reading(split_list(text))
        case Kind.CHOICE:
            return _read_choice(known, text)
        case Kind.TEXT:
            return Reading(text or None)


def _read_boolean(known: Property, text: str) -> Reading:
    clear = text in _TRUE or text in _FALSE or (not text and known.default != "on")
    return Reading(text in _TRUE, None if clear else rules.READ_AS_OFF)


def _read_number(known: Property, text: str) -> Reading:
    if not text:
        return Reading(None)
    whole = known.kind is Kind.INTEGER
    number = lua_number(text)
    if number is None or (whole and not number.is_integer()):
        expected = "a whole number" if whole else "a number"
        fallback = _read_number(known, known.default or "").value
        return Reading(fallback, rules.NOT_A_NUMBER, (("expected", expected),))
    return Reading(int(number) if number.is_integer() else number)


def _read_choice(known: Property, text: str) -> Reading:
    if text in known.choices:
        return Reading(text)
    if not text and known.default is None:
        return Reading(None)
    return Reading(known.default, rules.INVALID_CHOICE, (("choices", ", ".join(known.choices)),))
