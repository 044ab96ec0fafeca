"""Compile the quickstart, serve it with nginx, and show with real requests what came out.

`make demo` runs this. Everything happens on 127.0.0.1 and in a temporary folder; nothing is left.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import make_certs
from cryptography import x509

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

HERE = Path(__file__).resolve().parent
KCOMPILE = (sys.executable, "-m", "compiler")
START_SECONDS = 20.0
UPSTREAMS = {"shop.internal": "127.0.0.1:9443", "pay.internal": "127.0.0.1:9444"}
"""The upstreams by the name they are verified by, with the addresses in kong.yml."""


class DemoError(Exception):
    """The demo could not be shown; the text says why."""


class Answer(NamedTuple):
    """What a client saw."""

    status: int
    text: str
    certificate: str


class Row(NamedTuple):
    """A line of the table: what was done, what has to come of it, and what came."""

    what: str
    wanted: str
    seen: str


class Upstream(ThreadingHTTPServer):
    """A TLS upstream on a free port, which counts the requests that reach it."""

    daemon_threads = True

    def __init__(self, name: str, certs: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.requests = 0
        self.sni: str | None = None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certs / f"{name}.crt", certs / f"{name}.key")
        context.sni_callback = self._remember
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def _remember(self, _socket: object, server_name: str | None, _context: object) -> None:
        self.sni = server_name

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that nginx hangs up on an upstream it does not trust is the point."""


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        """Say which upstream this is and what was asked of it."""
        self._answer()

    def do_POST(self) -> None:
        """Do the same."""
        self._answer()

    def _answer(self) -> None:
        self.server.requests += 1
        body = f"{self.server.name} got {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Keep the table alone on the terminal."""


def main() -> int:
    """Run the demo; 0 when everything came out as it has to."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    folder = Path(tempfile.mkdtemp(prefix="kcompile-demo-"))
    # Started as root, nginx's workers are somebody else; the keys keep their own modes.
    folder.chmod(0o755)
    try:
        rows = show(folder)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return print_table(rows)


def show(folder: Path) -> list[Row]:
    """Set everything up in *folder* and return what was seen."""
    make_certs.make_all(folder)
    with upstreams(folder / "certs") as (shop, pay):
        plain, secure = free_port(), free_port()
        environment = folder / "kong.env"
        environment.write_text(
            f"KONG_PROXY_LISTEN=127.0.0.1:{plain}, 127.0.0.1:{secure} http2 ssl\n"
        )
        entities = (HERE / "kong.yml").read_text()
        for upstream in (shop, pay):
            here = f"127.0.0.1:{upstream.server_port}"
            entities = entities.replace(UPSTREAMS[upstream.name], here)
        (folder / "kong.yml").write_text(entities)
        with gateway(folder, environment, secure):
            client = Client(folder / "certs" / "public-ca.crt", plain, secure)
            return [*front(client), *back(client, shop, pay), why_refused(folder)]


def front(client: Client) -> list[Row]:
    """Show what clients see of TLS and routing."""
    rows = []
    for name in ("shop.example.com", "pay.example.com"):
        seen = client.https(name, "/nothing", verified=True).certificate
        rows.append(Row(f"TLS with SNI {name}: which certificate", f"CN={name}", seen))
    unknown = client.https("other.example.com", "/", verified=False)
    rows.append(Row("TLS with a name nobody has: the default", "CN=localhost", unknown.certificate))
    rows.append(Row("GET https://other.example.com/ has no route", "404", str(unknown.status)))
    plain = client.http("shop.example.com", "/")
    rows.append(Row("GET http://shop.example.com/ wants HTTPS", "426", str(plain.status)))
    return rows


def back(client: Client, shop: Upstream, pay: Upstream) -> list[Row]:
    """Show what becomes of requests to the two upstreams."""
    good = client.https("shop.example.com", "/cart?id=7", verified=True)
    ordered = client.https("shop.example.com", "/cart?id=7", verified=True, method="POST")
    healthy = client.https("other.example.com", "/health", verified=False)
    bad = client.https("pay.example.com", "/v1/charge", verified=True)
    return [
        Row("GET https://shop.example.com/cart?id=7", "200", str(good.status)),
        Row("  answered by", "shop.internal got /cart?id=7", good.text),
        Row("  SNI that the upstream saw", "shop.internal", str(shop.sni)),
        Row(
            "POST https://shop.example.com/cart?id=7",
            "shop.internal got /orders?id=7",
            ordered.text,
        ),
        Row("GET https://other.example.com/health", "shop.internal got /health", healthy.text),
        Row("GET https://pay.example.com/v1/charge", "502", str(bad.status)),
        Row("  requests that reached that upstream", "0", str(pay.requests)),
    ]


def why_refused(folder: Path) -> Row:
    """Return nginx's own words on the upstream that it refused."""
    said = (folder / "out" / "logs" / "error.log").read_text()
    reason = "upstream SSL certificate verify error"
    return Row("  nginx's reason", reason, reason if reason in said else "another one")


