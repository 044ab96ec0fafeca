"""What `explain request` says is what a running gateway does."""

from __future__ import annotations

import json
import os
import random
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from support.gateway import gateway
from support.upstreams import Options, identity, upstream
from typer.testing import CliRunner

from compiler.cli.app import app
from compiler.cli.explaining import load
from compiler.cli.gather import Options as Inputs
from compiler.explain.request import explain_request
from compiler.model.diagnostic import Report
from compiler.router.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

CERT = pki.self_signed("gateway.test")
CONF = """\
allow_debug_header = on
tls_certificate_verify = off
trusted_ips = 127.0.0.1
ssl_cert = a.pem
ssl_cert_key = a.key
"""
FLAVORS = ("traditional_compatible", "traditional", "expressions")


def entities(plain: int, secure: int, *, expressions: bool) -> dict[str, Any]:
    https = {"protocols": ["https"]}
    routes = [
        {"name": "orders", "hosts": ["api.test"], "paths": ["/orders"]},
        {"name": "writing", "hosts": ["api.test"], "paths": ["/orders"], "methods": ["POST"]},
        {"name": "newer", "hosts": ["api.test"], "paths": ["/orders"],
         "headers": {"X-Version": ["2", "3"]}},
        {"name": "kept", "hosts": ["api.test"], "paths": ["/kept"], "strip_path": False},
        {"name": "numbered", "hosts": ["api.test"], "paths": [r"~/items/(\d+)$"]},
        {"name": "encoded", "hosts": ["api.test"], "paths": ["/a%2Fb"]},
        {"name": "wildcard", "hosts": ["*.wild.test"], "preserve_host": True},
        {"name": "upgraded", "hosts": ["upgraded.test"], **https},
        {"name": "moved", "hosts": ["moved.test"], **https, "https_redirect_status_code": 308},
        {"name": "anywhere", "paths": ["/any", "/any/longer"]},
    ]  # fmt: skip
    if not expressions:
        routes.append({"name": "with-port", "hosts": ["ported.test:81"]})
    named = [{"name": "secure", "hosts": ["secure.test"]},
             {"name": "secure-kept", "hosts": ["kept.test"], "preserve_host": True},
             {"name": "named", "hosts": ["api.test"], "paths": ["/named"], "snis": ["x.sni.test"]},
             {"name": "root", "hosts": ["odd.test"], "paths": ["/"]},
             {"name": "admin", "hosts": ["odd.test"], "paths": ["/admin"]}]  # fmt: skip
    if expressions:
        named.append({"name": "expressed", "protocols": ["http", "https"], "priority": 1,
                      "expression": 'http.path ^= "/exp" && http.headers.x_a == "b"'})  # fmt: skip
    return {
        "_format_version": "3.0",
        "services": [
            {"name": "plain", "url": f"http://127.0.0.1:{plain}/base/", "routes": routes},
            {"name": "tls", "url": f"https://localhost:{secure}", "routes": named},
            {"name": "off", "url": "http://127.0.0.1:9", "enabled": False,
             "routes": [{"name": "disabled", "hosts": ["off.test"]}]},
        ],
        "routes": [{"name": "alone", "hosts": ["alone.test"], "protocols": ["http", "https"]}],
    }  # fmt: skip


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    peers: tuple[Upstream, ...]
    folder: Path
    options: tuple[str, ...]

    def explained(self, method: str, url: str, *words: str) -> dict[str, Any]:
        command = ["explain", "request", method, url, *words, *self.options, "--format", "json"]
        with chdir(self.folder):
            result = CliRunner().invoke(app, [*command, "--client-ip", "127.0.0.1"])
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def asked(self, method: str, url: str, headers: dict[str, str], **options: Any) -> Response:
        for peer in self.peers:
            peer.requests.clear()
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        headers = {"Kong-Debug": "1", "Host": host, **headers}
        target = (slash + path or "/").encode("utf-8", "surrogateescape")
        return self.gateway.get(
            host, target, method=method, headers=headers, tls=scheme == "https", **options
        )

    def received(self) -> dict[str, Any] | None:
        return next((peer.last for peer in self.peers if peer.requests), None)


@pytest.fixture(scope="module", params=FLAVORS)
def served(request: pytest.FixtureRequest, engine: Engine, folder: Path) -> Iterator[Served]:
    flavor = request.param
    own = folder / flavor
    own.mkdir(mode=0o755)
    secure = Options(identity=identity(pki.self_signed("localhost")), name="secure")
    with upstream() as plain, upstream(secure) as encrypted:
        document = entities(plain.port, encrypted.port, expressions=flavor == "expressions")
        files: dict[str, Any] = {
            "kong.conf": f"{CONF}router_flavor = {flavor}\n",
            "a.pem": CERT.cert_pem,
            "a.key": CERT.key_pem,
            "kong.yml": document,
        }
        with gateway(engine, own, files) as found:
            options = ("-c", "kong.conf", "-e", "kong.yml", "--no-env")
            yield Served(
                found,
                (plain, encrypted),
                own,
                (*options, *engine.arguments),
            )


