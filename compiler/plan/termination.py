"""request-termination: what is answered in place of a service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from compiler.model.access import Termination
from compiler.model.grpc_status import grpc_name

if TYPE_CHECKING:
    from compiler.model.entities import Plugin

JSON = "application/json; charset=utf-8"

_MESSAGES = {
    401: "Unauthorized",
    404: "Not found",
    405: "Method not allowed",
    500: "An unexpected error occurred",
    502: "Bad Gateway",
    503: "Service unavailable",
}


def plan_termination(plugin: Plugin) -> Termination:
    """Return what *plugin* answers."""
    said = plugin.config
    status = said["status_code"]
    body, content_type = said["body"], said["content_type"]
    message = said["message"] or _MESSAGES.get(status)
    if body is not None:
        words = body if content_type is None else None
    else:
        words = grpc_name(status) if message is None else message
        body = None if message is None else _as_json({"message": message})
    return Termination(
        plugin=plugin,
        status=status,
        body=body,
        content_type=None if body is None else content_type or JSON,
        words=words,
        trigger=said["trigger"],
    )


def _as_json(told: dict[str, str]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
