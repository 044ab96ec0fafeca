"""Which protocols the plugins that come with Kong work for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROTOCOLS = ("grpc", "grpcs", "http", "https")
"""What a plugin's `protocols` are when nothing is written."""

OWN_DEFAULT_PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "ip-restriction": ("http", "https", "tcp", "tls", "grpc", "grpcs"),
}
"""The plugins for which that differs."""

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
        "hmac-auth",
        "jwt",
        "key-auth",
        "ldap-auth",
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
