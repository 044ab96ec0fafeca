"""Compiling and writing, as `render` and `run` both need it."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from compiler import __version__
from compiler.catalog import plan_rules
from compiler.cli.failures import UsageError
from compiler.emit.manifest import Made, manifest
from compiler.pipeline import compile_inputs
from compiler.write.directory import MANIFEST, RefusedError, check_replaceable, write_tree
from compiler.write.self_signed import self_signed_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.inputs import Inputs
    from compiler.model.nginx import OutputFile
    from compiler.model.settings import Settings
    from compiler.model.x509 import KeyPair
    from compiler.pipeline import Compiled
    from compiler.read.files import DiskFiles

DEFAULT_WORKER = "nobody"
"""The user of nginx's workers where its configuration names none."""


def compile_for(
    out: Path | None, inputs: Inputs, report: Report, step: Callable[[str], None]
) -> Compiled | None:
    """Compile; self-signed pairs are those of the tree at *out*, if it has any."""
    made: tuple[KeyPair, ...] | None = None

    def self_signed() -> tuple[KeyPair, ...]:
        nonlocal made
        if made is None:
            made = self_signed_pairs(out, inputs.now)
        return made

    return compile_inputs(inputs, self_signed, report, step)


def refuse_foreign(out: Path) -> None:
    """Raise UsageError when *out* is something that we did not make."""
    try:
        check_replaceable(out)
    except RefusedError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error


def write(
    out: Path,
    compiled: Compiled,
    inputs: Inputs,
    files: DiskFiles,
    *,
    before: Callable[[Path], None] | None = None,
) -> None:
    """Put the compiled tree in place. Raises UsageError when that cannot be done."""
    made = Made(
        program=f"kcompile {__version__}",
        target=inputs.target,
        nginx_version=".".join(map(str, inputs.nginx_version)),
        kong_version=".".join(map(str, inputs.kong_version)),
        inputs=files.digests,
    )
    tree: Mapping[str, OutputFile] = {
        **compiled.tree.files,
        MANIFEST: manifest(compiled.tree, made),
    }
    try:
        write_tree(out, tree, key_owner=key_owner(compiled.config.settings), before=before)
    except RefusedError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error


def worker_name(settings: Settings) -> str:
    """Return the user that nginx's workers run as when nginx starts as root."""
    directive = settings.directive("main", "user")
    return DEFAULT_WORKER if directive is None else directive.value.split()[0]


def key_owner(settings: Settings) -> tuple[int, int] | None:
    """Return the user and group that keys are given to: the workers', when we may do that.

    Names are looked up in maps while nginx runs, so its workers read key files; they must own
    them, since the group of the same user differs from one build of nginx to the next.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(worker_name(settings))
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def report_keys(compiled: Compiled, report: Report) -> None:
    """Warn when nginx's workers will not be able to read the keys."""
    settings = compiled.config.settings
    if key_owner(settings) is not None or not compiled.plan.sni.certificates:
        return
    user = pwd.getpwuid(os.geteuid()).pw_name
    report.add(plan_rules.KEYS_UNREADABLE, None, user=user, worker=worker_name(settings))


def nginx_test(binary: str, tree: Path) -> subprocess.CompletedProcess[str]:
    """Run `nginx -t` on a tree."""
    command = [binary, "-t", "-q", "-p", f"{tree}/", "-c", "nginx.conf"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
