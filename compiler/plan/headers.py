"""What is added to requests and answers, and how the gateway's own answers are worded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import answer_rules as rules
from compiler.model.answers import ErrorTexts, Headers
from compiler.model.place import Default, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.settings import Settings

_LISTS_HOPS_SINCE = (3, 8)
_REQUEST_IDS_SINCE = (3, 5)
_OPEN_SOURCE_PARTS = 3

_GROUPS = {
    "server_tokens": ("server", "via"),
    "latency_tokens": (
        "x-kong-proxy-latency",
        "x-kong-response-latency",
        "x-kong-upstream-latency",
    ),
}
_UNKNOWN = {
    "server": ("Server", "nginx always sends its own name"),
    "x-kong-proxy-latency": (
        "X-Kong-Proxy-Latency",
        "nginx does not count the time before it asks an upstream",
    ),
    "x-kong-admin-latency": ("X-Kong-Admin-Latency", "there is no Admin API"),
}


def plan_headers(settings: Settings, report: Report) -> Headers:
    """Return the headers that are asked for; report those that somebody asked for in vain."""
    to_client = _wanted(settings, "headers")
    to_upstream = _wanted(settings, "headers_upstream")
    origin = settings.origin("headers")
    if not isinstance(origin, Default):
        for name, (header, reason) in _UNKNOWN.items():
            if name in to_client:
                report.add(
                    rules.HEADER_UNKNOWN_TO_NGINX, place_of(origin), header=header, reason=reason
                )
    return Headers(
        product=_product(settings.kong_version),
        debug=settings.flag("allow_debug_header"),
        request_id_to_client="x-kong-request-id" in to_client,
        request_id_to_upstream="x-kong-request-id" in to_upstream,
        via="via" in to_client,
        via_lists_hops=settings.kong_version >= _LISTS_HOPS_SINCE,
        upstream_latency="x-kong-upstream-latency" in to_client,
        response_latency="x-kong-response-latency" in to_client,
        upstream_status="x-kong-upstream-status" in to_client,
    )


def _wanted(settings: Settings, name: str) -> set[str]:
    """Return the headers that a list names, in lower case; `off` counts in the first place."""
    items = [item.lower() for item in settings.items(name)]
    if items[:1] == ["off"]:
        return set()
    return {header for item in items for header in _GROUPS.get(item, (item,))}


def _product(version: tuple[int, ...]) -> str:
    """Return the name by which Kong introduces itself: that of an edition."""
    edition = "" if len(version) == _OPEN_SOURCE_PARTS else "-enterprise-edition"
    return f"kong/{'.'.join(map(str, version))}{edition}"


def plan_errors(settings: Settings, templates: Mapping[str, str]) -> ErrorTexts:
    """Return how the gateway tells an error."""
    return ErrorTexts(
        default_type=settings.text("error_default_type") or "text/plain",
        templates=templates,
        names_request=settings.kong_version >= _REQUEST_IDS_SINCE,
    )
