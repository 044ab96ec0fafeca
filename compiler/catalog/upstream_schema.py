"""The fields of upstreams, their health checks and their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.schema_fields import (
    COMMON,
    ENTERPRISE,
    HEADER_NAME,
    TEXT,
    Field,
    default,
    reference,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = Field(type="number", default=0, between=(0, 65535))
_COUNT = Field(type="integer", default=0, between=(0, 255))
_STATUS = Field(type="integer", between=(100, 999))
_KIND_OF_CHECK = Field(
    type="string", default="http", choices=("tcp", "http", "https", "grpc", "grpcs")
)


def _statuses(*codes: int) -> Field:
    return Field(type="list", elements=_STATUS, default=codes)


def _record(fields: Mapping[str, Field]) -> Field:
    return Field(type="record", fields=fields)


_FAILURES: Mapping[str, Field] = {
    "tcp_failures": _COUNT,
    "timeouts": _COUNT,
    "http_failures": _COUNT,
}

_ACTIVE = _record(
    {
        "type": _KIND_OF_CHECK,
        "timeout": default(_SECONDS, 1),
        "concurrency": Field(type="integer", default=10, between=(1, 2**31)),
        "http_path": Field(type="string", default="/", check="path"),
        "https_sni": Field(type="string", check="sni"),
        "https_verify_certificate": Field(type="boolean", default=True),
        "headers": Field(
            type="map", check="header_names", elements=Field(type="list", elements=TEXT)
        ),
        "healthy": _record(
            {"interval": _SECONDS, "http_statuses": _statuses(200, 302), "successes": _COUNT}
        ),
        "unhealthy": _record(
            {
                "interval": _SECONDS,
                "http_statuses": _statuses(429, 404, 500, 501, 502, 503, 504, 505),
                **_FAILURES,
            }
        ),
    }
)

_PASSIVE = _record(
    {
        "type": _KIND_OF_CHECK,
        "healthy": _record(
            {
                "http_statuses": _statuses(*range(200, 209), 226, *range(300, 309)),
                "successes": _COUNT,
            }
        ),
        "unhealthy": _record({"http_statuses": _statuses(429, 500, 503), **_FAILURES}),
    }
)

HASH_KEYS = ("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")
_HASH = Field(type="string", default="none", choices=HASH_KEYS)
_WORD = Field(type="string", check="simple_word")

UPSTREAM: Mapping[str, Field] = {
    **COMMON,
    "name": Field(type="string", required=True, check="upstream_name"),
    "algorithm": Field(
        type="string",
        default="round-robin",
        choices=("consistent-hashing", "least-connections", "round-robin", "latency"),
        later_choices=(("sticky-sessions", ENTERPRISE),),
    ),
    "hash_on": _HASH,
    "hash_fallback": _HASH,
    "hash_on_header": HEADER_NAME,
    "hash_fallback_header": HEADER_NAME,
    "hash_on_cookie": Field(type="string", check="cookie_name"),
    "hash_on_cookie_path": Field(type="string", default="/", check="path"),
    "hash_on_query_arg": _WORD,
    "hash_fallback_query_arg": _WORD,
    "hash_on_uri_capture": _WORD,
    "hash_fallback_uri_capture": _WORD,
    "slots": Field(type="integer", default=10000, between=(10, 65536)),
    "healthchecks": _record(
        {
            "active": _ACTIVE,
            "passive": _PASSIVE,
            "threshold": Field(type="number", default=0, between=(0, 100)),
        }
    ),
    "host_header": Field(type="string", check="host_with_port"),
    "client_certificate": reference("certificates"),
    "use_srv_name": Field(type="boolean", default=False),
    "sticky_sessions_cookie": Field(type="any", since=ENTERPRISE, compiled=False),
    "sticky_sessions_cookie_path": Field(type="any", since=ENTERPRISE, compiled=False),
}

TARGET: Mapping[str, Field] = {
    **COMMON,
    "target": required(Field(type="string", check="target")),
    "upstream": reference("upstreams", required=True),
    "weight": Field(type="integer", default=100, between=(0, 65535)),
    "failover": Field(type="any", since=(3, 12), compiled=False),
}
