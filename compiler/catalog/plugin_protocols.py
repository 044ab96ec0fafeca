"""Which protocols the plugins that come with Kong work for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROTOCOLS = ("grpc", "grpcs", "http", "https")
"""What a plugin's `protocols` are when nothing is written."""

OWN_DEFAULT_PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "ip-restriction": ("http", "https", "tcp", "tls", "grpc", "grpcs"),
    "tls-handshake-modifier": ("https", "grpcs"),
    "tls-metadata-headers": ("https", "grpcs"),
}
"""The plugins for which that differs."""

LATER_DEFAULT_PROTOCOLS: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "acl": ((*DEFAULT_PROTOCOLS, "ws", "wss"), (3, 14)),
}
"""The plugins whose default became another, and the first version that has it."""

STREAM_PROTOCOLS = frozenset({"tcp", "tls", "tls_passthrough", "udp"})

HTTP_PLUGINS = frozenset(
    {
        "acl",
        "aws-lambda",
        "azure-functions",
        "basic-auth",
        "bot-detection",
        "correlation-id",
        "cors",
        "grpc-gateway",
        "grpc-web",
        "header-cert-auth",
        "hmac-auth",
        "jwt",
        "key-auth",
        "ldap-auth",
        "mtls-auth",
        "oauth2",
        "opentelemetry",
        "proxy-cache",
        "rate-limiting",
        "redirect",
        "request-size-limiting",
        "request-termination",
        "request-transformer",
        "response-ratelimiting",
        "response-transformer",
        "session",
        "standard-webhooks",
    }
)
"""The plugins that refuse stream protocols."""

TLS_PLUGINS = frozenset({"tls-handshake-modifier", "tls-metadata-headers"})
"""The plugins that refuse what is not TLS."""

_TLS_PROTOCOLS = ("https", "grpcs", "tls")
_NOT_TLS = frozenset({"grpc", "http", "tcp", "tls_passthrough", "udp", "ws", "wss"})


def default_protocols(plugin: str, version: tuple[int, ...]) -> tuple[str, ...]:
    """Return the protocols of *plugin* where none are written."""
    later, since = LATER_DEFAULT_PROTOCOLS.get(plugin, ((), ()))
    if later and version >= since:
        return later
    return OWN_DEFAULT_PROTOCOLS.get(plugin, DEFAULT_PROTOCOLS)


def own_protocols(plugin: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the protocols that *plugin* refuses, and those that it works for."""
    if plugin in TLS_PLUGINS:
        return _NOT_TLS, _TLS_PROTOCOLS
    return (STREAM_PROTOCOLS if plugin in HTTP_PLUGINS else frozenset()), DEFAULT_PROTOCOLS
