"""What it costs to know who asks: guarded routes beside open ones of the same gateway.

A certificate of the connection is checked on stock nginx: wrk has none, so an nginx in front of
the gateway shows it, over connections that it keeps. A certificate in a header is checked with Lua.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding
from generate import make, pem
from load import CONNECTIONS, ROUNDS, Load, Ratio, Round, compare, need_wrk, ratio
from measure import CannotRunError, Command, run
from routes import CERTIFIED, SENT, Request
from servers import GATEWAY, OTHERS, free_ports, serving, upstream

from compiler.cli.engine import find_lua_module, find_nginx
from compiler.cli.failures import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import ExitStack

AUTHORITY = "6f0dba9c-9d17-4f53-8d3a-6d2b4fd6c002"
GUARDED, OPEN = "guarded.test", "open.test"

CONF = """\
proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
nginx_worker_processes = 1
proxy_access_log = off
trusted_ips = 127.0.0.1
nginx_proxy_large_client_header_buffers = 8 24k
ssl_cert = {folder}/cert.pem
ssl_cert_key = {folder}/key.pem
"""
FRONT = """\
worker_processes 1;
pid front.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
{servers}
}}
"""
FRONT_SERVER = """\
    upstream {host} {{ server 127.0.0.1:{secure}; keepalive {idle}; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass https://{host};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host {host};
            proxy_ssl_server_name on;
            proxy_ssl_name {host};
            proxy_ssl_certificate {folder}/client.pem;
            proxy_ssl_certificate_key {folder}/client.key;
        }}
    }}
"""


class _Gateway(NamedTuple):
    process: int
    plain: int
    secure: int


class Clients:
    """The measurements; gateways are made and started when one first asks for them."""

    def __init__(self, folder: Path, nginx: str, stack: ExitStack) -> None:
        self._folder = folder / "clients"
        self._folder.mkdir()
        self._nginx = nginx
        self._stack = stack
        self._authority = make("clients.ca", None)
        self._client = make("client.test", self._authority)

    @cached_property
    def by_header(self) -> Ratio:
        """A route that finds a certificate in a header, beside one that does not look."""
        need_wrk()
        gateway = self._serve("header-cert-auth", "openresty", self._lua)
        shown = b64encode(self._client[0].public_bytes(Encoding.DER)).decode()
        loads = [
            Load(host, gateway.process, gateway.plain, (Request(SENT, host, shown),))
            for host in (GUARDED, OPEN)
        ]
        return compare(*loads, folder=self._folder)[0]

    @cached_property
    def by_handshake(self) -> Ratio:
        """A route that asks what the handshake verified, beside one that does not."""
        need_wrk()
        gateway = self._serve("mtls-auth", "nginx", self._nginx)
        fronts = dict(zip((GUARDED, OPEN), free_ports(2), strict=True))
        self._front(gateway.secure, fronts)
        # The front's time is not the gateway's: what counts is what the gateway spends.
        loads = [
            Load(host, gateway.process, port, (Request(SENT, host, ""),))
            for host, port in fronts.items()
        ]
        for load in loads:
            load.check()
        found: list[list[Round]] = [[], []]
        for number in range(ROUNDS):
            turns = list(zip(loads, found, strict=True))
            for load, rounds in turns[:: -1 if number % 2 else 1]:
                rounds.append(load.run(self._folder))
        return ratio(GUARDED, found[0], OPEN, found[1])

    @cached_property
    def _lua(self) -> str:
        try:
            find_lua_module(None, version_given=False)
            return find_nginx(None, "openresty")
        except UsageError as error:
            raise CannotRunError(str(error)) from error

    @cached_property
    def _upstream(self) -> int:
        return upstream(self._nginx, self._folder / "upstream", self._stack)

    def _serve(self, plugin: str, target: str, binary: str) -> _Gateway:
        """Compile and start a gateway of which one host is guarded."""
        folder = self._folder / plugin
        folder.mkdir()
        plain, secure = free_ports(2)
        for name, text in zip(("cert.pem", "key.pem"), pem(make(CERTIFIED, None)), strict=True):
            (folder / name).write_text(text)
        (folder / "kong.conf").write_text(CONF.format(plain=plain, secure=secure, folder=folder))
        (folder / "kong.json").write_text(json.dumps(self._entities(plugin)))
        compile_it: Command = [
            Path(sys.executable).parent / "kcompile", "render", "--no-env", "-o", folder / "out",
            "-c", folder / "kong.conf", "-e", folder / "kong.json", "--target", target,
        ]  # fmt: skip
        run(compile_it, cwd=folder)
        return _Gateway(self._start(binary, folder / "out", folder, plain), plain, secure)

    def _entities(self, plugin: str) -> dict[str, Any]:
        config = {
            "ca_certificates": [AUTHORITY],
            "skip_consumer_lookup": True,
            "revocation_check_mode": "SKIP",
        }
        if plugin == "header-cert-auth":
            # The header in which the load has something to say.
            config |= {
                "certificate_header_name": "X-Tenant",
                "certificate_header_format": "base64_encoded",
            }
        routes = [
            {"name": GUARDED, "hosts": [GUARDED], "plugins": [{"name": plugin, "config": config}]},
            {"name": OPEN, "hosts": [OPEN]},
        ]
        service = {"name": "s", "url": f"http://127.0.0.1:{self._upstream}", "routes": routes}
        authority = self._authority[0].public_bytes(Encoding.PEM).decode()
        return {
            "_format_version": "3.0",
            "services": [service],
            "ca_certificates": [{"id": AUTHORITY, "cert": authority}],
        }

    def _front(self, secure: int, ports: dict[str, int]) -> None:
        """Start the nginx that shows a client's certificate."""
        site = self._folder / "front"
        site.mkdir()
        for name, text in zip(("client.pem", "client.key"), pem(self._client), strict=True):
            (site / name).write_text(text)
        servers = "".join(
            FRONT_SERVER.format(
                host=host, secure=secure, port=port, folder=site, idle=2 * CONNECTIONS
            )
            for host, port in ports.items()
        )
        (site / "nginx.conf").write_text(FRONT.format(servers=servers))
        self._start(self._nginx, site, site, next(iter(ports.values())), OTHERS)

    def _start(
        self, binary: str, prefix: Path, site: Path, port: int, cores: Collection[int] = GATEWAY
    ) -> int:
        command: Command = [
            binary, "-p", f"{prefix}/", "-c", "nginx.conf", "-g", "daemon off;",
        ]  # fmt: skip
        return self._stack.enter_context(serving(command, port, cwd=site, cores=cores))
