"""What numbers and lists of kong.conf may hold."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers from `low` to `high`; `required` where Kong fails without one."""

    low: float
    high: float | None
    expected: str
    required: bool = True
    above_low: bool = False

    def allow(self, value: float) -> bool:
        """Tell whether *value* is within the bounds."""
        enough = value > self.low if self.above_low else value >= self.low
        return enough and (self.high is None or value <= self.high)


_NOT_NEGATIVE = Bounds(0, None, "0 or greater")
_OPTIONAL = Bounds(0, None, "0 or greater", required=False)
_HUNDREDS = Bounds(1, 1000, "a whole number from 1 to 1000")

BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        "cluster_data_plane_purge_delay": Bounds(60, None, "60 or greater"),
        "cluster_max_payload": Bounds(4194304, None, "4194304 (4 MiB) or greater"),
        "lua_max_post_args": _HUNDREDS,
        "lua_max_req_headers": _HUNDREDS,
        "lua_max_resp_headers": _HUNDREDS,
        "lua_max_uri_args": _HUNDREDS,
        "lua_ssl_verify_depth": _OPTIONAL,
        "pg_backlog": _OPTIONAL,
        "pg_keepalive_timeout": _OPTIONAL,
        "pg_max_concurrent_queries": _NOT_NEGATIVE,
        "pg_pool_size": _OPTIONAL,
        "pg_ro_backlog": _OPTIONAL,
        "pg_ro_keepalive_timeout": _OPTIONAL,
        "pg_ro_max_concurrent_queries": _OPTIONAL,
        "pg_ro_pool_size": _OPTIONAL,
        "pg_ro_semaphore_timeout": _OPTIONAL,
        "pg_semaphore_timeout": _NOT_NEGATIVE,
        "tracing_sampling_rate": Bounds(0, 1, "a number from 0 to 1"),
        "upstream_keepalive_idle_timeout": _NOT_NEGATIVE,
        "upstream_keepalive_max_requests": _NOT_NEGATIVE,
        "upstream_keepalive_pool_size": _NOT_NEGATIVE,
        "worker_state_update_frequency": Bounds(0, None, "greater than 0", above_low=True),
    }
)
"""The bounds of each number that has any."""

_UPSTREAM_HEADERS = frozenset({"off", "x-kong-request-id"})
_HEADERS = _UPSTREAM_HEADERS | {
    "latency_tokens",
    "server",
    "server_tokens",
    "via",
    "x-kong-admin-latency",
    "x-kong-proxy-latency",
    "x-kong-response-latency",
    "x-kong-upstream-latency",
    "x-kong-upstream-status",
}
_TRACING = frozenset(
    {
        "all",
        "balancer",
        "db_query",
        "dns_query",
        "http_client",
        "off",
        "plugin_access",
        "plugin_header_filter",
        "plugin_rewrite",
        "request",
        "router",
    }
)
_RECORDS = frozenset({"last", "a", "aaaa", "cname", "srv"})


@dataclass(frozen=True, slots=True)
class Words:
    """The words that a list may hold; in lower case, unless letter case counts."""

    words: frozenset[str]
    case_counts: bool = False

    def allow(self, entry: str) -> bool:
        """Tell whether *entry* is one of the words."""
        return (entry if self.case_counts else entry.lower()) in self.words

    @property
    def expected(self) -> str:
        """Return the words as a message names them."""
        return f"one of: {', '.join(sorted(self.words))}"


ENTRIES: Mapping[str, Words] = MappingProxyType(
    {
        "dns_order": Words(_RECORDS),
        "headers": Words(_HEADERS),
        "headers_upstream": Words(_UPSTREAM_HEADERS),
        "tracing_instrumentations": Words(_TRACING, case_counts=True),
    }
)
"""The words that each list may hold, of the lists that hold only some."""
