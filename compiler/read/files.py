"""The disk, as the compiler sees it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path


class DiskFiles:
    """Reads files and remembers their digests, by the name they were asked for."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}

    def read(self, path: str) -> bytes:
        """Return the bytes of *path*; raises OSError, or ValueError for a NUL in the name."""
        data = Path(path).read_bytes()
        self.remember(path, data)
        return data

    def remember(self, name: str, data: bytes) -> None:
        """Record an input that was read some other way."""
        self.digests[name] = sha256(data).hexdigest()

    def exists(self, path: str) -> bool:
        """Tell whether *path* names a file; text that can be no file name does not."""
        try:
            return Path(path).is_file()
        except (OSError, ValueError):
            return False