REQUESTS: list[tuple[str, str, dict[str, str], str | None]] = [
    ("GET", "http://api.test/orders", {}, None),
    ("GET", "https://api.test/orders/7?x=%2F&y", {}, None),
    ("POST", "http://api.test/orders//7", {}, None),
    ("GET", "http://API.test./orders/../orders/%37", {}, None),
    ("POST", "http://api.test/orders", {"X-Version": "3"}, None),
    ("PUT", "http://api.test/orders", {"x_version": "1"}, None),
    ("GET", "http://api.test/kept/a%20b%2fc/?", {}, None),
    ("GET", "http://api.test/kept//a?", {}, None),
    ("GET", "http://api.test/kept//a?b?", {}, None),
    ("GET", "http://api.test/items/12", {}, None),
    ("GET", "http://api.test/items/12x", {}, None),
    ("GET", "http://api.test/a%2fb/c", {}, None),
    ("GET", "http://api.test/a/b/c", {}, None),
    ("GET", "http://A.wild.test:99/x", {}, None),
    ("GET", "http://upgraded.test/x", {}, None),
    ("GET", "https://upgraded.test/x", {}, None),
    ("GET", "http://upgraded.test/x", {"X-Forwarded-Proto": "https"}, None),
    ("GET", "https://upgraded.test/x", {"X-Forwarded-Proto": "http"}, None),
    ("GET", "http://MOVED.test:8000/x//?y", {}, None),
    ("GET", "http://moved.test/x", {"X-Forwarded-Host": "Outer.test:1"}, None),
    ("GET", "http://other.test/any/longer/x", {}, None),
    ("GET", "http://off.test/", {}, None),
    ("GET", "http://alone.test/", {}, None),
    ("GET", "http://ported.test:81/", {}, None),
    ("GET", "http://ported.test:82/", {}, None),
    ("GET", "http://secure.test/a/b", {}, None),
    ("GET", "http://Kept.test:1234/", {}, None),
    ("GET", "http://api.test/named", {}, None),
    ("GET", "https://api.test/named", {}, None),
    ("GET", "https://api.test/named", {}, "x.sni.test"),
    ("GET", "https://api.test/named", {}, "sni.test"),
    ("GET", "http://other.test/exp", {"X-A": "b"}, None),
    ("GET", "http://other.test/exp", {"X-A": "c"}, None),
    ("GET", "http://other.test/x", {"Host": "secure.test"}, None),
    ("GET", "http://a..test/", {}, None),
    ("GET", "http://api.test/", {"Host": "a/b"}, None),
    ("GET", "http://api.test/", {"Host": "a b"}, None),
    ("GET", "http://api.test/", {"Host": ":80"}, None),
    ("GET", "http://api.test/orders", {"Host": "api.test:"}, None),
    ("GET", "http://api.test/orders", {"Host": "api.test.:80"}, None),
    ("TRACE", "http://api.test/orders", {}, None),
    ("GET", "http://api.test/orders/%zz", {}, None),
    ("GET", "http://api.test/orders%00", {}, None),
    ("GET", "http://api.test/orders/../..", {}, None),
    ("GET", "http://api.test/orders%2F/../x", {}, None),
    ("GET", "http://api.test/orders/%2e%2e/kept", {}, None),
    ("GET", "http://api.test/orders/\udcff", {}, None),
]


def test_what_is_explained_is_what_is_done(served: Served) -> None:
    wrong = []
    for method, url, headers, name in REQUESTS:
        words = [word for key, value in headers.items() for word in ("-H", f"{key}: {value}")]
        said = served.explained(method, url, *words, *(("--sni", name) if name else ()))
        answer = served.asked(method, url, headers, **({"sni": name} if name else {}))
        if told(answer, served.received()) != expected(said):
            wrong.append((method, url, headers, told(answer, served.received()), expected(said)))
    assert not wrong, os.linesep.join(map(str, wrong))


def told(answer: Response, echo: dict[str, Any] | None) -> dict[str, Any]:
    """Say what the gateway answered, and what its upstream received."""
    found = {
        "status": answer.status,
        "route": answer.header("Kong-Route-Name"),
        "service": answer.header("Kong-Service-Name"),
        "location": answer.header("Location"),
    }
    if echo is None:
        return found
    sni = (echo["tls"] or {}).get("sni")
    host = dict(echo["headers"])["Host"]
    return {**found, "uri": echo["target"], "host": host, "tls": echo["tls"] is not None,
            "sni": sni and sni.lower()}  # fmt: skip


def expected(said: dict[str, Any]) -> dict[str, Any]:
    """Say the same of what was explained."""
    found = {"status": said["status"], "location": said["location"]}
    found |= {key: said[key] and said[key]["name"] for key in ("route", "service")}
    upstream = said["upstream"]
    if upstream is None:
        return found
    tls = upstream["tls"]
    sni = tls["name"] if tls is not None and tls["server_name"] else None
    return {**found, "uri": upstream["uri"], "host": upstream["host_header"],
            "tls": tls is not None, "sni": sni}  # fmt: skip


TOKENS = (
    "/", "/", "/", "//", "/.", "/..", "a", "admin", "%2F", "%2f", "%61", "%2e", "%2d", "%5F", "%7e",
    "%25", "%3f", "?", "?a=%2F", "%20", "%00", ".", "..", "%C3%A9", "é", "%FF", "%zz", "%", "&",
    ";", "%2f%3a%40%5b%2c%2b", "x//y", "#", "%23",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_paths_that_nginx_refuses_are_known(served: Served, engine: Engine, seed: int) -> None:
    with chdir(served.folder):
        options = Inputs(
            conf=Path("kong.conf"),
            entities=("kong.yml",),
            no_env=True,
            **engine.options,
        )
        loaded = load(options, Report())
    assert loaded.config is not None
    assert loaded.plan is not None
    draw = random.Random(seed)
    wrong = []
    for _ in range(250):
        target = "/" + "".join(draw.choices(TOKENS, k=draw.randint(1, 6)))
        asked = Request(scheme="http", host="odd.test", target=target)
        said = explain_request(asked, loaded.config, loaded.plan, loaded.inputs, Report())
        answer = served.asked("GET", f"http://odd.test{target}", {})
        route = said.route and said.route.name
        found = (answer.status, answer.header("Kong-Route-Name"))
        if found != (said.status, route):
            wrong.append((target, found, said.status, route))
    assert not wrong, os.linesep.join(map(str, wrong))
