"""Entities as they are compared: by field, without what makes no difference to Kong."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from compiler.catalog.schemas import SCHEMAS, SINGULAR
from compiler.diff.masking import DIGITS, shown_certificate
from compiler.diff.plugin_records import config_fields, is_checked
from compiler.model.diagnostic import EntityRef
from compiler.model.entities import Certificate, Entity, Plugin, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compiler.diff.masking import Masker
    from compiler.model.config import Config
    from compiler.model.entities import Uncompiled
    from compiler.model.x509 import KeyPair

KINDS = (
    "ca_certificates", "certificates", "services", "upstreams", "consumers", "consumer_groups",
    "routes", "snis", "targets", "plugins", "consumer_group_consumers", "acls",
    "mtls_auth_credentials", "header_cert_auth_credentials",
)  # fmt: skip
"""The kinds whose fields are known, each behind those that it refers to."""

_REFERENCES = {
    "service": "services", "route": "routes", "consumer": "consumers", "upstream": "upstreams",
    "certificate": "certificates", "client_certificate": "certificates",
    "ca_certificates": "ca_certificates", "ca_certificate": "ca_certificates",
    "consumer_group": "consumer_groups",
}  # fmt: skip
_SCOPE = ("route", "service", "consumer", "consumer_group")
_SETS = frozenset(
    {"tags", "protocols", "methods", "hosts", "paths", "snis", "sources", "destinations"}
)
_LETTER_CASE_IGNORED = frozenset({"hosts", "snis"})
_CREDENTIALS = frozenset({"acls", "mtls_auth_credentials", "header_cert_auth_credentials"})
_LEFT_OUT = frozenset(
    {"id", "kind", "source", "written", "created_at", "cert", "key", "cert_alt", "key_alt"}
)
# What may be shown of kinds that are only read; everything else of them may be a secret.
_PUBLIC = frozenset(
    {"name", "username", "custom_id", "group", "prefix", "kid", "set", "tags", "algorithm",
     "consumer", "service", "route", "upstream", "enabled"}
)  # fmt: skip
_NOT_CONTENT = frozenset({"id", "created_at", "updated_at", "_comment", "_ignore"})


@dataclass(frozen=True, slots=True)
class Link:
    """A reference to another entity: equal to another by `token`, shown by `label`."""

    token: str
    label: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entity. `fields` holds shown values and links; unset ones are missing.

    `anchors` are further means to find its other half, the surest first.
    """

    kind: str
    id: str
    name: str | None
    label: str
    fields: Mapping[str, Any]
    anchors: tuple[Any, ...] = ()

    @property
    def ref(self) -> EntityRef:
        """Return what a change calls it."""
        return EntityRef(singular(self.kind), self.id, self.name)


Tokens = dict[str, dict[str, str]]
"""By kind and id: the name under which an entity of either side is compared."""


def singular(kind: str) -> str:
    """Return what one entity of *kind* is called."""
    return SINGULAR.get(kind) or kind.removesuffix("s")


