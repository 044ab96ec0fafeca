"""The statuses of gRPC that Kong tells for those of HTTP."""

from __future__ import annotations

_STATUSES = {
    200: 0, 400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14,
    504: 4,
}  # fmt: skip
_CLASSES = {2: 0, 4: 3, 5: 13}
_UNKNOWN = 2
_NAMES = {
    0: "OK", 1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded",
    5: "NotFound", 6: "AlreadyExists", 7: "PermissionDenied", 8: "ResourceExhausted",
    12: "Unimplemented", 13: "Internal", 14: "Unavailable", 16: "Unauthenticated",
}  # fmt: skip


def grpc_status(status: int) -> int:
    """Return the status in gRPC for one of HTTP."""
    found = _STATUSES.get(status)
    return _CLASSES.get(status // 100, _UNKNOWN) if found is None else found


def grpc_name(status: int) -> str:
    """Return what it is called there."""
    return _NAMES[grpc_status(status)]
