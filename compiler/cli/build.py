"""Compiling and writing, as `render` and `run` both need it."""

from __future__ import annotations

import os
import pwd
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from compiler import __version__
from compiler.catalog import plan_rules
from compiler.cli.failures import UsageError
from compiler.emit.manifest import Made, manifest
from compiler.pipeline import Aside, compile_inputs
from compiler.second_process import DiedError, SecondProcess
from compiler.write.directory import (
    MANIFEST,
    RefusedError,
    check_replaceable,
    make_folders,
    new_tree,
    put_in_place,
    rows_of,
    write_files,
    write_files_aside,
    write_tree,
)
from compiler.write.self_signed import make_self_signed, self_signed_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.inputs import Inputs
    from compiler.model.nginx import OutputFile
    from compiler.model.settings import Settings
    from compiler.model.x509 import KeyPair
    from compiler.pipeline import Compiled
    from compiler.read.files import DiskFiles
    from compiler.second_process import Answers

DEFAULT_WORKER = "nobody"
"""The user of nginx's workers where its configuration names none."""


def compile_for(
    out: Path | None,
    inputs: Inputs,
    report: Report,
    step: Callable[[str], None],
    output: Output | None = None,
) -> Compiled | None:
    """Compile; self-signed pairs are those of the tree at *out*, if it has any.

    What can be done in the second process of *output* is done there.
    """
    pairs = _SelfSigned(out, inputs)
    aside = None
    if output is not None:
        aside = Aside(
            second=output.second,
            self_signed_needed=lambda: pairs.begin(output.second),
            material_known=output.begin,
        )
    return compile_inputs(inputs, pairs, report, step, aside)


class _SelfSigned:
    """Gives the self-signed pairs, which are found or made once, when they are asked for."""

    def __init__(self, out: Path | None, inputs: Inputs) -> None:
        self._out, self._now = out, inputs.now
        self._answers: Answers | None = None
        self._made: tuple[KeyPair, ...] | None = None

    def begin(self, second: SecondProcess) -> None:
        """Have them made ahead, where somebody is there to do it."""
        if second.running:
            self._answers = second.ask(make_self_signed, self._out, self._now)

    def __call__(self) -> tuple[KeyPair, ...]:
        if self._made is None:
            self._made = self._received() or self_signed_pairs(self._out, self._now)
        return self._made

    def _received(self) -> tuple[KeyPair, ...] | None:
        try:
            return None if self._answers is None else next(self._answers)
        except DiedError:
            return None


class Output:
    """The tree at *out*; files of certificates and keys may be written before the rest is known.

    They are written by the second process, into a directory of which nothing is left when the
    compilation or the writing fails.
    """

    def __init__(self, out: Path) -> None:
        self.second = SecondProcess()
        self._out = out
        self._stack = ExitStack()
        self._fresh: Path | None = None
        self._begun: frozenset[str] = frozenset()
        self._answers: Answers | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Whoever still writes is ended before what was written is removed.
        if kind is None and self._answers is None:
            self.second.finish()
        else:
            self.second.kill()
        self._stack.close()

    def begin(self, config: Config, material: Mapping[str, OutputFile]) -> None:
        """Begin to write *material*, where a second process can do it."""
        if not self.second.running:
            return
        with _refusals(self._out):
            self._fresh = self._stack.enter_context(new_tree(self._out))
            make_folders(self._fresh, material)
        rows, owner = rows_of(material), key_owner(config.settings)
        self._answers = self.second.ask(write_files_aside, self._fresh, rows, owner)
        self._begun = frozenset(material)

    def write(
        self,
        compiled: Compiled,
        inputs: Inputs,
        files: DiskFiles,
        before: Callable[[Path], None] | None = None,
    ) -> None:
        """Put the compiled tree in place. Raises UsageError when that cannot be done."""
        made = _made(inputs, files)
        tree = {**compiled.tree.files, MANIFEST: manifest(compiled.tree, made)}
        owner = key_owner(compiled.config.settings)
        with _refusals(self._out):
            if self._fresh is None:
                write_tree(self._out, tree, key_owner=owner, before=before)
                return
            rest = {path: file for path, file in tree.items() if path not in self._begun}
            make_folders(self._fresh, rest)
            write_files(self._fresh, rows_of(rest), owner)
            if not self._is_begun_written():
                _write_again(self._fresh, {path: tree[path] for path in self._begun}, owner)
            put_in_place(self._fresh, self._out, before=before)

    def _is_begun_written(self) -> bool:
        """Wait for what was begun; False when the second process died over it."""
        answers, self._answers = self._answers, None
        try:
            return answers is not None and next(answers) is None
        except DiedError:
            return False


def _write_again(
    fresh: Path, files: Mapping[str, OutputFile], owner: tuple[int, int] | None
) -> None:
    """Write files of which some are there already, the last of them perhaps in part."""
    for path in files:
        (fresh / path).unlink(missing_ok=True)
    write_files(fresh, rows_of(files), owner)


@contextmanager
def _refusals(out: Path) -> Iterator[None]:
    """Turn what keeps a tree from being written into UsageError."""
    try:
        yield
    except RefusedError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error


def refuse_foreign(out: Path) -> None:
    """Raise UsageError when *out* is something that we did not make."""
    with _refusals(out):
        check_replaceable(out)


def write(
    out: Path,
    compiled: Compiled,
    inputs: Inputs,
    files: DiskFiles,
    *,
    before: Callable[[Path], None] | None = None,
) -> None:
    """Put the compiled tree in place. Raises UsageError when that cannot be done."""
    with Output(out) as output:
        output.write(compiled, inputs, files, before)


def _made(inputs: Inputs, files: DiskFiles) -> Made:
    return Made(
        program=f"kcompile {__version__}",
        target=inputs.target,
        nginx_version=".".join(map(str, inputs.nginx_version)),
        kong_version=".".join(map(str, inputs.kong_version)),
        inputs=files.digests,
    )


def worker_name(settings: Settings) -> str:
    """Return the user that nginx's workers run as when nginx starts as root."""
    directive = settings.directive("main", "user")
    return DEFAULT_WORKER if directive is None else directive.value.split()[0]


def key_owner(settings: Settings) -> tuple[int, int] | None:
    """Return the user and group that keys are given to: the workers', when we may do that.

    Where names are looked up in maps while nginx runs, its workers read key files; they must own
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
    if key_owner(settings) is not None or not compiled.plan.read_by_workers:
        return
    user = pwd.getpwuid(os.geteuid()).pw_name
    report.add(plan_rules.KEYS_UNREADABLE, None, user=user, worker=worker_name(settings))
