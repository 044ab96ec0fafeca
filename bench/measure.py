"""Running a program and measuring what it took."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Command = Sequence[str | Path]


class CannotRunError(Exception):
    """A program is missing or failed; the text says which and why."""


class Sample(NamedTuple):
    """What one run of a program took."""

    seconds: float
    megabytes: float


def run(command: Command, *, cwd: Path, environment: Mapping[str, str] | None = None) -> Sample:
    """Run *command* and return its wall time and peak memory.

    The kernel counts the caller's memory at the start of a program as the program's: the
    benchmark itself stays small. Raises CannotRunError.
    """
    said = cwd / "said.txt"
    with said.open("wb") as log:
        begun = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        except OSError as error:
            raise CannotRunError(f"{command[0]}: {error.strerror}") from error
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise CannotRunError(f"{command[0]} ended with {process.returncode}: {last[0][:200]}")
    return Sample(seconds, usage.ru_maxrss / 1024)


def middle(samples: Sequence[Sample]) -> Sample:
    """Return the median of several runs."""
    return Sample(median(s.seconds for s in samples), median(s.megabytes for s in samples))
