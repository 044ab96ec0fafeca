"""The command line's commands and options; what they do stands in a file of each command.

Those files are imported by the command that needs them, so that --help answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compiler import __version__
from compiler.cli import options as o
from compiler.cli.explain_app import explain
from compiler.cli.launch import input_options as _options
from compiler.cli.launch import run_command as _run
from compiler.cli.launch import run_to_the_end

app = typer.Typer(
    name="kcompile",
    help="Compile Kong's gateway configuration into an nginx configuration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
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
        bool, typer.Option("--test", help="Have nginx test the tree before it is put in place")
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
    crl: o.Crl = None,
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
    crl: o.Crl = None,
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
    nginx_test: Annotated[
        bool, typer.Option("--nginx-test", help="Have nginx test the result as well")
    ] = False,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="error|warning|info", help="What exit 1 means")
    ] = "error",
    output_format: o.Format = "text",
    conf: o.Conf = None,
    entities: o.Entities = None,
    env_file: o.EnvFile = None,
    no_env: o.NoEnv = False,
    system_ca: o.SystemCa = None,
    crl: o.Crl = None,
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
    crl: o.Crl = None,
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


@app.command()
def diff(  # noqa: PLR0913
    old: Annotated[str, typer.Argument(metavar="OLD", help=o.SIDE)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise")],
    *,
    conf_old: Annotated[
        Path | None, typer.Option("--conf-old", metavar="FILE", help="kong.conf of OLD")
    ] = None,
    conf_new: Annotated[
        Path | None, typer.Option("--conf-new", metavar="FILE", help="kong.conf of NEW")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 when there are differences")
    ] = False,
    output_format: o.DiffFormat = "text",
    conf: o.Conf = None,
    env_file: o.EnvFile = None,
    no_env: o.NoEnv = False,
    system_ca: o.SystemCa = None,
    crl: o.Crl = None,
    resolv_conf: o.ResolvConf = None,
    kong_version: o.KongVersion = None,
    target: o.Target = "nginx",
    nginx_version: o.NginxVersion = None,
    nginx: o.Nginx = None,
    allow_uncompiled: o.AllowUncompiled = None,
    names_at_start: o.NamesAtStart = False,
    debug: o.Debug = False,
) -> None:
    """Show what changes in meaning, then in nginx.conf, between two inputs."""
    from compiler.cli.diff import diff as command

    chosen = _options(locals())
    _run(
        debug, command, chosen, (old, conf_old), (new, conf_new), output_format, exit_code=exit_code
    )


def main() -> None:
    """Run the command line."""
    run_to_the_end(app)
