"""Diagnostics: what the user is told, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.place import Place


class Severity(StrEnum):
    """How bad it is: an error stops the compilation, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of diagnostic, declared once in `compiler.catalog`.

    `name` names the fault, not the cure. `message` and `hint` are `str.format` templates;
    the names in them are the fields that `Report.add` must be given.
    """

    code: str
    name: str
    severity: Severity
    message: str
    hint: str | None = None

    def fields(self) -> frozenset[str]:
        """Return the names that the templates ask for."""
        texts = self.message + (self.hint or "")
        return frozenset(name for _, name, _, _ in Formatter().parse(texts) if name)


@dataclass(frozen=True, slots=True)
class EntityRef:
    """Which entity a diagnostic is about."""

    type: str
    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that plays a part."""

    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One occurrence of a rule. Texts never hold secrets: callers pass names, not values."""

    rule: Rule
    severity: Severity
    message: str
    hint: str | None = None
    place: Place | None = None
    entity: EntityRef | None = None
    related: tuple[Related, ...] = ()

    def sort_key(self) -> tuple[object, ...]:
        """Order by place (those without one first), then code, then text."""
        where = self.place
        at = (
            ("", 0, 0, "")
            if where is None
            else (where.file or "", where.line or 0, where.column or 0, where.variable or "")
        )
        return (*at, self.rule.code, self.message)


@dataclass(slots=True)
class Report:
    """A write-only sink for the stages; only the gates between stages read it."""

    _diagnostics: dict[Diagnostic, None] = field(default_factory=dict)
    _errors: int = 0

    def add(
        self,
        rule: Rule,
        place: Place | None,
        *,
        entity: EntityRef | None = None,
        related: Iterable[Related] = (),
        severity: Severity | None = None,
        **fields: object,
    ) -> None:
        """Record one occurrence of *rule* at *place*.

        *severity* overrides the rule's own (an error the user chose to allow).
        Raises TypeError unless *fields* are exactly those that the rule's texts name.
        """
        if fields.keys() != rule.fields():
            raise TypeError(f"{rule.code} wants {sorted(rule.fields())}, got {sorted(fields)}")
        level = severity or rule.severity
        diagnostic = Diagnostic(
            rule=rule,
            severity=level,
            message=rule.message.format_map(fields),
            hint=None if rule.hint is None else rule.hint.format_map(fields),
            place=place,
            entity=entity,
            related=tuple(related),
        )
        if diagnostic not in self._diagnostics:
            self._diagnostics[diagnostic] = None
            self._errors += level is Severity.ERROR

    @property
    def has_errors(self) -> bool:
        """Tell whether anything recorded so far stops the compilation."""
        return self._errors > 0

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._diagnostics, key=Diagnostic.sort_key))
