"""How the fields of entities are described, and the descriptions many kinds share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

FieldType = Literal[
    "string",
    "integer",
    "number",
    "boolean",
    "list",
    "set",
    "map",
    "record",
    "reference",
    "consumer",
    "authority",
    "authority_id",
    "any",
]

ENTERPRISE = (3, 11)
"""The first line of versions that exists only as Kong's enterprise edition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its type and what its value must satisfy.

    `since` is the first version that has the field (or, for `later_choices` and
    `later_defaults`, the value); `backported` are the releases of older lines that have it too.
    `flavors` limits it to some router flavors. `check` names a function of the resolve stage.
    """

    type: FieldType
    required: bool = False
    default: Any = None
    later_defaults: tuple[tuple[Any, tuple[int, ...]], ...] = ()
    choices: tuple[Any, ...] = ()
    later_choices: tuple[tuple[str, tuple[int, ...]], ...] = ()
    between: tuple[int, int] | None = None
    not_empty: bool = False
    check: str | None = None
    elements: Field | None = None
    fields: Mapping[str, Field] | None = None
    any_of: tuple[str, ...] = ()
    kind: str | None = None
    since: tuple[int, ...] = ()
    backported: tuple[tuple[int, ...], ...] = ()
    flavors: tuple[str, ...] = ()
    sensitive: bool = False
    compiled: bool = True


PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")
LATER_PROTOCOLS = (("ws", ENTERPRISE), ("wss", ENTERPRISE))

PROTOCOL = Field(type="string", choices=PROTOCOLS, later_choices=LATER_PROTOCOLS)
TEXT = Field(type="string")
FLAG = Field(type="boolean")
ANY = Field(type="any")
UUID = Field(type="string", check="uuid")
NAME = Field(type="string", check="name")
PORT = Field(type="integer", between=(0, 65535))
PATH = Field(type="string", check="path")
HEADER_NAME = Field(type="string", check="header_name")
TIMESTAMP = Field(type="number")
TAGS = Field(type="set", elements=Field(type="string", check="tag"))
MILLISECONDS = Field(type="integer", default=60000, between=(1, 2**31 - 2))
ADDRESSES = Field(
    type="set",
    elements=Field(
        type="record",
        fields={"ip": Field(type="string", check="ip_or_cidr"), "port": PORT},
        any_of=("ip", "port"),
    ),
)

COMMON: Mapping[str, Field] = {
    "id": UUID,
    "created_at": TIMESTAMP,
    "updated_at": TIMESTAMP,
    "tags": TAGS,
    "_comment": TEXT,
    "_ignore": Field(type="list", elements=ANY),
}
"""What every entity may have."""


def reference(kind: str, *, required: bool = False) -> Field:
    """Describe a field that names an entity of *kind*, by name or id."""
    return Field(type="reference", kind=kind, required=required)


def required(field: Field) -> Field:
    """Return *field*, but required."""
    return replace(field, required=True)


def default(field: Field, value: Any) -> Field:
    """Return *field* with a default."""
    return replace(field, default=value)
