"""The protocols of routes and services, by what they have in common."""

from __future__ import annotations

GRPC = frozenset({"grpc", "grpcs"})
"""Protocols whose requests are gRPC's."""
WEBSOCKET = frozenset({"ws", "wss"})
"""Protocols whose requests are websocket handshakes."""
SECURE = frozenset({"https", "wss"})
"""Protocols of routes that a plain request is sent away from."""
OVER_TLS = frozenset({"https", "grpcs", "wss"})
"""Protocols of requests over TLS."""
