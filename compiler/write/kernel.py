"""What the kernel can do with directories and Python has no call for."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV})


def can_exchange(folder: Path) -> bool:
    """Tell whether two directories in *folder* can be exchanged, by doing it with two new ones."""
    with TemporaryDirectory(prefix=".kcompile-probe-", dir=folder) as probe:
        first, second = Path(probe) / "first", Path(probe) / "second"
        first.mkdir()
        second.mkdir()
        return exchange(first, second)


def exchange(first: Path, second: Path) -> bool:
    """Exchange two paths atomically (renameat2, Linux); False where that cannot be had.

    Raises OSError when the system can do it, but refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    result = library.renameat2(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    if result == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(second))


def flush(folder: Path) -> None:
    """Have everything written to the file system of *folder* on its disk (syncfs, Linux)."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if library.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
