"""What certificates in memory cost: a gateway with many, beside one that has a single one.

Both are for nginx with its Lua module. Clients never resume a session: each pays in full.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from functools import cached_property, partial
from pathlib import Path
from ssl import CERT_NONE, PROTOCOL_TLS_CLIENT, SSLContext
from statistics import median
from typing import TYPE_CHECKING, Any

from generate import make, pem
from load import CONNECTIONS, ROUNDS, SECONDS, Ratio, Round, need_wrk, ratio
from measure import CannotRunError, Command, run
from servers import OTHERS, cpu_seconds, free_ports, pin, serving

from compiler.cli.engine import find_lua_module, find_nginx
from compiler.cli.failures import UsageError

if TYPE_CHECKING:
    from contextlib import ExitStack

NAMES = 10_000
ASKED = "localhost"
"""The name that is asked for under load: wrk sends the host of its URL."""

CONF = """\
proxy_listen = 127.0.0.1:{port} ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
nginx_worker_processes = 1
proxy_access_log = off
ssl_session_tickets = off
nginx_proxy_ssl_session_cache = off
ssl_cert = {folder}/default.pem
ssl_cert_key = {folder}/default.key
"""


class Handshakes:
    """The two gateways; they are made and started when a measurement first asks for them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder / "handshakes"
        self._stack = stack

    @cached_property
    def megabytes(self) -> float:
        """Memory of a worker once every name was asked for."""
        process, port = self._many
        client = SSLContext(PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, CERT_NONE
        for number in range(NAMES):
            _shake_hands(client, port, _name(number))
        return _worker_megabytes(process)

    @cached_property
    def ratio(self) -> Ratio:
        """Handshakes beside those with the one certificate."""
        need_wrk()
        mine: list[Round] = []
        theirs: list[Round] = []
        for number in range(ROUNDS):
            turns = [(self._many, mine), (self._one, theirs)]
            for gateway, rounds in turns[:: -1 if number % 2 else 1]:
                rounds.append(_load(*gateway))
        return ratio("many", mine, "one", theirs)

    @cached_property
    def _many(self) -> tuple[int, int]:
        issuer = make("public.ca", None)
        names = [ASKED, *map(_name, range(NAMES - 1))]
        return self._serve("many", [_certificate(name, pem(make(name, issuer))) for name in names])

    @cached_property
    def _one(self) -> tuple[int, int]:
        return self._serve("one", [])

    @cached_property
    def _binary(self) -> str:
        try:
            find_lua_module(None, version_given=False)
            return find_nginx(None, "openresty")
        except UsageError as error:
            raise CannotRunError(str(error)) from error

    def _serve(self, name: str, certificates: list[dict[str, Any]]) -> tuple[int, int]:
        """Compile and start a gateway; return its process and port."""
        binary = self._binary
        folder = self._folder / name
        folder.mkdir(parents=True)
        (port,) = free_ports(1)
        cert, key = pem(make("default.test", make("public.ca", None)))
        (folder / "default.pem").write_text(cert)
        (folder / "default.key").write_text(key)
        (folder / "kong.conf").write_text(CONF.format(port=port, folder=folder))
        entities = {"_format_version": "3.0", "certificates": certificates}
        (folder / "kong.json").write_text(json.dumps(entities))
        compile_it: Command = [
            Path(sys.executable).parent / "kcompile", "render", "--no-env", "-o", folder / "out",
            "-c", folder / "kong.conf", "-e", folder / "kong.json", "--target", "openresty",
        ]  # fmt: skip
        run(compile_it, cwd=folder)
        command: Command = [
            binary, "-p", f"{folder / 'out'}/", "-c", "nginx.conf", "-g", "daemon off;",
        ]  # fmt: skip
        process = self._stack.enter_context(serving(command, port, cwd=folder))
        return process, port


def _name(number: int) -> str:
    return f"name-{number:05}.example.com"


def _certificate(name: str, pair: tuple[str, str]) -> dict[str, Any]:
    return {"cert": pair[0], "key": pair[1], "snis": [{"name": name}]}


def _shake_hands(client: SSLContext, port: int, name: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        client.wrap_socket(plain, server_hostname=name),
    ):
        pass


def _load(process: int, port: int) -> Round:
    """Shake hands for a while, a request with each."""
    options = ("-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-H", "Connection: close")
    command: Command = ["wrk", *options, f"https://{ASKED}:{port}/"]
    before = cpu_seconds(process)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=partial(pin, OTHERS),
    )
    spent = cpu_seconds(process) - before
    told = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    if told is None or int(told[1]) == 0:
        raise CannotRunError(f"wrk says: {(done.stderr or done.stdout).strip()[:200]}")
    count = int(told[1])
    return Round(count / float(told[2]), spent / count * 1e6)


def _worker_megabytes(master: int) -> float:
    """Return the resident memory of a master's only worker."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    pages = [int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children]
    return median(pages) * 4096 / 1e6
