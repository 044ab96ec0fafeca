"""The fields of the entities that are compiled, and the kinds that are only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.plugin_protocols import DEFAULT_PROTOCOLS
from compiler.catalog.schema_fields import (
    ADDRESSES,
    ANY,
    COMMON,
    ENTERPRISE,
    FLAG,
    LATER_PROTOCOLS,
    MILLISECONDS,
    NAME,
    PATH,
    PROTOCOL,
    PROTOCOLS,
    TEXT,
    UUID,
    Field,
    reference,
    required,
)
from compiler.catalog.upstream_schema import TARGET, UPSTREAM

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: Mapping[str, Field] = {
    **COMMON,
    "name": NAME,
    "retries": Field(type="integer", default=5, between=(0, 32767)),
    "protocol": Field(
        type="string",
        required=True,
        default="http",
        choices=PROTOCOLS,
        later_choices=LATER_PROTOCOLS,
    ),
    "host": Field(type="string", required=True, check="host"),
    "port": Field(type="integer", required=True, default=80, between=(0, 65535)),
    "path": PATH,
    "connect_timeout": MILLISECONDS,
    "write_timeout": MILLISECONDS,
    "read_timeout": MILLISECONDS,
    "client_certificate": reference("certificates"),
    "tls_verify": FLAG,
    "tls_verify_depth": Field(type="integer", between=(0, 64)),
    "ca_certificates": Field(type="list", elements=UUID),
    "tls_sans": Field(
        type="record",
        since=(3, 10, 0, 6),
        fields={
            "dnsnames": Field(type="list", elements=TEXT),
            "uris": Field(type="list", elements=TEXT),
        },
    ),
    "enabled": Field(type="boolean", required=True, default=True),
    "url": Field(type="string", check="url"),
}

_MATCHED_SNI = Field(type="string", check="route_sni")
_EXPRESSIONS = ("expressions",)

ROUTE: Mapping[str, Field] = {
    **COMMON,
    "name": NAME,
    "service": reference("services"),
    "protocols": Field(
        type="set",
        required=True,
        not_empty=True,
        elements=PROTOCOL,
        default=("http", "https"),
    ),
    "methods": Field(type="set", elements=Field(type="string", check="method")),
    "hosts": Field(type="list", elements=Field(type="string", check="route_host")),
    "paths": Field(type="list", elements=Field(type="string", check="route_path")),
    "headers": Field(type="map", check="route_headers", elements=Field(type="list", elements=TEXT)),
    "snis": Field(type="set", elements=_MATCHED_SNI),
    "sources": ADDRESSES,
    "destinations": ADDRESSES,
    "https_redirect_status_code": Field(
        type="integer", required=True, default=426, choices=(426, 301, 302, 307, 308)
    ),
    "regex_priority": Field(type="integer", default=0),
    "strip_path": Field(type="boolean", required=True, default=True),
    "path_handling": Field(type="string", default="v0", choices=("v0", "v1")),
    "preserve_host": Field(type="boolean", required=True, default=False),
    "request_buffering": Field(type="boolean", required=True, default=True),
    "response_buffering": Field(type="boolean", required=True, default=True),
    "expression": Field(type="string", flavors=_EXPRESSIONS),
    "priority": Field(
        type="integer", required=True, default=0, between=(0, 2**46 - 1), flavors=_EXPRESSIONS
    ),
}

_PEM = Field(type="string", check="pem", sensitive=True)

CERTIFICATE: Mapping[str, Field] = {
    **COMMON,
    "cert": required(_PEM),
    "key": required(_PEM),
    "cert_alt": _PEM,
    "key_alt": _PEM,
}

SNI: Mapping[str, Field] = {
    **COMMON,
    "name": Field(type="string", required=True, check="wildcard_host"),
    "certificate": reference("certificates", required=True),
}

CA_CERTIFICATE: Mapping[str, Field] = {
    **COMMON,
    "cert": required(_PEM),
    "cert_digest": TEXT,
}

PLUGIN: Mapping[str, Field] = {
    **COMMON,
    "name": required(TEXT),
    "instance_name": NAME,
    "service": reference("services"),
    "route": reference("routes"),
    "consumer": reference("consumers"),
    "consumer_group": reference("consumer_groups"),
    "config": Field(type="map", elements=ANY),
    "protocols": Field(type="set", required=True, elements=PROTOCOL, default=DEFAULT_PROTOCOLS),
    "enabled": Field(type="boolean", required=True, default=True),
    "ordering": Field(type="any", since=ENTERPRISE, compiled=False),
    "partials": Field(type="any", since=ENTERPRISE, compiled=False),
    "condition": Field(type="any", since=(3, 12), compiled=False),
    "_config": TEXT,
}

CONSUMER: Mapping[str, Field] = {
    **COMMON,
    "username": TEXT,
    "custom_id": TEXT,
}

ACL_GROUP: Mapping[str, Field] = {
    **COMMON,
    "consumer": reference("consumers", required=True),
    "group": required(TEXT),
}

CONSUMER_GROUP: Mapping[str, Field] = {
    **COMMON,
    "name": required(TEXT),
}

# Kong gives a membership neither id nor tags.
CONSUMER_GROUP_MEMBER: Mapping[str, Field] = {
    **{name: field for name, field in COMMON.items() if name not in ("id", "tags")},
    "consumer": reference("consumers", required=True),
    "consumer_group": reference("consumer_groups", required=True),
}

CERTIFICATE_CREDENTIAL: Mapping[str, Field] = {
    **COMMON,
    "consumer": reference("consumers", required=True),
    "subject_name": required(TEXT),
    "ca_certificate": Field(type="authority"),
}

SCHEMAS: Mapping[str, Mapping[str, Field]] = {
    "services": SERVICE,
    "routes": ROUTE,
    "upstreams": UPSTREAM,
    "targets": TARGET,
    "certificates": CERTIFICATE,
    "snis": SNI,
    "ca_certificates": CA_CERTIFICATE,
    "plugins": PLUGIN,
    "consumers": CONSUMER,
    "consumer_groups": CONSUMER_GROUP,
    "consumer_group_consumers": CONSUMER_GROUP_MEMBER,
    "acls": ACL_GROUP,
    "mtls_auth_credentials": CERTIFICATE_CREDENTIAL,
    "header_cert_auth_credentials": CERTIFICATE_CREDENTIAL,
}
"""The kinds whose fields are known, by their name at the top level of a file."""

CREDENTIALS: Mapping[str, str | None] = {
    "acls": None,
    "header_cert_auth_credentials": None,
    "mtls_auth_credentials": None,
    "basicauth_credentials": "username",
    "hmacauth_credentials": "username",
    "jwt_secrets": "key",
    "keyauth_credentials": "key",
    "keyauth_enc_credentials": "key",
    "oauth2_credentials": "client_id",
    "oauth2_tokens": "access_token",
}
"""What a consumer may hold, and the field of it that alone must be unique."""

CHILDREN: Mapping[str, Mapping[str, str]] = {
    "services": {"routes": "service", "plugins": "service"},
    "routes": {"plugins": "route"},
    "upstreams": {"targets": "upstream"},
    "certificates": {
        "snis": "certificate",
        "services": "client_certificate",
        "upstreams": "client_certificate",
    },
    "consumers": {
        "plugins": "consumer",
        "consumer_group_consumers": "consumer",
        "groups": "consumer",
        **dict.fromkeys(CREDENTIALS, "consumer"),
    },
    "consumer_groups": {
        "plugins": "consumer_group",
        "consumer_group_consumers": "consumer_group",
        "consumer_group_plugins": "consumer_group",
    },
}
"""Which kinds may stand inside an entity, and the field that then names that entity."""

LINKS: Mapping[str, tuple[str, str]] = {"groups": ("consumer_group_consumers", "consumer_group")}
"""What stands inside an entity as a list of others: the kind of what links them, and its field.

