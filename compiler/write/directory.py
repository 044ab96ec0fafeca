"""Puts a tree of files in place, all or nothing.

The new tree is written beside the old one and put in its place in one step: a crash, a full
disk or a kill leaves the one or the other, whole. Where the file system can exchange two
directories the tree is a plain directory; elsewhere it is a symbolic link that is flipped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.write.kernel import can_exchange, exchange, flush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from compiler.model.nginx import OutputFile

MANIFEST = "kcompile.json"
"""The file by which a tree of ours is known."""

RUNTIME = ("logs", "logs/tmp")
"""Folders that nginx writes to; what a running nginx has there stays there."""


_MASK = 0o022

Row = tuple[str, str, int, bool]
"""Path, text and mode of a file, and whether nginx's workers are to own it."""


class RefusedError(Exception):
    """The place is taken by something that we did not make."""


def write_tree(
    out: Path,
    files: Mapping[str, OutputFile],
    *,
    key_owner: tuple[int, int] | None,
    before: Callable[[Path], None] | None = None,
) -> None:
    """Make *out* hold exactly *files*.

    *key_owner* is the user and group that keys are given to which nginx's workers have to read;
    None leaves them to the caller's user. *before* is called with the finished tree before it is
    put in place, and stops everything by raising.
    Raises RefusedError when *out* is not ours, OSError when something cannot be written.
    """
    with new_tree(out) as fresh:
        make_folders(fresh, files)
        write_files(fresh, rows_of(files), key_owner)
        put_in_place(fresh, out, before=before)


@contextmanager
def new_tree(out: Path) -> Iterator[Path]:
    """Give a directory beside *out* for its new tree; what is left of it at the end is removed.

    Raises as `write_tree` does.
    """
    check_replaceable(out)
    parent = out.parent
    parent.mkdir(parents=True, exist_ok=True)
    with _locked(parent), _mask(_MASK):
        _remove_leftovers(out)
        fresh = Path(tempfile.mkdtemp(prefix=_prefix(out), dir=parent))
        try:
            fresh.chmod(0o755)
            yield fresh
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def put_in_place(fresh: Path, out: Path, *, before: Callable[[Path], None] | None = None) -> None:
    """Make the finished tree *fresh* the one at *out*; raises as `write_tree` does."""
    _carry_over(out, fresh)
    if before is not None:
        before(fresh)
    flush(fresh)
    _put_in_place(fresh, out)


def check_replaceable(out: Path) -> None:
    """Raise RefusedError unless *out* is missing, an empty directory, or a tree of ours."""
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise RefusedError(f"{out} exists and is not a directory")
    if (out / MANIFEST).is_file() or not any(out.iterdir()):
        return
    raise RefusedError(f"{out} is a directory that kcompile did not make (no {MANIFEST} in it)")


def _prefix(out: Path) -> str:
    return f".{out.name}.kcompile-"


def _tree_prefix(out: Path) -> str:
    return f".{out.name}.tree-"


@contextmanager
def _locked(parent: Path) -> Iterator[None]:
    """Hold the directory's lock, so that two runs do not clean up after one another."""
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _mask(mask: int) -> Iterator[None]:
    """Hold the process's file mode mask, so that the caller's does not keep workers out."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _remove_leftovers(out: Path) -> None:
    """Remove what a killed run left beside *out*, except what *out* itself points to."""
    current = out.resolve()
    left = [*out.parent.glob(f"{_prefix(out)}*"), *out.parent.glob(f"{_tree_prefix(out)}*")]
    for leftover in left:
        if leftover.is_symlink():
            leftover.unlink()
        elif leftover.resolve() != current:
            shutil.rmtree(leftover, ignore_errors=True)


def make_folders(root: Path, files: Iterable[str]) -> None:
    """Make the folders that *files* stand in, and those that nginx writes to."""
    folders = {path.rpartition("/")[0] for path in files} | set(RUNTIME)
    for folder in sorted(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)


def rows_of(files: Mapping[str, OutputFile]) -> list[Row]:
    """Return *files* as rows."""
    return [
        (path, file.text(), file.mode, file.for_workers and not file.mode & 0o077)
        for path, file in files.items()
    ]


def write_files(root: Path, rows: Iterable[Row], key_owner: tuple[int, int] | None) -> None:
    """Write files into folders that are there already. Raises OSError."""
    for path, text, mode, for_workers in rows:
        data = text.encode("utf-8", "surrogateescape")
        _write_file(f"{root}/{path}", data, mode, key_owner if for_workers else None)


def write_files_aside(
    root: Path, rows: Iterable[Row], key_owner: tuple[int, int] | None
) -> Iterator[None]:
    """Do the same as the job of a second process, up to the disk; the one answer is that it is."""
    with _mask(_MASK):
        write_files(root, rows, key_owner)
    flush(root)
    yield None


def _write_file(path: str, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    # The mode is set at creation: a key is never readable by others, not for an instant.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
        if owner is not None:
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)


def _carry_over(out: Path, fresh: Path) -> None:
    """Take a running nginx's logs, pid file and temporary folders along.

    Log files are linked, so that they stay the files that nginx has open; folders are made anew
    with their owners, since nginx gives them to its workers when it starts.
    """
    old = out / RUNTIME[0]
    if not old.is_dir():
        return
    for folder, _, names in os.walk(old):
        here = fresh / RUNTIME[0] / Path(folder).relative_to(old)
        _like(Path(folder), here)
        if Path(folder).is_relative_to(old / "tmp"):
            continue
        for name in names:
            source = Path(folder) / name
            if stat.S_ISREG(source.lstat().st_mode):
                os.link(source, here / name)


def _like(old: Path, new: Path) -> None:
    new.mkdir(exist_ok=True)
    status = old.stat()
    new.chmod(stat.S_IMODE(status.st_mode))
    if os.geteuid() == 0:
        os.chown(new, status.st_uid, status.st_gid)


def _put_in_place(fresh: Path, out: Path) -> None:
    if out.is_symlink():
        _flip(fresh, out)
    elif not out.exists():
        if can_exchange(out.parent):
            fresh.rename(out)
        else:
            _flip(fresh, out)
    elif not any(out.iterdir()):
        fresh.rename(out)
    elif not exchange(fresh, out):
        raise OSError(
            f"the file system of {out.parent} cannot exchange directories; remove {out.name}, "
            "and it will be made as a symbolic link, which can be flipped"
        )


def _flip(fresh: Path, out: Path) -> None:
    """Make the link *out* point to the new tree, then remove the old one if it was ours."""
    old = out.resolve() if out.is_symlink() else None
    kept = fresh.with_name(fresh.name.replace(_prefix(out), _tree_prefix(out)))
    fresh.rename(kept)
    link = fresh.with_name(f"{fresh.name}-link")
    link.symlink_to(kept.name)
    link.replace(out)
    if old is None:
        return
    if old.parent == out.parent.resolve() and old.name.startswith(_tree_prefix(out)):
        shutil.rmtree(old, ignore_errors=True)
