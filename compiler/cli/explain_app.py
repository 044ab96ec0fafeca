"""The commands below `kcompile explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from compiler.cli import options as o
from compiler.cli.launch import input_options, run_command

explain = typer.Typer(
    help="Say what a configuration means, and why.", no_args_is_help=True, rich_markup_mode=None
)


@explain.command()
def sni(  # noqa: PLR0913
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="What the client sends; else nothing")
    ] = None,
    *,
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
    """Say which certificate a TLS client gets."""
    from compiler.cli.explain import explain_sni

    run_command(debug, explain_sni, input_options(locals()), name, output_format)


@explain.command()
def service(  # noqa: PLR0913
    name: Annotated[str, typer.Argument(metavar="NAME", help="The service's name or id")],
    *,
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
    """Say where a service's requests go, with which TLS to the upstream."""
    from compiler.cli.explain import explain_service_tls

    run_command(debug, explain_service_tls, input_options(locals()), name, output_format)


@explain.command()
def request(  # noqa: PLR0913
    method: Annotated[str, typer.Argument(metavar="METHOD", help="As GET or POST")],
    url: Annotated[
        str, typer.Argument(metavar="URL", help="http:// or https://; sent just as it is written")
    ],
    *,
    headers: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", metavar="'K: V'", help="A header; repeatable"),
    ] = None,
    server_name: Annotated[
        str | None,
        typer.Option("--sni", metavar="NAME", help="[default: the URL's host; '' is none]"),
    ] = None,
    client_ip: Annotated[
        str | None, typer.Option("--client-ip", metavar="IP", help="Who connects to the gateway")
    ] = None,
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
    """Say which route, service and upstream answer a request."""
    from compiler.cli.explain_request import Asked, explain_request_answer

    asked = Asked(method, url, headers or (), server_name, client_ip)
    run_command(debug, explain_request_answer, input_options(locals()), asked, output_format)