decK writes the groups of a consumer that way.
"""

NAMES: Mapping[str, str] = {
    "services": "name",
    "routes": "name",
    "upstreams": "name",
    "consumers": "username",
    "snis": "name",
    "targets": "target",
    "consumer_groups": "name",
    "acls": "group",
    "mtls_auth_credentials": "subject_name",
    "header_cert_auth_credentials": "subject_name",
}
"""The field by which an entity is named, besides its id."""

UNIQUE: Mapping[str, tuple[str, ...]] = {
    "services": ("name",),
    "routes": ("name",),
    "upstreams": ("name",),
    "consumers": ("username", "custom_id"),
    "consumer_groups": ("name",),
    "plugins": ("instance_name",),
    **{kind: (field,) for kind, field in CREDENTIALS.items() if field},
}
"""The fields whose values no two entities of a kind may share."""

UNIQUE_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "acls": ("consumer", "group"),
    "consumer_group_consumers": ("consumer", "consumer_group"),
    "mtls_auth_credentials": ("subject_name", "ca_certificate"),
    "header_cert_auth_credentials": ("subject_name", "ca_certificate"),
}
"""The fields whose values, taken together, no two entities of a kind may share."""

SINGULAR: Mapping[str, str] = {
    "ca_certificates": "ca_certificate",
    "jwt_secrets": "jwt_secret",
}
"""Names of one entity of a kind, where cutting off the `s` would not do."""

UNCOMPILED_KINDS = frozenset(
    {
        *(CREDENTIALS.keys() - SCHEMAS.keys()),
        "acme_storage",
        "admins",
        "applications",
        "clustering_data_planes",
        "consumer_group_plugins",
        "custom_plugins",
        "degraphql_routes",
        "developers",
        "document_objects",
        "event_hooks",
        "files",
        "filter_chains",
        "graphql_ratelimiting_advanced_cost_decoration",
        "groups",
        "jwt_signer_jwks",
        "key_sets",
        "keyring_keys",
        "keyring_meta",
        "keys",
        "licenses",
        "oauth2_authorization_codes",
        "oic_issuers",
        "oic_jwks",
        "parameters",
        "partials",
        "rbac_role_endpoints",
        "rbac_role_entities",
        "rbac_roles",
        "rbac_user_groups",
        "rbac_user_roles",
        "rbac_users",
        "sessions",
        "vaults",
        "workspaces",
    }
)
"""Kinds that are read and kept as they are."""

METADATA: Mapping[str, Field] = {
    "_format_version": TEXT,
    "_transform": FLAG,
    "_comment": TEXT,
    "_ignore": Field(type="list", elements=ANY),
    "_info": Field(type="map", elements=ANY),
    "_workspace": TEXT,
    "_konnect": Field(type="map", elements=ANY),
    "_plugin_configs": Field(type="map", elements=Field(type="map", elements=ANY)),
}
"""What may stand at the top level beside the kinds."""
