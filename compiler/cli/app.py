"""The command line's commands and options; what they do stands in a file of each command.

Those files are imported by the command that needs them, so that --help answers at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compiler import __version__
from compiler.cli import options as o
from compiler.cli.failures import BUG, USAGE, UsageError

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer(
    name="kcompile",
    help="Compile Kong's gateway configuration into an nginx configuration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
explain = typer.Typer(
    help="Say what a configuration means, and why.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(explain, name="explain")


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"kcompile {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version"),
    ] = False,
) -> None:
    del version


@app.command()
def render(  # noqa: PLR0913
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The tree to write")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Run nginx -t before the tree is put in place")
    ] = False,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Print nginx.conf alone and write nothing")
    ] = False,
    output_format: o.Format = "text",
    conf: o.Conf = None,
    entities: o.Entities = None,
    env_file: o.EnvFile = None,
    no_env: o.NoEnv = False,
    system_ca: o.SystemCa = None,
    resolv_conf: o.ResolvConf = None,
    kong_version: o.KongVersion = None,
    target: o.Target = "nginx",
    nginx_version: o.NginxVersion = None,
    nginx: o.Nginx = None,
    allow_uncompiled: o.AllowUncompiled = None,
    names_at_start: o.NamesAtStart = False,
    debug: o.Debug = False,
) -> None:
    """Compile and write the output tree."""
    from compiler.cli.render import render as command

    _run(debug, command, _options(locals()), out, output_format, test=test, stdout=stdout)


@app.command()
def run(  # noqa: PLR0913
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Where to put the tree")
    ] = None,
    conf: o.Conf = None,
    entities: o.Entities = None,
    env_file: o.EnvFile = None,
    no_env: o.NoEnv = False,
    system_ca: o.SystemCa = None,
    resolv_conf: o.ResolvConf = None,
    kong_version: o.KongVersion = None,
    target: o.Target = "nginx",
    nginx_version: o.NginxVersion = None,
    nginx: o.Nginx = None,
    allow_uncompiled: o.AllowUncompiled = None,
    names_at_start: o.NamesAtStart = False,
    debug: o.Debug = False,
) -> None:
    """Compile, then run nginx in the foreground on the result; Ctrl-C stops it."""
    from compiler.cli.run import run as command

    _run(debug, command, _options(locals()), out)


@app.command()
def check(  # noqa: PLR0913
    *,
    nginx_test: Annotated[bool, typer.Option("--nginx-test", help="Ask nginx -t as well")] = False,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="error|warning|info", help="What exit 1 means")
    ] = "error",
    output_format: o.Format = "text",
    conf: o.Conf = None,
    entities: o.Entities = None,
    env_file: o.EnvFile = None,
    no_env: o.NoEnv = False,
    system_ca: o.SystemCa = None,
    resolv_conf: o.ResolvConf = None,
    kong_version: o.KongVersion = None,
    target: o.Target = "nginx",
    nginx_version: o.NginxVersion = None,
    nginx: o.Nginx = None,
    allow_uncompiled: o.AllowUncompiled = None,
    names_at_start: o.NamesAtStart = False,
    debug: o.Debug = False,
) -> None:
    """Report everything that is wrong, without writing anything."""
    from compiler.cli.check import check as command

    _run(debug, command, _options(locals()), output_format, fail_on, with_nginx=nginx_test)


@app.command()
def settings(  # noqa: PLR0913
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    *,
    show_all: Annotated[bool, typer.Option("--all", help="Defaults too")] = False,
    output_format: o.Format = "text",
    conf: o.Conf = None,
    entities: o.Entities = None,
    env_file: o.EnvFile = None,
    no_env: o.NoEnv = False,
    system_ca: o.SystemCa = None,
    resolv_conf: o.ResolvConf = None,
    kong_version: o.KongVersion = None,
    target: o.Target = "nginx",
    nginx_version: o.NginxVersion = None,
    nginx: o.Nginx = None,
    allow_uncompiled: o.AllowUncompiled = None,
    names_at_start: o.NamesAtStart = False,
    debug: o.Debug = False,
) -> None:
    """Print resolved kong.conf settings with where each value came from."""
    from compiler.cli.settings import settings as command

    _run(debug, command, _options(locals()), names or [], output_format, show_all=show_all)


_INPUT_OPTIONS = (
    "conf", "entities", "env_file", "no_env", "system_ca", "resolv_conf", "kong_version", "target",
    "nginx_version", "nginx", "allow_uncompiled", "names_at_start",
)  # fmt: skip


def _options(given: dict[str, Any]) -> Any:
    """Return the input options among a command's arguments."""
    from compiler.cli.gather import Options

    chosen = {name: given[name] for name in _INPUT_OPTIONS}
    return Options(**{k: v for k, v in chosen.items() if v is not None})


def _run(debug: bool, command: Any, *args: Any, **kwargs: Any) -> None:  # noqa: FBT001
    """Run a command; turn what went wrong into an exit code and a line for people."""
    signal.signal(signal.SIGTERM, _terminate)
    # A command makes many small values, keeps them to its end, and then the process is gone:
    # looking for garbage among them takes a third of the time and finds none.
    gc.disable()
    try:
        code = command(*args, **kwargs)
        sys.stdout.flush()
    except UsageError as error:
        typer.echo(f"kcompile: {error}", err=True)
        code = USAGE
    except BrokenPipeError:
        # Whoever reads went away: say nothing, and keep the interpreter from trying again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if debug:
            raise
        typer.echo(
            f"kcompile: this is a bug of ours ({type(error).__name__}); nothing was written. "
            "Please report it with the command you ran and what --debug adds.",
            err=True,
        )
        code = BUG
    raise typer.Exit(code)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """End as quietly as Ctrl-C does, and clean up as it does."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    app()
