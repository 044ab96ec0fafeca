"""Reporting about the entity at hand: adds which one it is to every diagnostic."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from compiler.catalog.schemas import NAMES, SINGULAR
from compiler.model.diagnostic import EntityRef
from compiler.model.document import MappingNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.diagnostic import Related, Report, Rule
    from compiler.model.place import Place
    from compiler.resolve.drafts import Draft

Holder = MappingNode | SequenceNode

_MAX_SHOWN = 60


class Problems:
    """A report, and the draft that the next problems are about (None for a file's top level)."""

    __slots__ = ("draft", "report")

    def __init__(self, report: Report) -> None:
        self.report = report
        self.draft: Draft | None = None

    def add(
        self,
        rule: Rule,
        place: Place | None,
        *,
        related: Iterable[Related] = (),
        **fields: Any,
    ) -> None:
        """Report *rule* at *place*, about the entity at hand."""
        entity = None if self.draft is None else entity_ref(self.draft)
        self.report.add(rule, place, entity=entity, related=related, **fields)

    @property
    def owner(self) -> str:
        """Return what the entity at hand is called in a message."""
        return "the file" if self.draft is None else label(self.draft)


def singular(kind: str) -> str:
    """Return what one entity of *kind* is called: `service` for `services`."""
    return SINGULAR.get(kind) or kind.removesuffix("s")


def entity_ref(draft: Draft) -> EntityRef:
    """Return what diagnostics call the entity of *draft*."""
    return EntityRef(singular(draft.kind), draft.id, _name(draft))


def label(draft: Draft) -> str:
    """Return a readable name such as ``service 'billing'``."""
    name = _name(draft)
    kind = singular(draft.kind).replace("_", " ")
    return f"this {kind}" if name is None else f"{kind} {name!r}"


def _name(draft: Draft) -> str | None:
    # Of other kinds even a key may be a secret; these are names.
    field = "name" if draft.kind == "plugins" else NAMES.get(draft.kind)
    name = draft.node.get(field) if field else None
    return name if isinstance(name, str) and name else None


def place_in(holder: Holder, key: str | int) -> Place:
    """Return where the field *key* of a mapping, or the item *key* of a list, is written."""
    if isinstance(holder, MappingNode):
        return holder.place(str(key))
    return holder.place(int(key))


def shown(value: object) -> str:
    """Return *value* as a message shows it: quoted, and not too long."""
    text = repr(value) if isinstance(value, str) else _spelt(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def described(value: object) -> str:
    """Return what type *value* has, in the words of YAML and JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a mapping" if isinstance(value, dict) else "a list"


def nearest(name: object, known: Iterable[str], otherwise: str) -> str:
    """Return a hint that names the known word nearest to *name*, or *otherwise*."""
    near = get_close_matches(str(name), list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise


def _spelt(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return described(value) if isinstance(value, dict | list) else str(value)
