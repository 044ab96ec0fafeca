"""The configuration of the plugins that ask for client certificates or pass them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.schema_fields import FLAG, PORT, TEXT, Field, default, required

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFF = required(default(FLAG, value=False))
_CONSUMER = Field(type="consumer")
_HOST = Field(type="string", check="host")

_CERT_AUTH: Mapping[str, Field] = {
    "ca_certificates": Field(
        type="list", required=True, not_empty=True, elements=Field(type="authority_id")
    ),
    "skip_consumer_lookup": _OFF,
    "authenticated_group_by": Field(type="string", default="CN", choices=("CN", "DN")),
    "consumer_by": Field(
        type="list",
        elements=Field(type="string", choices=("custom_id", "username")),
        default=("custom_id", "username"),
    ),
    "default_consumer": Field(
        type="consumer",
        since=(3, 7),
        backported=((3, 4, 3, 5), (3, 5, 0, 4), (3, 6, 1, 4)),
    ),
    "anonymous": _CONSUMER,
    "allow_partial_chain": _OFF,
    "revocation_check_mode": Field(
        type="string", default="IGNORE_CA_ERROR", choices=("IGNORE_CA_ERROR", "SKIP", "STRICT")
    ),
    "cert_cache_ttl": Field(type="number", default=60000),
    "cache_ttl": Field(type="number", required=True, default=60),
    "http_timeout": Field(type="number", default=30000),
    "http_proxy_host": _HOST,
    "http_proxy_port": PORT,
    "https_proxy_host": _HOST,
    "https_proxy_port": PORT,
    # Unset, and not verified, in the version that introduced it.
    "ssl_verify": Field(type="boolean", since=(3, 13), later_defaults=((True, (3, 14)),)),
}
"""What the two plugins that authenticate by certificate share."""

MTLS_AUTH: Mapping[str, Field] = {
    **_CERT_AUTH,
    "send_ca_dn": default(FLAG, value=False),
    "san_dirname_matcher": Field(type="list", elements=TEXT, default=(), since=(3, 14)),
}

HEADER_CERT_AUTH: Mapping[str, Field] = {
    **_CERT_AUTH,
    "certificate_header_name": required(TEXT),
    "certificate_header_format": Field(
        type="string", required=True, choices=("base64_encoded", "url_encoded")
    ),
    "secure_source": default(FLAG, value=True),
}

TLS_HANDSHAKE_MODIFIER: Mapping[str, Field] = {
    "tls_client_certificate": Field(type="string", default="REQUEST", choices=("REQUEST",)),
}


def _header(name: str) -> Field:
    return Field(type="string", required=True, default=name)


TLS_METADATA_HEADERS: Mapping[str, Field] = {
    "inject_client_cert_details": default(FLAG, value=False),
    "client_cert_header_name": _header("X-Client-Cert"),
    "client_serial_header_name": _header("X-Client-Cert-Serial"),
    "client_cert_issuer_dn_header_name": _header("X-Client-Cert-Issuer-DN"),
    "client_cert_subject_dn_header_name": _header("X-Client-Cert-Subject-DN"),
    "client_cert_fingerprint_header_name": _header("X-Client-Cert-Fingerprint"),
}
INTERMEDIATES_TOLD_SINCE = (3, 8)
"""The version from which Kong tells upstreams of the intermediates of clients."""
