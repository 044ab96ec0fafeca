"""`kcompile run`: compile, then run nginx in the foreground on the result."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.build import compile_for, refuse_foreign, write
from compiler.cli.engine import find_nginx
from compiler.cli.failures import FOUND, OK
from compiler.cli.gather import gather
from compiler.cli.left_out import left_out, show_left_out
from compiler.cli.progress import Progress
from compiler.cli.show import show_diagnostics
from compiler.model.diagnostic import Report

if TYPE_CHECKING:
    from compiler.cli.gather import Options

_STOP_SECONDS = 10


def run(options: Options, out: Path | None) -> int:
    """Compile to *out*, or a private directory, and run nginx there until it is stopped."""
    if out is not None:
        refuse_foreign(out)
    binary = find_nginx(options.nginx, options.target)
    with tempfile.TemporaryDirectory(prefix="kcompile-") as private:
        # Workers read the tree as another user; the keys in it keep their own modes.
        Path(private).chmod(0o755)
        tree = out or Path(private) / "tree"
        report = Report()
        inputs, files = gather(options, report)
        with Progress() as progress:
            compiled = compile_for(out, inputs, report, progress)
            if compiled is not None:
                write(tree, compiled, inputs, files)
        show_diagnostics(report)
        if compiled is None:
            return FOUND
        show_left_out(left_out(compiled, inputs))
        daemon = [d for d in compiled.plan.directives.get("main", ()) if d.name == "daemon"]
        return _serve(binary, tree, daemon_set=bool(daemon))


def _serve(binary: str, tree: Path, *, daemon_set: bool) -> int:
    """Run nginx in the foreground; a signal that stops us stops it. Return the exit code."""
    command = [binary, "-p", f"{tree}/", "-c", "nginx.conf"]
    if not daemon_set:
        command += ["-g", "daemon off;"]
    process = subprocess.Popen(command)
    print(f"nginx runs on {tree}; Ctrl-C stops it", file=sys.stderr)
    try:
        return OK if process.wait() == 0 else FOUND
    except KeyboardInterrupt:
        return OK
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
