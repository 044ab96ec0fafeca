"""Which of Kong's plugins are compiled, and what leaving out each of the others means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.entities import Plugin

COMPILED = frozenset(
    {
        "acl",
        "cors",
        "ip-restriction",
        "mtls-auth",
        "request-termination",
        "tls-handshake-modifier",
        "tls-metadata-headers",
    }
)
"""The plugins that are compiled, unless some consumers alone are asked for them."""

COMPILED_WITH_LUA = frozenset({"header-cert-auth"})
"""Likewise, for the target openresty alone."""

REQUESTING = ("mtls-auth", "tls-handshake-modifier")
"""The plugins for which clients are asked for a certificate."""

LOOKS_UP_CONSUMERS = frozenset({"mtls-auth", "header-cert-auth"})
"""The plugins that let somebody in as a consumer."""


def is_compiled(plugin: Plugin, target: str) -> bool:
    """Tell whether *plugin* is compiled for *target*."""
    known = COMPILED | COMPILED_WITH_LUA if target == "openresty" else COMPILED
    return plugin.name in known and plugin.consumer is None and plugin.consumer_group is None


HARMLESS = {
    **dict.fromkeys(
        (
            "file-log", "http-log", "tcp-log", "udp-log", "syslog", "loggly", "statsd",
            "statsd-advanced", "datadog", "kafka-log", "solace-log", "zipkin", "opentelemetry",
            "prometheus", "app-dynamics", "metering-and-billing",
        ),
        "requests are not reported to it",
    ),
    **dict.fromkeys(
        (
            "correlation-id", "request-transformer", "request-transformer-advanced",
            "response-transformer", "response-transformer-advanced", "exit-transformer",
            "grpc-gateway", "grpc-web", "jq", "degraphql", "xml-json-transformer",
        ),
        "requests and answers pass unchanged",
    ),
}  # fmt: skip
"""Plugins that observe or rewrite: without them a route is no less protected. Every other plugin,
known or not, is refused: authentication, security, traffic control, and code that may be any."""

VERIFY_FIELDS: dict[str, tuple[str, ...]] = {
    "ace": ("rate_limiting.redis.ssl_verify",),
    "acme": (
        "storage_config.redis.ssl_verify",
        "storage_redis.ssl_verify",
        "storage_config.vault.tls_verify",
    ),
    "ai-aws-guardrails": ("ssl_verify",),
    "ai-azure-content-safety": ("ssl_verify",),
    "ai-custom-guardrail": ("ssl_verify",),
    "metering-and-billing": ("ssl_verify",),
    "ai-llm-as-judge": ("https_verify",),
    "ai-request-transformer": ("https_verify",),
    "ai-response-transformer": ("https_verify",),
    "azure-functions": ("https_verify",),
    "forward-proxy": ("https_verify",),
    "ai-mcp-oauth2": ("ssl_verify", "tls_client_auth_ssl_verify"),
    "ai-mcp-proxy": ("server.session.redis.ssl_verify",),
    **dict.fromkeys(
        (
            "ai-proxy-advanced", "ai-rag-injector", "ai-semantic-cache",
            "ai-semantic-prompt-guard", "ai-semantic-response-guard",
        ),
        ("vectordb.pgvector.ssl_verify", "vectordb.redis.ssl_verify"),
    ),
    **dict.fromkeys(
        (
            "ai-rate-limiting-advanced", "graphql-proxy-cache-advanced",
            "graphql-rate-limiting-advanced", "proxy-cache-advanced", "rate-limiting",
            "rate-limiting-advanced", "response-ratelimiting", "saml", "service-protection",
        ),
        ("redis.ssl_verify",),
    ),
    **dict.fromkeys(
        ("aws-lambda", "header-cert-auth", "http-log", "mtls-auth", "tcp-log", "opa"),
        ("ssl_verify",),
    ),
    "basic-auth": ("brute_force_protection.redis.ssl_verify",),
    **dict.fromkeys(
        ("confluent", "confluent-consume", "kafka-consume", "kafka-log", "kafka-upstream"),
        (
            "security.ssl_verify",
            "schema_registry.confluent.ssl_verify",
            "schema_registry.confluent.authentication.oauth2_client.ssl_verify",
            "schema_registry.confluent.authentication.oauthbearer.token_endpoint_tls_verify",
            "topics[].schema_registry.confluent.ssl_verify",
            "topics[].schema_registry.confluent.authentication.oauth2_client.ssl_verify",
            "security.oauthbearer.token_endpoint_tls_verify",
        ),
    ),
    "datakit": ("nodes[].ssl_verify", "resources.cache.redis.ssl_verify"),
    "jwt-signer": (
        "access_token_endpoints_ssl_verify",
        "channel_token_endpoints_ssl_verify",
    ),
    "ldap-auth": ("verify_ldap_host",),
    "ldap-auth-advanced": ("verify_ldap_host",),
    "openid-connect": (
        "ssl_verify",
        "cluster_cache_redis.ssl_verify",
        "redis.ssl_verify",
        "session_memcached_ssl_verify",
        "tls_client_auth_ssl_verify",
        "proof_of_possession_mtls_from_header.ssl_verify",
    ),
    "request-callout": (
        "cache.redis.ssl_verify",
        "callouts[].request.http_opts.ssl_verify",
    ),
    **dict.fromkeys(
        ("solace-consume", "solace-log", "solace-upstream"),
        (
            "session.ssl_validate_certificate",
            "session.authentication.client_credentials.ssl_verify",
        ),
    ),
    "upstream-oauth": ("client.ssl_verify", "cache.redis.ssl_verify"),
    "konnect-application-auth": (
        "auth_strategies.openid_connect[].config.ssl_verify",
        "auth_strategies.openid_connect.ssl_verify",
        "auth_strategies.openid_connect.config.ssl_verify",
    ),
}  # fmt: skip
"""The configuration fields that tls_certificate_verify forbids to be false; `[]` is every item."""

TALKS_TLS_ONLY_IF: dict[str, tuple[str, ...]] = {
    "ldap-auth": ("ldaps", "start_tls"),
    "ldap-auth-advanced": ("ldaps", "start_tls"),
}
"""Plugins whose field counts only where one of these is true: else nothing is encrypted."""
