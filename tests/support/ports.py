"""Ports on 127.0.0.1 that no other process of the tests will take."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Below the kernel's usual ephemeral range, so that no outgoing connection takes one in between.
_FIRST, _LAST = 20000, 31999


def _bindable(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104
            except OSError:
                return False
    return True


def _claim(folder: Path, port: int) -> int | None:
    """Lock a port's file; the descriptor that holds the lock, or None when it is taken."""
    descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not _bindable(port):
        os.close(descriptor)
        return None
    return descriptor


def _claim_any() -> tuple[int, int]:
    folder = Path(tempfile.gettempdir()) / f"kcompile-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(range(_FIRST, _LAST + 1), k=_LAST + 1 - _FIRST):
        descriptor = _claim(folder, port)
        if descriptor is not None:
            return port, descriptor
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST}")


def free_port() -> int:
    """Give a port that stays this process's own until it ends."""
    port, _held = _claim_any()
    return port


@contextlib.contextmanager
def reserve(count: int = 1) -> Iterator[list[int]]:
    """Give `count` ports that stay reserved within the block."""
    claims: list[tuple[int, int]] = []
    try:
        claims.extend(_claim_any() for _ in range(count))
        yield [port for port, _ in claims]
    finally:
        for _, descriptor in claims:
            os.close(descriptor)
