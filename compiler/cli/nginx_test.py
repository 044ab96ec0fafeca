"""Asking nginx what it has against a tree."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.emit.lua import emit_test
from compiler.lower.lua import lower_test

if TYPE_CHECKING:
    from compiler.model.plan import Plan


def nginx_problem(binary: str, tree: Path, plan: Plan) -> str | None:
    """Return what nginx has against the tree that *plan* became, None when it takes it.

    `nginx -t` runs no Lua; what Lua does when nginx starts is run by an nginx of its own.
    """
    with tempfile.TemporaryDirectory(prefix="kcompile-") as folder:
        commands = [[binary, "-t", "-q", "-p", f"{tree}/", "-c", "nginx.conf"]]
        test = lower_test(plan, folder)
        if test is not None:
            conf = Path(folder) / "test.conf"
            conf.write_text(emit_test(test), "utf-8")
            commands.append([binary, "-e", "stderr", "-p", f"{tree}/", "-c", str(conf)])
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return done.stderr.replace(f"{tree}/", "").strip()
    return None
