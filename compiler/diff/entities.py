"""Entities that were added, removed or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.diff.changes import Change, risk
from compiler.diff.guard_risk import guard_risk
from compiler.diff.masking import Masker
from compiler.diff.matching import match
from compiler.diff.records import KINDS, Link, RecordMaker, Tokens, singular
from compiler.diff.spelling import as_json, listed, spelt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compiler.diff.changes import Risk
    from compiler.diff.records import Record
    from compiler.model.config import Config

    Pairs = list[tuple[Record, Record]]

_GUARDS = frozenset(
    {"acl", "basic-auth", "bot-detection", "header-cert-auth", "hmac-auth", "ip-restriction", "jwt",
     "jwt-signer", "key-auth", "key-auth-enc", "ldap-auth", "ldap-auth-advanced", "mtls-auth",
     "oauth2", "oauth2-introspection", "opa", "openid-connect", "tls-handshake-modifier",
     "vault-auth"}
)  # fmt: skip
"""Plugins that keep requests out."""


class EntityDiff:
    """Compares the entities of two configurations.

    `pairs` holds those that both have, by kind; `plugins` those of each side by their ids.
    """

    def __init__(self, old: Config, new: Config, masker: Masker) -> None:
        self.pairs: dict[str, Pairs] = {}
        self.plugins: tuple[dict[str, Record], dict[str, Record]] = ({}, {})
        self._added: list[Record] = []
        self._removed: list[Record] = []
        tokens: Tokens = {}
        makers = RecordMaker(old, masker, {}), RecordMaker(new, masker, tokens)
        for kind in KINDS:
            pairs = self._match(kind, *(maker.records(kind) for maker in makers))
            # An id that was matched otherwise must not be taken for the old one's.
            tokens[kind] = {r.id: f"new {r.id}" for r in self._added if r.kind == kind}
            tokens[kind] |= {after.id: before.id for before, after in pairs}
        # What is only read is in no other text: its secrets need not be remembered.
        makers = RecordMaker(old, Masker(), {}), RecordMaker(new, Masker(), tokens)
        self._match("uncompiled", *(maker.uncompiled() for maker in makers))

    def _match(self, kind: str, old: Sequence[Record], new: Sequence[Record]) -> Pairs:
        pairs, removed, added = match(old, new)
        self.pairs[kind] = pairs
        if kind == "plugins":
            self.plugins = ({r.id: r for r in old}, {r.id: r for r in new})
        self._removed += removed
        self._added += added
        return pairs

    @property
    def ids(self) -> dict[str, str]:
        """Return the new id of each entity whose id alone is another, and its old one."""
        return {
            after.id: before.id
            for pairs in self.pairs.values()
            for before, after in pairs
            if after.id != before.id and before.id and after.id
        }

    def changes(self) -> Iterator[Change]:
        """Yield every entity that differs."""
        for record in self._removed:
            yield _one_sided(record, "removed")
        for record in self._added:
            yield _one_sided(record, "added")
        for pairs in self.pairs.values():
            for before, after in pairs:
                if before.fields != after.fields:
                    yield _changed(before, after)


def _one_sided(record: Record, what: str) -> Change:
    shown = {key: as_json(value) for key, value in record.fields.items()}
    kind = _words(record.kind)
    guarding = guards(record)
    return Change(
        kind=f"{kind.replace(' ', '-')}-{what}",
        risk=risk(weakens=guarding and what == "removed", strengthens=guarding and what == "added"),
        entity=record.ref,
        before=shown if what == "removed" else None,
        after=shown if what == "added" else None,
        message=f"{kind} {record.label}: {what}{_gist(record)}",
    )


def _changed(before: Record, after: Record) -> Change:
    names = [*after.fields, *(name for name in before.fields if name not in after.fields)]
    differing = [name for name in names if before.fields.get(name) != after.fields.get(name)]
    kind = _words(after.kind)
    details = [
        f"{name} {spelt(before.fields.get(name), after.fields.get(name))}" for name in differing
    ]
    return Change(
        kind=f"{kind.replace(' ', '-')}-changed",
        risk=_risk(before, after),
        entity=after.ref,
        before={name: as_json(before.fields.get(name)) for name in differing},
        after={name: as_json(after.fields.get(name)) for name in differing},
        message=f"{kind} {after.label}: {'; '.join(details)}",
    )


def _risk(before: Record, after: Record) -> Risk:
    was, is_now = guards(before), guards(after)
    if was and is_now:
        return guard_risk(before.fields, after.fields)
    return risk(weakens=was and not is_now, strengthens=is_now and not was)


def guards(record: Record) -> bool:
    """Tell whether it is a plugin that is on and keeps requests out."""
    fields: Mapping[str, Any] = record.fields
    return record.kind == "plugins" and fields["enabled"] and fields["name"] in _GUARDS


def _words(kind: str) -> str:
    return singular(kind).replace("_", " ")


def _gist(record: Record) -> str:
    """Return what a new or lost entity is, in a few words."""
    fields = record.fields
    match record.kind:
        case "routes":
            parts = [listed(fields[f]) for f in ("methods", "hosts", "paths") if f in fields]
            link = fields.get("service")
            where = f" to {link.label}" if isinstance(link, Link) else ""
            return f", {listed(fields['protocols'])} {' '.join(parts)}".rstrip() + where
        case "services":
            return f", {fields['protocol']}://{fields['host']}:{fields['port']}"
        case "certificates" | "ca_certificates":
            return f", {fields.get('cert', '?')}"
        case "snis":
            return f", certificate {fields['certificate'].label}"
        case _:
            return ""
