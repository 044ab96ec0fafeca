"""`kcompile check`: every diagnostic, no output tree."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.build import compile_for, write
from compiler.cli.engine import find_nginx
from compiler.cli.failures import FOUND, OK, UsageError
from compiler.cli.gather import gather
from compiler.cli.left_out import left_out, left_out_json
from compiler.cli.nginx_test import nginx_problem
from compiler.cli.progress import Progress
from compiler.cli.show import as_json, check_format, print_json, show_diagnostics
from compiler.model.diagnostic import Report, Severity

if TYPE_CHECKING:
    from compiler.cli.gather import Options
    from compiler.model.inputs import Inputs
    from compiler.pipeline import Compiled
    from compiler.read.files import DiskFiles

FAIL_ON = {
    "error": {Severity.ERROR},
    "warning": {Severity.ERROR, Severity.WARNING},
    "info": {Severity.ERROR, Severity.WARNING, Severity.INFO},
}


def check(options: Options, output_format: str, fail_on: str, *, with_nginx: bool) -> int:
    """Report everything that is wrong; with *with_nginx*, ask nginx too. Return the exit code."""
    check_format(output_format)
    if fail_on not in FAIL_ON:
        raise UsageError(f"--fail-on: {fail_on!r} is none of {', '.join(FAIL_ON)}")
    binary = find_nginx(options.nginx, options.target) if with_nginx else None
    report = Report()
    inputs, files = gather(options, report)
    with Progress() as progress:
        compiled = compile_for(None, inputs, report, progress)
    problem = None
    if compiled is not None and binary is not None:
        problem = _ask(binary, compiled, inputs, files)
    if output_format == "json":
        print_json(
            {
                "diagnostics": [as_json(d) for d in report],
                "left_out": left_out_json(left_out(compiled, inputs)),
                "output": None,
            }
        )
    else:
        show_diagnostics(report, sys.stdout)
    if problem is not None:
        print(f"nginx refuses the result:\n{problem}", file=sys.stderr)
    failed = any(d.severity in FAIL_ON[fail_on] for d in report)
    return FOUND if failed or problem is not None else OK


def _ask(binary: str, compiled: Compiled, inputs: Inputs, files: DiskFiles) -> str | None:
    """Return what nginx has against the result, None when it takes it."""
    with tempfile.TemporaryDirectory(prefix="kcompile-") as folder:
        tree = Path(folder) / "tree"
        write(tree, compiled, inputs, files)
        return nginx_problem(binary, tree, compiled.plan)
