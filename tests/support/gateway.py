"""Compile a gateway's configuration as a user would, run nginx on it, and talk to it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from compiler.cli.check import check as run_check
from compiler.cli.gather import Options
from support import client, engines, pki, ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from support.engines import Engine, Running

_ROOT = Path(__file__).resolve().parents[2]

FileContent = str | bytes | dict[str, Any]

SERVER = pki.self_signed("gateway.test")
"""The certificate of gateways whose clients do not look at it."""


@dataclass(frozen=True)
class Compiled:
    """What the compiler left behind."""

    tree: Path
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Gateway:
    """A compiled gateway that nginx serves on 127.0.0.1."""

    running: Running
    compiled: Compiled
    http_port: int
    https_port: int

    @property
    def tree(self) -> Path:
        """The nginx configuration."""
        return self.compiled.tree

    @property
    def ports(self) -> list[int]:
        """Every port that nginx listens on."""
        return self.running.ports

    def get(self, host: str, path: str | bytes = "/", **options: Any) -> client.Response:
        """Request over TLS, or over plain HTTP with `tls=False`; see `client.https_request`."""
        port = self.https_port if options.get("tls", True) else self.http_port
        return client.https_request(options.pop("port", port), host, path, **options)

    def handshake(self, name: str | None, **options: Any) -> client.HandshakeResult:
        """Shake hands; see `client.handshake`."""
        return client.handshake(options.pop("port", self.https_port), name, **options)

    def raw_handshake(
        self, sni: bytes | None, auth: client.Auth = "any", **options: Any
    ) -> client.RawResult:
        """Ask for the certificate of a name given in bytes; see `rawtls.raw_handshake`."""
        return client.raw_handshake(options.pop("port", self.https_port), sni, auth, **options)

    def error_log(self) -> str:
        """Everything nginx said."""
        return self.running.error_log()

    def reload(self) -> None:
        """Make nginx read the tree again."""
        self.running.reload()


def secured_files(entities: dict[str, Any], conf: str = "") -> dict[str, Any]:
    """Make the files of a gateway with `SERVER`'s certificate; *conf* are more of its settings."""
    return {
        "kong.yml": entities,
        "kong.conf": f"ssl_cert = gateway.crt\nssl_cert_key = gateway.key\n{conf}",
        "gateway.crt": SERVER.cert_pem,
        "gateway.key": SERVER.key_pem,
    }


def write_files(folder: Path, files: Mapping[str, FileContent]) -> None:
    """Write files below a folder; a dict becomes YAML."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = yaml.safe_dump(content, sort_keys=False)  # noqa: PLW2901
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def compile_tree(
    engine: Engine,
    folder: Path,
    files: Mapping[str, FileContent],
    *,
    conf: str = "kong.conf",
    entities: str = "kong.yml",
    out: str = "out",
    args: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    exit_code: int | None = 0,
) -> Compiled:
    """Write `files` into a folder and compile them there; None accepts any exit code.

    `environment` is what the compiler finds in its environment; without it, it looks at none.
    """
    write_files(folder, files)
    tree = folder / out
    command = [sys.executable, "-m", "compiler", "render", "-o", str(tree)]
    for option, name in (("-c", conf), ("-e", entities)):
        if name in files:
            command += [option, name]
    no_env = ["--no-env"] if environment is None else []
    search = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, *no_env, *engine.arguments, *args],
        cwd=folder,
        env={**os.environ, **(environment or {}), "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    if exit_code is not None and done.returncode != exit_code:
        raise AssertionError(
            f"the compiler ended with {done.returncode}, not {exit_code}:\n"
            f"{done.stderr}{done.stdout}"
        )
    return Compiled(tree, done.returncode, done.stdout, done.stderr)


def check(
    folder: Path, files: Mapping[str, FileContent], *, fail_on: str = "error", **options: Any
) -> tuple[int, list[dict[str, Any]]]:
    """Write kong.conf, kong.yml and more, and give `check`'s exit code and its diagnostics.

    It runs within this process, as there are many such tests; `options` are those of `Options`.
    """
    write_files(folder, files)
    if "kong.conf" in files:
        options["conf"] = Path("kong.conf")
    if "kong.yml" in files:
        options["entities"] = ("kong.yml",)
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        given = Options(**{"no_env": True, "nginx_version": "1.28.0", **options})
        code = run_check(given, "json", fail_on, with_nginx=False)
    return code, json.loads(said.getvalue())["diagnostics"]


@contextlib.contextmanager
def gateway(
    engine: Engine,
    folder: Path,
    files: Mapping[str, FileContent],
    *,
    http_port: int | None = None,
    https_port: int | None = None,
    **options: Any,
) -> Iterator[Gateway]:
    """Compile `files`, serve the result within the block.

    A kong.conf without `proxy_listen` is given one with free ports; one that has it should
    come with `http_port` and `https_port`. Other listeners are off unless it sets them: their
    default ports are the same for all tests. `options` are those of `compile_tree`.
    """
    with ports.reserve(2) as (free_http, free_https):
        plain, secure = http_port or free_http, https_port or free_https
        conf_name = options.get("conf", "kong.conf")
        conf = files.get(conf_name, "")
        assert isinstance(conf, str), "kong.conf is text"
        defaults = {
            "proxy_listen": f"127.0.0.1:{plain}, 127.0.0.1:{secure} ssl",
            **dict.fromkeys(("admin_listen", "admin_gui_listen", "status_listen"), "off"),
        }
        for name, value in defaults.items():
            if not re.search(rf"^\s*{name}\s*=", conf, re.MULTILINE):
                # Added last, so that the lines of the given text keep their numbers.
                conf = f"{conf.rstrip()}\n{name} = {value}\n".lstrip("\n")
        compiled = compile_tree(engine, folder, {**files, conf_name: conf}, **options)
        with engines.start(engine, compiled.tree) as running:
            yield Gateway(running, compiled, plain, secure)
