"""`kcompile render`: compile and write the output tree."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from compiler.cli.build import Output, compile_for, refuse_foreign, report_keys
from compiler.cli.engine import find_nginx
from compiler.cli.failures import FOUND, OK, UsageError
from compiler.cli.gather import gather
from compiler.cli.launch import keep
from compiler.cli.left_out import left_out, left_out_json, show_left_out
from compiler.cli.nginx_test import nginx_problem
from compiler.cli.progress import Progress
from compiler.cli.show import as_json, check_format, print_json, show_diagnostics
from compiler.model.diagnostic import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from compiler.cli.gather import Options
    from compiler.model.plan import Plan


class _TestFailedError(Exception):
    """nginx refused the tree; the message is nginx's own."""


def render(
    options: Options, out: Path | None, output_format: str, *, test: bool, stdout: bool
) -> int:
    """Compile; write the tree to *out*, or print nginx.conf alone. Return the exit code."""
    check_format(output_format)
    if (out is None) == (not stdout):
        raise UsageError("give either -o DIR or --stdout")
    if stdout and (test or output_format != "text"):
        raise UsageError("--stdout prints nginx.conf alone: it goes with neither --test nor json")
    if out is not None:
        refuse_foreign(out)
    binary = find_nginx(options.nginx, options.target) if test else None
    report = Report()
    inputs, files = gather(options, report)
    problem = None
    with ExitStack() as stack:
        output = None if out is None else stack.enter_context(Output(out))
        progress = stack.enter_context(Progress())
        compiled = compile_for(out, inputs, report, progress, output)
        keep(inputs, compiled)
        if compiled is not None and output is not None:
            report_keys(compiled, report)
            progress("writing the tree")
            try:
                output.write(compiled, inputs, files, before=_tester(binary, compiled.plan))
            except _TestFailedError as error:
                problem = str(error)
    if compiled is not None and stdout:
        sys.stdout.buffer.write(compiled.tree.files["nginx.conf"].data())
    written = compiled is not None and problem is None and out is not None
    without = left_out(compiled, inputs)
    if output_format == "json":
        print_json(
            {
                "diagnostics": [as_json(d) for d in report],
                "left_out": left_out_json(without),
                "output": str(out) if written else None,
            }
        )
    else:
        show_diagnostics(report)
        show_left_out(without)
    if problem is not None:
        print(f"nginx refused the result; nothing was written:\n{problem}", file=sys.stderr)
    return OK if compiled is not None and problem is None else FOUND


def _tester(binary: str | None, plan: Plan) -> Callable[[Path], None] | None:
    if binary is None:
        return None

    def test(tree: Path) -> None:
        problem = nginx_problem(binary, tree, plan)
        if problem is not None:
            raise _TestFailedError(problem)

    return test
