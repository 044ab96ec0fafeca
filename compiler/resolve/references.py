"""Finding entities by id or name among all that the files declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.catalog.schemas import CREDENTIALS, NAMES, UNIQUE, UNIQUE_TOGETHER
from compiler.model.diagnostic import Related
from compiler.resolve.pem import PemError, parse_certificates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.resolve.drafts import Draft
    from compiler.resolve.problems import Problems


class Index:
    """All drafts by kind, id, name and what else must be unique."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Draft] = {}
        self._by_value: dict[tuple[str, str, str], Draft] = {}
        self._snis: dict[str, Draft] = {}
        self._together: dict[tuple[Any, ...], Draft] = {}
        self._authorities: dict[str, str] | None = None
        # Comparing with every name takes long; thousands of suggestions would help nobody.
        self._suggestions = 20

    def add(self, draft: Draft, problems: Problems) -> bool:
        """Remember *draft*; False, and a report, if it repeats what must be unique."""
        problems.draft = draft
        unique = self._add_values(draft, problems)
        if draft.kind == "snis":
            unique = self._add_sni(draft, problems) and unique
        first = self._by_id.setdefault((draft.kind, draft.id), draft)
        if first is draft:
            return unique
        if unique:
            _report_duplicate(first, draft, "id" if "id" in draft.node else None, problems)
        return False

    def find(self, kind: str, name_or_id: str) -> str | None:
        """Return the id of the entity of *kind* that *name_or_id* means, or None."""
        field = NAMES.get(kind, "")
        found = self._by_value.get((kind, field, name_or_id))
        found = found or self._by_id.get((kind, name_or_id))
        return None if found is None else found.id

    def find_id(self, kind: str, identifier: str) -> str | None:
        """Return *identifier* if it is the id of an entity of *kind*, else None."""
        return identifier if (kind, identifier) in self._by_id else None

    def find_authority(self, digest: str) -> str | None:
        """Return the id of the CA certificate with this SHA-256, or None."""
        if self._authorities is None:
            self._authorities = {}
            for (kind, identifier), draft in self._by_id.items():
                if kind == "ca_certificates":
                    self._authorities.setdefault(_digest(draft.node.get("cert")), identifier)
        return self._authorities.get(digest)

    def add_together(self, draft: Draft, values: Mapping[str, Any], problems: Problems) -> bool:
        """Remember *values*, resolved; False, and a report, if they repeat those of another."""
        fields = UNIQUE_TOGETHER.get(draft.kind)
        if fields is None or any(_refused(values[field], draft, field) for field in fields):
            return True
        key = (draft.kind, *(values[field] for field in fields))
        first = self._together.setdefault(key, draft)
        if first is not draft:
            _report_duplicate(first, draft, None, problems)
        return first is draft

    def names(self, kind: str) -> Iterable[str]:
        """Return the names of all entities of *kind*, for suggestions; none after some."""
        self._suggestions -= 1
        if self._suggestions < 0:
            return ()
        field = NAMES.get(kind, "")
        return [key[2] for key in self._by_value if key[:2] == (kind, field)]

    def _add_values(self, draft: Draft, problems: Problems) -> bool:
        unique = True
        kind = draft.kind
        for field in UNIQUE.get(kind, ()):
            value = draft.node.get(field)
            if type(value) is str and value:
                first = self._by_value.setdefault((kind, field, value), draft)
                if first is not draft:
                    _report_duplicate(first, draft, field, problems)
                    unique = False
        return unique

    def _add_sni(self, draft: Draft, problems: Problems) -> bool:
        name = draft.node.get("name")
        if type(name) is not str or not name:
            return True
        first = self._snis.setdefault(sni_key(name), draft)
        if first is draft:
            if name.endswith("."):
                problems.add(rules.TRAILING_DOT, draft.node.place("name"), name=name)
            return True
        if first.node["name"] == name:
            _report_duplicate(first, draft, "name", problems)
        else:
            related = [Related("first declared here", first.node.place("name"))]
            other = first.node["name"]
            place = draft.node.place("name")
            problems.add(rules.DUPLICATE_SNI, place, related=related, name=name, other=other)
        return False


def sni_key(name: str) -> str:
    """Return what two spellings of one server name have in common."""
    return name.removesuffix(".").lower()


def _refused(value: object, draft: Draft, field: str) -> bool:
    """Tell whether a field is written, but its value could not be used."""
    return value is None and draft.node.get(field) is not None


def _digest(pem: object) -> str:
    """Return the SHA-256 of a certificate; empty if it is none, which is reported elsewhere."""
    try:
        return parse_certificates(pem)[0].sha256 if isinstance(pem, str) else ""
    except PemError:
        return ""


def _report_duplicate(first: Draft, draft: Draft, field: str | None, problems: Problems) -> None:
    # Values of credentials are secrets; those of other kinds help to find them.
    value = None if field is None or draft.kind in CREDENTIALS else draft.node[field]
    together = " and ".join(UNIQUE_TOGETHER.get(draft.kind, ("name", "scope")))
    problems.add(
        rules.DUPLICATE_ENTITY,
        draft.node.place(field),
        related=[Related("first declared here", first.node.place(field))],
        kind=draft.kind,
        field=field or together,
        value="" if value is None else f" {value!r}",
    )