class Client:
    """Makes requests to the gateway on 127.0.0.1, whatever the name is."""

    def __init__(self, ca: Path, plain: int, secure: int) -> None:
        self._ca = ca
        self._plain = plain
        self._secure = secure

    def https(self, name: str, path: str, *, verified: bool, method: str = "GET") -> Answer:
        """Make a request over TLS; the certificate is checked if *verified*."""
        context = ssl.create_default_context(cafile=str(self._ca))
        if not verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self._secure), timeout=10)
        with plain, context.wrap_socket(plain, server_hostname=name) as secured:
            der = secured.getpeercert(binary_form=True) or b""
            subject = x509.load_der_x509_certificate(der).subject.rfc4514_string()
            return _ask(secured, name, path, subject, method)

    def http(self, name: str, path: str) -> Answer:
        """Make a request without TLS."""
        with socket.create_connection(("127.0.0.1", self._plain), timeout=10) as plain:
            return _ask(plain, name, path, "", "GET")


def _ask(connected: socket.socket, name: str, path: str, certificate: str, method: str) -> Answer:
    connection = http.client.HTTPConnection(name)
    connection.sock = connected
    connection.request(method, path)
    response = connection.getresponse()
    return Answer(response.status, response.read().decode(), certificate)


@contextlib.contextmanager
def upstreams(certs: Path) -> Iterator[tuple[Upstream, Upstream]]:
    """Run both upstreams within the block."""
    with contextlib.ExitStack() as stack:
        running = []
        for name in UPSTREAMS:
            upstream = stack.enter_context(Upstream(name, certs))
            threading.Thread(target=upstream.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(upstream.shutdown)
            running.append(upstream)
        yield running[0], running[1]


@contextlib.contextmanager
def gateway(folder: Path, environment: Path, port: int) -> Iterator[None]:
    """Compile the quickstart and run nginx on the result within the block."""
    command = [
        *KCOMPILE, "run", "-o", "out", "-c", str(HERE / "kong.conf"), "--env-file",
        environment.name, "-e", "kong.yml", "-e", "certificates.yml",
    ]  # fmt: skip
    log = folder / "kcompile.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, start_new_session=True
        )
        try:
            _await(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise DemoError(f"the gateway did not start:\n{log.read_text()}")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def print_table(rows: list[Row]) -> int:
    """Print what was seen beside what had to be; return the exit code."""
    first, second = (max(len(row[column]) for row in rows) for column in (0, 2))
    print("examples/quickstart, compiled by kcompile and served by nginx, asked over real TLS:\n")
    failed = 0
    for row in rows:
        good = row.seen == row.wanted
        failed += not good
        verdict = "ok" if good else f"WRONG, wanted {row.wanted}"
        print(f"{row.what:<{first}}  {row.seen:<{second}}  {verdict}")
    print(f"\n{failed} of {len(rows)} are wrong" if failed else "\neverything is as it has to be")
    return 1 if failed else 0


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
