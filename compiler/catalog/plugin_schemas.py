"""The fields of the configuration of plugins, as far as it is checked; Kong's names for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.plugin_schemas_tls import (
    HEADER_CERT_AUTH,
    MTLS_AUTH,
    TLS_HANDSHAKE_MODIFIER,
    TLS_METADATA_HEADERS,
)
from compiler.catalog.schema_fields import FLAG, HEADER_NAME, TEXT, Field, default, required

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFF = required(default(FLAG, value=False))
_TEXTS = Field(type="list", elements=TEXT)
_ADDRESSES = Field(type="list", elements=Field(type="string", check="ip_or_cidr"))
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")

ACL: Mapping[str, Field] = {
    "allow": _TEXTS,
    "deny": _TEXTS,
    "hide_groups_header": _OFF,
    "include_consumer_groups": Field(type="boolean", default=False, since=(3, 6)),
    "always_use_authenticated_groups": Field(
        type="boolean", required=True, default=False, since=(3, 8)
    ),
}

IP_RESTRICTION: Mapping[str, Field] = {
    "allow": _ADDRESSES,
    "deny": _ADDRESSES,
    "status": Field(type="number"),
    "message": TEXT,
}

REQUEST_TERMINATION: Mapping[str, Field] = {
    "status_code": Field(type="integer", required=True, default=503, between=(100, 599)),
    "message": TEXT,
    "content_type": TEXT,
    "body": TEXT,
    "echo": _OFF,
    "trigger": HEADER_NAME,
}

CORS: Mapping[str, Field] = {
    "origins": Field(type="list", elements=Field(type="string", check="origin")),
    "headers": _TEXTS,
    "exposed_headers": _TEXTS,
    "methods": Field(
        type="list", elements=Field(type="string", choices=_METHODS), default=_METHODS
    ),
    "max_age": Field(type="number"),
    "credentials": _OFF,
    "private_network": Field(
        type="boolean", required=True, default=False, since=(3, 5), backported=((3, 4, 3, 5),)
    ),
    "preflight_continue": _OFF,
    "allow_origin_absent": Field(type="boolean", required=True, default=True, since=(3, 10)),
}

PLUGIN_SCHEMAS: Mapping[str, Mapping[str, Field]] = {
    "acl": ACL,
    "cors": CORS,
    "header-cert-auth": HEADER_CERT_AUTH,
    "ip-restriction": IP_RESTRICTION,
    "mtls-auth": MTLS_AUTH,
    "request-termination": REQUEST_TERMINATION,
    "tls-handshake-modifier": TLS_HANDSHAKE_MODIFIER,
    "tls-metadata-headers": TLS_METADATA_HEADERS,
}
"""By the name of the plugin: what may stand in its `config`. That of other plugins may be any."""

RENAMED_FIELDS: Mapping[str, str] = {"whitelist": "allow", "blacklist": "deny"}
"""Fields of Kong 2 that have another name since."""

PLUGIN_SINCE: Mapping[str, tuple[int, ...]] = {"header-cert-auth": (3, 8)}
"""The first version that has a plugin, where that is not the oldest one known."""

WITHOUT_CONSUMER = frozenset(PLUGIN_SCHEMAS) - {"ip-restriction", "request-termination"}
"""Plugins that can't be limited to a consumer or a group of them."""
