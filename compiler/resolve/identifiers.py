"""Ids of entities that are written without one: the same in every build, Kong's where it can be."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any
from uuid import UUID

from compiler.catalog.schemas import CHILDREN, NAMES, SCHEMAS
from compiler.resolve.checks import is_uuid

if TYPE_CHECKING:
    from compiler.resolve.drafts import Draft

# Kong's own namespace for entities of declarative files.
_ENTITIES = UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5").bytes
_NAMED_BY_NAME = frozenset(
    {"services", "routes", "upstreams", "consumers", "consumer_groups", "snis"}
)
_PARENTS = frozenset({"route", "service", "consumer", "upstream"})
_KEY_PARTS = {
    "acls": ("consumer", "group"),
    "plugins": ("name", "route", "service", "consumer"),
    "targets": ("upstream", "target"),
}
# What would make an id depend on secrets, or on what has no part in what the entity is.
_NOT_CONTENT = frozenset(
    {"id", "key", "key_alt", "tags", "created_at", "updated_at", "_comment", "_ignore", "config"}
)


def uuid5(namespace: bytes, name: str) -> str:
    """Return the UUIDv5 of *name*; any text will do, lone surrogates included."""
    text = name.encode("utf-8", "surrogatepass")
    digest = bytearray(sha1(namespace + text, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text_form = digest.hex()
    return "-".join(
        (text_form[:8], text_form[8:12], text_form[12:16], text_form[16:20], text_form[20:])
    )


class Identifiers:
    """Gives every draft its id. Remembers made-up ones, to number identical siblings."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._vague: set[str] = set()

    def identify(self, draft: Draft) -> str:
        """Return the id of *draft*: its own, Kong's derived one, or one made of its content."""
        written = draft.node.get("id")
        if isinstance(written, str) and is_uuid(written):
            return written
        key = _kong_key(draft)
        if key is None or self._repeats(draft, key):
            return self._made_up(draft)
        return uuid5(_namespace(draft.kind), key)

    def _repeats(self, draft: Draft, key: str) -> bool:
        """Tell whether *key* was used: Kong leaves out parents that are written as a mapping."""
        if _PARENTS.isdisjoint(draft.node):
            return False
        if not any(isinstance(draft.node.get(field), dict) for field in _PARENTS):
            return False
        repeats = key in self._vague
        self._vague.add(key)
        return repeats

    def _made_up(self, draft: Draft) -> str:
        parent = "" if draft.parent is None else draft.parent.id
        content = f"{parent}:{_content(draft)}"
        seen = self._counts.get(f"{draft.kind}:{content}", 0)
        self._counts[f"{draft.kind}:{content}"] = seen + 1
        return uuid5(_namespace(draft.kind), f"{content}#{seen}" if seen else content)


@cache
def _namespace(kind: str) -> bytes:
    return UUID(uuid5(_ENTITIES, kind)).bytes


def _kong_key(draft: Draft) -> str | None:
    """Return what Kong makes the id of, or None where it takes a random one."""
    kind = draft.kind
    if kind in _NAMED_BY_NAME:
        name = draft.node.get(NAMES[kind])
        return name if isinstance(name, str) and name else None
    parts = _KEY_PARTS.get(kind)
    if parts is None or (kind == "plugins" and draft.node.get("consumer_group") is not None):
        return None
    # The star is where Kong puts the workspace.
    key = [kind, "*"]
    for field in parts:
        value = _key_part(draft, field)
        if value is None:
            return None
        key += value
    return ":".join(key)


def _key_part(draft: Draft, field: str) -> tuple[str, ...] | None:
    """Return what *field* adds to a key, as it is written; None when it can't be told."""
    if draft.parent is not None and draft.parent_field == field:
        parent = draft.parent
        named = "id" in parent.node or _kong_key(parent) is not None
        return (parent.id,) if named else None
    value: Any = draft.node.get(field)
    if isinstance(value, str):
        return (value,)
    if value is None:
        return ("",) if field in _PARENTS else None
    return () if isinstance(value, dict) else None


def _content(draft: Draft) -> str:
    if draft.kind not in SCHEMAS:
        return ""  # an id is public, and any field of a credential may be a secret
    children = CHILDREN.get(draft.kind, {})
    chosen = {
        key: _plain(value, 3)
        for key, value in draft.node.items()
        if value is not None and key not in _NOT_CONTENT and key not in children
    }
    return json.dumps(chosen, sort_keys=True)


def _plain(value: Any, levels: int) -> Any:
    """Return *value* without what lies deeper than *levels*: aliases may repeat that a lot."""
    if isinstance(value, dict):
        return {key: _plain(item, levels - 1) for key, item in value.items()} if levels else None
    if isinstance(value, list):
        return [_plain(item, levels - 1) for item in value] if levels else None
    return value