class RecordMaker:
    """Makes the records of one side; *tokens* says which entities have another half."""

    def __init__(self, config: Config, masker: Masker, tokens: Tokens) -> None:
        self._config = config
        self._entities = config.entities
        self._masker = masker
        self._tokens = tokens
        self._snis: dict[str, list[str]] = {}
        for sni in self._entities.snis.values():
            self._snis.setdefault(sni.certificate, []).append(sni.name)

    def records(self, kind: str) -> list[Record]:
        """Return a record for every entity of a kind that is compiled."""
        return [self._record(kind, e) for e in getattr(self._entities, kind).values()]

    def uncompiled(self) -> list[Record]:
        """Return records of what is only read."""
        return [self._of_uncompiled(item) for item in self._entities.uncompiled]

    def label(self, kind: str, identifier: str) -> str:
        """Return what people call an entity."""
        entity = getattr(self._entities, kind).get(identifier)
        if entity is None:
            return identifier
        if kind == "certificates":
            names = sorted(self._snis.get(identifier, ()))
            pairs = self._config.materials.certificates.get(identifier)
            subject = identifier if pairs is None else pairs.main.leaf.subject
            return ", ".join(names[:3]) or subject
        if kind == "ca_certificates":
            authority = self._config.materials.cas.get(identifier)
            return identifier if authority is None else authority.subject
        return entity.ref.name or identifier

    def link(self, kind: str, identifier: str) -> Link:
        """Return a reference to an entity."""
        token = self._tokens.get(kind, {}).get(identifier, identifier)
        return Link(token, self.label(kind, identifier))

    def _record(self, kind: str, entity: Entity) -> Record:
        found = dict(self._fields(entity))
        name = getattr(entity, "name", None)
        if isinstance(entity, Plugin):
            name = entity.instance_name or entity.name
        elif kind == "consumers" or kind in _CREDENTIALS:
            name = entity.ref.name  # type: ignore[attr-defined]  # every entity but the base has it
        elif isinstance(entity, Target):
            name = entity.target
        return Record(
            kind=kind,
            id=entity.id,
            name=name,
            label=self._full_label(kind, entity, found),
            fields=found,
            anchors=self._anchors(kind, entity, found),
        )

    def _full_label(self, kind: str, entity: Entity, found: Mapping[str, Any]) -> str:
        """Return the label with what it belongs to, where that tells it from others."""
        label = self.label(kind, entity.id)
        if kind == "targets":
            return f"{label} of {found['upstream'].label}"
        if kind in _CREDENTIALS:
            return f"{label} of {found['consumer'].label}"
        if kind == "consumer_group_consumers":
            return f"{found['consumer'].label} in {found['consumer_group'].label}"
        if kind == "plugins":
            scope = [f"{f.replace('_', ' ')} {found[f].label}" for f in _SCOPE if f in found]
            return f"{label} of {' and '.join(scope)}" if scope else f"{label} (global)"
        if kind == "routes" and label == entity.id:
            where = [", ".join(found[f]) for f in ("hosts", "paths", "methods") if f in found]
            return f"for {' '.join(where)}" if where else label
        return label

    def _anchors(self, kind: str, entity: Entity, found: Mapping[str, Any]) -> tuple[Any, ...]:
        if kind == "plugins":
            return (("plugin", found["name"], *(found.get(f) for f in _SCOPE)),)
        if kind == "targets" or kind in _CREDENTIALS:
            owner = found["upstream" if kind == "targets" else "consumer"]
            return ((kind, owner, entity.ref.name),)  # type: ignore[attr-defined]  # as above
        if kind == "certificates":
            snis = tuple(sorted(self._snis.get(entity.id, ())))
            return (("cert", found.get("cert")), ("snis", snis) if snis else None)
        if kind == "routes" and "name" not in found:
            what = tuple(str(found.get(f)) for f in ("hosts", "paths"))
            return (("route", found.get("service"), what), ("only", found.get("service")))
        if kind == "services" and "name" not in found:
            return (("service", found["host"], found["port"]),)
        return ()

    def _fields(self, entity: Entity) -> Iterator[tuple[str, Any]]:
        for item in fields(entity):
            value = getattr(entity, item.name)
            if item.name in _LEFT_OUT or value is None or value in ((), {}):
                continue
            if item.name in _REFERENCES:
                yield item.name, self._linked(_REFERENCES[item.name], value)
            elif item.name == "config" and isinstance(entity, Plugin) and is_checked(entity):
                yield from config_fields(entity, self.link, self._masker)
            elif isinstance(value, dict):
                yield from self._flat(item.name, self._masker.mapping(_tidy(item.name, value)))
            else:
                yield item.name, self._plain(item.name, value)
        if isinstance(entity, Certificate):
            yield from self._pairs(entity.id)
        elif entity.id in self._config.materials.cas:
            yield "cert", shown_certificate(self._config.materials.cas[entity.id])
        yield from self._unmodelled(entity)

    def _linked(self, kind: str, value: Any) -> Any:
        if isinstance(value, str):
            return self.link(kind, value)
        return sorted((self.link(kind, item) for item in set(value)), key=lambda link: link.token)

    def _plain(self, name: str, value: Any) -> Any:
        shown = self._masker.plain(value)
        if name in _LETTER_CASE_IGNORED:
            shown = sorted({item.lower() for item in shown})
        return sorted(shown, key=repr) if name in _SETS else shown

    def _flat(self, prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield nested values by their path, so that a change names the one that differs."""
        for key, value in values.items():
            if isinstance(value, dict):
                yield from self._flat(f"{prefix}.{key}", value)
            elif value != []:
                yield f"{prefix}.{key}", value

    def _pairs(self, identifier: str) -> Iterator[tuple[str, Any]]:
        found = self._config.materials.certificates.get(identifier)
        if found is None:
            return
        yield from _shown_pair(found.main, "")
        if found.alternative is not None:
            yield from _shown_pair(found.alternative, "_alt")

    def _unmodelled(self, entity: Entity) -> Iterator[tuple[str, Any]]:
        """Yield what Kong has and the compiler does not look at, as it is written."""
        schema = SCHEMAS[f"{entity.ref.type}s"]  # type: ignore[attr-defined]  # as above
        for name, known in schema.items():
            value = entity.source.get(name)
            if not known.compiled and value is not None:
                yield name, self._masker.value(name, value)

    def _of_uncompiled(self, item: Uncompiled) -> Record:
        source, kind = item.source, item.kind
        found: dict[str, Any] = {}
        if item.parent is not None:
            found["consumer"] = self.link("consumers", item.parent)
        for key in sorted(source, key=str):
            value = source[key]
            if value is not None and key not in _NOT_CONTENT and key not in found:
                secret = key not in _PUBLIC
                found[key] = self._masker.value("" if not secret else key, value, secret=secret)
        written = source.get("id")
        names = [source[key] for key in ("name", "username", "group", "prefix") if key in source]
        name = next((value for value in names if isinstance(value, str)), None)
        owner = f" of {found['consumer'].label}" if item.parent is not None else ""
        return Record(
            kind=kind,
            id=written if isinstance(written, str) else "",
            name=name,
            label=f"{name or ''}{owner}".strip() or (written if isinstance(written, str) else "?"),
            fields=found,
            anchors=(("owner", kind, item.parent and found["consumer"], name),),
        )


def _tidy(name: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping with what Kong does not order in order."""
    if name == "headers":
        return {key.lower(): sorted(items) for key, items in value.items()}
    if name in ("healthchecks", "tls_sans"):
        return {key: _sorted_lists(item) for key, item in value.items()}
    return value


def _sorted_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_lists(item) for key, item in value.items()}
    return sorted(value) if isinstance(value, (list, tuple)) else value


def _shown_pair(pair: KeyPair, suffix: str) -> Iterator[tuple[str, Any]]:
    yield f"cert{suffix}", shown_certificate(pair.leaf)
    if len(pair.chain) > 1:
        yield f"cert{suffix} chain", [shown_certificate(c) for c in pair.chain[1:]]
    public = pair.leaf.loaded.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield f"key{suffix}", f"sha256:{sha256(der).hexdigest()[:DIGITS]}"
