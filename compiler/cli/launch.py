"""How a command is started and how it ends."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import typer

from compiler.cli.failures import BUG, USAGE, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_kept: list[object] = []

_INPUT_OPTIONS = (
    "conf", "entities", "env_file", "no_env", "system_ca", "crl", "resolv_conf", "kong_version",
    "target", "nginx_version", "nginx", "allow_uncompiled", "names_at_start",
)  # fmt: skip


def input_options(given: dict[str, Any]) -> Any:
    """Return the input options among a command's arguments."""
    from compiler.cli.gather import Options

    chosen = {name: given.get(name) for name in _INPUT_OPTIONS}
    return Options(**{k: v for k, v in chosen.items() if v is not None})


def run_command(debug: bool, command: Any, *args: Any, **kwargs: Any) -> None:  # noqa: FBT001
    """Run a command; turn what went wrong into an exit code and a line for people."""
    signal.signal(signal.SIGTERM, _terminate)
    # A command makes many small values, keeps them to its end, and then the process is gone:
    # looking for garbage among them takes a third of the time and finds none.
    gc.disable()
    _kept.clear()
    try:
        code = command(*args, **kwargs)
        sys.stdout.flush()
    except UsageError as error:
        typer.echo(f"kcompile: {error}", err=True)
        code = USAGE
    except BrokenPipeError:
        # Whoever reads went away: there is nothing to say.
        _discard_output()
        code = 0
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:
            # Files have names, and words of their own elsewhere; this is what is printed.
            _discard_output()
            typer.echo(f"kcompile: cannot write to standard output: {error.strerror}", err=True)
            raise typer.Exit(USAGE) from None
        if debug:
            raise
        typer.echo(
            f"kcompile: this is a bug of ours ({type(error).__name__}); nothing was written. "
            "Please report it with the command you ran and what --debug adds.",
            err=True,
        )
        code = BUG
    raise typer.Exit(code)


def keep(*made: object) -> None:
    """Keep what a command made until the process is gone, which takes it along in one go.

    Letting go of a million small values one by one takes a tenth of the time of making them.
    """
    _kept.extend(made)


def run_to_the_end(app: Callable[[], None]) -> None:
    """Run *app* as the last thing that this process does, and end without tearing down.

    Nothing is left for the interpreter to do at its end: files are closed, temporary folders
    removed and other processes waited for by the commands themselves.
    """
    try:
        app()
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            raise ended from None  # the interpreter says what is wrong
        os._exit(ended.code or 0)


def _discard_output() -> None:
    """Keep the interpreter from trying again to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """End as quietly as Ctrl-C does, and clean up as it does."""
    raise KeyboardInterrupt
