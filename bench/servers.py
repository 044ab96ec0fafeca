"""Programs that serve while the benchmark runs: started, watched, and stopped again."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from measure import CannotRunError, Command

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_START_SECONDS = 60
_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER_TIME, _SYSTEM_TIME = 1, 11, 12
"""Fields of /proc/PID/stat, counted behind the program's name."""


_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
GATEWAY, OTHERS = frozenset(_CORES[-1:]), frozenset(_CORES[:-1] or _CORES)
"""A core for the gateway alone, and those for who asks it and whom it asks: else they take each
other's time, and the less a gateway needs the more of it they take."""

_UPSTREAM = """\
worker_processes 1;
pid upstream.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 $request_uri; }} }}
}}
"""


def upstream(nginx: str, folder: Path, stack: ExitStack) -> int:
    """Start an upstream that answers with the path and query it was asked for; return its port."""
    (port,) = free_ports(1)
    folder.mkdir()
    (folder / "nginx.conf").write_text(_UPSTREAM.format(port=port))
    command: Command = [nginx, "-p", f"{folder}/", "-c", "nginx.conf", "-g", "daemon off;"]
    stack.enter_context(serving(command, port, cwd=folder, cores=OTHERS))
    return port


def pin(cores: Collection[int]) -> None:
    """Keep this process on *cores*, and with it those that it starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@contextmanager
def serving(
    command: Command,
    port: int,
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    cores: Collection[int] = GATEWAY,
) -> Iterator[int]:
    """Run *command* until the block ends, and give its process id once it accepts connections.

    Raises CannotRunError.
    """
    said = cwd / "said.txt"
    with said.open("wb") as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(pin, cores),  # noqa: PLW1509 - there are no threads
            )
        except OSError as error:
            raise CannotRunError(f"{command[0]}: {error.strerror}") from error
    try:
        _wait_for(process, port, said)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    raise CannotRunError(f"{Path(str(process.args[0])).name} did not start: {last[0][:200]}")  # type: ignore[index]


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process and its children have spent so far."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended.
        if process in {int(entry.name), int(fields[_PARENT])}:
            ticks += int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])
    return ticks / _TICKS


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody uses."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [found.getsockname()[1] for found in sockets]
