"""Gateways under load: asked by wrk in turns, and compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from ssl import CERT_NONE, create_default_context
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from measure import CannotRunError, Command
from routes import SENT, listed
from servers import OTHERS, cpu_seconds, pin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routes import Request

_SCRIPT = Path(__file__).resolve().parent / "load.lua"
ROUNDS = 5
SECONDS = 2
CONNECTIONS = 16


class Round(NamedTuple):
    """What one gateway did in one round of load."""

    rate: float
    """Requests per second."""

    cpu: float
    """Microseconds of CPU time that the gateway spent on each."""


class Ratio(NamedTuple):
    """How much faster a gateway is than another."""

    rate: float
    """By requests per second."""

    cpu: float
    """By CPU time per request, which a busy machine disturbs less."""

    detail: str


@dataclass(frozen=True)
class Load:
    """A gateway, running as *process* at *port* of 127.0.0.1, and what it is asked for."""

    name: str
    process: int
    port: int
    requests: tuple[Request, ...]
    secure: bool = False

    def over_tls(self, port: int) -> Load:
        """Return the same load at the gateway's port for TLS."""
        return replace(self, port=port, secure=True)

    def check(self) -> None:
        """Raise CannotRunError unless the upstream gets each request as Kong would send it."""
        for request in self.requests:
            got = self._ask(request)
            if got != (200, SENT):
                raise CannotRunError(f"{self.name} answers {request.path} with {got}")

    def run(self, folder: Path) -> Round:
        """Load the gateway for a while."""
        file = folder / "requests.txt"
        file.write_text(listed(self.requests))
        url = f"http{'s' if self.secure else ''}://127.0.0.1:{self.port}/"
        options = ("-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-s", _SCRIPT)
        command: Command = ["wrk", *options, url, "--", file]
        before = cpu_seconds(self.process)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS + 60,
            preexec_fn=partial(pin, OTHERS),
        )
        spent = cpu_seconds(self.process) - before
        told = re.search(r"^result (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
        if told is None:
            raise CannotRunError(f"wrk says: {(done.stderr or done.stdout).strip()[:200]}")
        count, microseconds, failed = map(int, told.groups())
        if failed or not count:
            raise CannotRunError(f"{failed} of {count} requests to {self.name} failed")
        return Round(count / microseconds * 1e6, spent / count * 1e6)

    def _ask(self, request: Request) -> tuple[int, str]:
        client = HTTPConnection("127.0.0.1", self.port, timeout=10)
        if self.secure:
            context = create_default_context()
            context.check_hostname, context.verify_mode = False, CERT_NONE
            client = HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        try:
            client.request("GET", request.path, headers=request.headers)
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException) as error:
            raise CannotRunError(f"{self.name} does not answer: {error!r}") from error
        finally:
            client.close()


def compare(first: Load, *others: Load, folder: Path) -> list[Ratio]:
    """Load gateways in turns; return how much faster the first is than each of the others.

    They are compared round by round, and every second round goes backwards: what else the
    machine does meets all of them.
    """
    loads = (first, *others)
    for load in loads:
        load.check()
    rounds = []
    for number in range(ROUNDS):
        order = reversed(loads) if number % 2 else loads
        found = {id(load): load.run(folder) for load in order}
        rounds.append([found[id(load)] for load in loads])
    mine, *theirs = zip(*rounds, strict=True)
    return [
        ratio(first.name, mine, other.name, found)
        for other, found in zip(others, theirs, strict=True)
    ]


def ratio(name: str, mine: Sequence[Round], other: str, theirs: Sequence[Round]) -> Ratio:
    """Return how much faster *name* was than *other*, round by round."""
    pairs = list(zip(mine, theirs, strict=True))
    return Ratio(
        rate=median(a.rate / b.rate for a, b in pairs),
        cpu=median(b.cpu / a.cpu for a, b in pairs),
        detail=f"{_told(name, mine)}; {_told(other, theirs)}",
    )


def _told(name: str, rounds: Sequence[Round]) -> str:
    rate, cpu = median(r.rate for r in rounds), median(r.cpu for r in rounds)
    return f"{name} {rate:,.0f}/s, {cpu:.1f} µs".replace(",", " ", 1)


def need_wrk() -> None:
    """Install wrk where that is ours to do. Raises CannotRunError where there is none."""
    if shutil.which("wrk"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise CannotRunError("wrk is not installed")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--quiet", "wrk"]
    try:
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
    except subprocess.SubprocessError as error:
        raise CannotRunError(f"wrk could not be installed: {error}") from error
