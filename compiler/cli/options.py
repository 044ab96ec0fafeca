"""The options that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

INPUT = "Input"
VERSIONS = "Versions and target"

Conf = Annotated[
    Path | None,
    typer.Option("-c", "--conf", metavar="FILE", help="kong.conf", rich_help_panel=INPUT),
]
Entities = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--entities",
        metavar="PATH",
        help="Declarative entities: a file, a directory, or - for standard input; repeatable",
        rich_help_panel=INPUT,
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="NAME=VALUE lines to use instead of the environment",
        rich_help_panel=INPUT,
    ),
]
NoEnv = Annotated[
    bool, typer.Option("--no-env", help="Ignore the environment", rich_help_panel=INPUT)
]
SystemCa = Annotated[
    str | None,
    typer.Option(
        "--system-ca",
        metavar="FILE",
        help="What `system` means in lua_ssl_trusted_certificate",
        rich_help_panel=INPUT,
    ),
]
Crl = Annotated[
    list[str] | None,
    typer.Option(
        "--crl",
        metavar="FILE",
        help="Certificates that were revoked: an authority's list (CRL), PEM or DER; repeatable",
        rich_help_panel=INPUT,
    ),
]
ResolvConf = Annotated[
    str | None,
    typer.Option(
        "--resolv-conf",
        metavar="FILE",
        help="Where name servers stand when dns_resolver is not set [default: /etc/resolv.conf]",
        rich_help_panel=INPUT,
    ),
]
KongVersion = Annotated[
    str | None,
    typer.Option(
        "--kong-version",
        metavar="X.Y[.Z.W]",
        help="Whose defaults and rules apply [default: the newest known]",
        rich_help_panel=VERSIONS,
    ),
]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        metavar="nginx|openresty",
        help="Stock nginx, or nginx with the Lua module",
        rich_help_panel=VERSIONS,
    ),
]
NginxVersion = Annotated[
    str | None,
    typer.Option(
        "--nginx-version",
        metavar="X.Y.Z",
        help="The nginx that the output is for [default: that of the nginx found]",
        rich_help_panel=VERSIONS,
    ),
]
Nginx = Annotated[
    str | None,
    typer.Option(
        "--nginx", metavar="PATH", help="The nginx to test and run with", rich_help_panel=VERSIONS
    ),
]
AllowUncompiled = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-uncompiled",
        metavar="PLUGIN",
        help="Serve without this plugin, with a warning; repeatable",
    ),
]
NamesAtStart = Annotated[
    bool,
    typer.Option(
        "--names-at-start",
        help="Let nginx look upstream names up once, when it starts, where it cannot do better",
    ),
]
Format = Annotated[str, typer.Option("--format", metavar="text|json", help="How to print")]
DiffFormat = Annotated[
    str, typer.Option("--format", metavar="text|json|markdown|unified", help="How to print")
]
SIDE = "Entities (a file or a directory, which may hold kong.conf too), or a file kong.conf"
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of a bug of ours", hidden=True)
]
