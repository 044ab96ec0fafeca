"""gRPC over HTTP/2, in plain text and over TLS, to upstreams that speak it as well."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import client, dns, http2, pki, ports
from support.gateway import gateway
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway
    from support.http2 import Answer, GrpcUpstream
    from support.upstreams import Upstream

CA = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT = "cccccccc-0000-4000-8000-000000000001"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
MESSAGE = b"\0\0\0\0\5hello"
ROOT, WRONG_ROOT = pki.ca("Root"), pki.ca("Wrong Root")
OWN = pki.leaf(ROOT, "ok.test")
OURS = pki.leaf(ROOT, "gateway", client=True)
GATEWAY = pki.self_signed("gateway.test")
EDITION = "kong/3.15.0.1-enterprise-edition"


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    plain: int
    secure: int
    http1: int
    grpc: GrpcUpstream
    grpcs: GrpcUpstream
    http: Upstream

    def call(self, path: str, *, tls: bool = False, **options: Any) -> Answer:
        options = {"headers": GRPC, "body": MESSAGE, **options}
        port = self.secure if tls else self.plain
        return http2.request(port, options.pop("host", "a.test"), path, tls=tls, **options)


def service(name: str, protocol: str, port: int, *routes: Any, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "protocol": protocol,
        "host": "127.0.0.1",
        "port": port,
        "routes": list(routes),
        **fields,
    }


def grpc_route(path: str, *protocols: str, **fields: Any) -> dict[str, Any]:
    return {"name": path.strip("/").replace("/", "-"), "paths": [path],
            "protocols": list(protocols or ("grpc", "grpcs")), **fields}  # fmt: skip


def http_route(path: str, **fields: Any) -> dict[str, Any]:
    return {"name": path.strip("/"), "paths": [path], **fields}


def tls_services(port: int) -> list[dict[str, Any]]:
    upstreams = {"verified": {"tls_verify": True, "ca_certificates": [CA]},
                 "unverified": {"tls_verify": False},
                 "wrong": {"tls_verify": True, "ca_certificates": [CA]},
                 "client": {"client_certificate": CLIENT, "tls_verify": False}}  # fmt: skip
    return [
        service(name, "grpcs", port, grpc_route(f"/{name}"), **{**fields, "host": f"{name}.up"})
        for name, fields in upstreams.items()
    ]


def entities(grpc: int, grpcs: int, http: int) -> dict[str, Any]:
    with ports.reserve() as (closed,):
        pass
    return {
        "_format_version": "3.0",
        "services": [
            service("grpc", "grpc", grpc, grpc_route("/hello.Greeter"),
                    grpc_route("/secure", "grpcs"), http_route("/stripped"),
                    grpc_route("/kept", preserve_host=True)),
            service("dead", "grpc", closed, grpc_route("/dead"), retries=0),
            service("http", "http", http, grpc_route("/to-http")),
            {**service("empty", "grpc", 80, grpc_route("/empty")), "host": "empty.up"},
            *tls_services(grpcs),
        ],
        "upstreams": [
            {"name": f"{name}.up", "host_header": "no.test" if name == "wrong" else "ok.test",
             "targets": [{"target": f"127.0.0.1:{grpcs}"}]}
            for name in ("verified", "unverified", "wrong", "client")
        ] + [{"name": "empty.up"}],
        "routes": [grpc_route("/alone")],
        "ca_certificates": [{"id": CA, "cert": ROOT.cert_pem}],
        "certificates": [{"id": CLIENT, "cert": OURS.chain_pem, "key": OURS.key_pem}],
    }  # fmt: skip


def files(conf: str, listen: tuple[int, int, int], entities: dict[str, Any]) -> dict[str, Any]:
    plain, secure, http1 = listen
    return {
        "kong.conf": (
            f"proxy_listen = 127.0.0.1:{plain} http2, 127.0.0.1:{secure} http2 ssl, "
            f"127.0.0.1:{http1}\nssl_cert = a.pem\nssl_cert_key = a.key\n{conf}"
        ),
        "a.pem": GATEWAY.cert_pem,
        "a.key": GATEWAY.key_pem,
        "root.pem": ROOT.cert_pem,
        "wrong.pem": WRONG_ROOT.cert_pem,
        "kong.yml": entities,
    }


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    with ExitStack() as stack:
        grpc = stack.enter_context(http2.grpc_upstream())
        grpcs = stack.enter_context(http2.grpc_upstream(identity(OWN), client_ca=ROOT.cert_pem))
        http = stack.enter_context(upstream())
        free = stack.enter_context(ports.reserve(3))
        given = files(
            "tls_certificate_verify = off\n",
            (free[0], free[1], free[2]),
            entities(grpc.port, grpcs.port, http.port),
        )
        running = stack.enter_context(
            gateway(engine, folder, given, http_port=free[0], https_port=free[1])
        )
        yield Served(running, *free, grpc, grpcs, http)


@pytest.mark.parametrize("tls", [False, True])
def test_calls_reach_the_upstream_and_trailers_come_back(served: Served, *, tls: bool) -> None:
    answer = served.call("/hello.Greeter/Say?x=1", tls=tls)
    assert (answer.status, answer.body) == (200, MESSAGE)
    assert dict(answer.trailers) == {"grpc-status": "0", "grpc-message": "fine"}
    assert answer.header("content-type") == "application/grpc"
    assert answer.header("via") == f"2 behind, 2 {EDITION}"
    assert answer.header("x-kong-upstream-latency") is not None
    assert answer.header("grpc-status") is None
    headers, message = served.grpc.calls[-1]
    got = dict(headers)
    assert message == MESSAGE
    assert got[":path"] == "/hello.Greeter/Say?x=1"
    assert got["host"] == f"127.0.0.1:{served.grpc.port}"
    assert got["te"] == "trailers"
    assert got["via"] == f"2 {EDITION}"
    assert got["x-forwarded-proto"] == ("https" if tls else "http")
    assert got["x-forwarded-host"] == "a.test"
    assert got["x-forwarded-path"] == "/hello.Greeter/Say"
    assert got["x-real-ip"] == got["x-forwarded-for"] == "127.0.0.1"
    assert "x-kong-request-id" in got


def test_the_name_that_upstreams_are_called_by(served: Served) -> None:
    assert served.call("/kept/x", host="named.test").status == 200
    assert dict(served.grpc.calls[-1][0])["host"] == "named.test"


def test_paths_are_never_stripped(served: Served) -> None:
    assert served.call("/stripped/pkg.S/M").status == 200
    got = dict(served.grpc.calls[-1][0])
    assert got[":path"] == "/stripped/pkg.S/M"
    assert got["x-forwarded-prefix"] == "/stripped"
    assert served.call("/stripped/a%2Fb", headers=[]).status == 400


def test_other_content_is_refused(served: Served) -> None:
    for headers in ([], [("content-type", "application/json")]):
        answer = served.call("/hello.Greeter/Say", headers=headers)
        assert answer.status == 415
        assert b'"message":"Non-gRPC request matched gRPC route"' in answer.body
        assert answer.header("grpc-status") is None


def test_http_1_is_told_to_use_http_2(served: Served) -> None:
    headers = {"Content-Type": "application/grpc+proto"}
    answer = client.https_request(
        served.http1, "a.test", "/hello.Greeter/Say", tls=False, headers=headers, method="POST"
    )
    assert answer.status == 426
    assert answer.json()["message"] == "Please use HTTP2 protocol"
    assert answer.values("upgrade") == ["HTTP/2"]
    assert "Upgrade" in answer.values("connection")


def test_plain_text_for_routes_that_want_tls(served: Served) -> None:
    answer = served.call("/secure/x")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-type") == "application/grpc"
    assert answer.header("grpc-status") == "1"
    assert answer.header("grpc-message") == "gRPC request matched gRPCs route"
    assert served.call("/secure/x", tls=True).body == MESSAGE


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/none", 404, "5", "NotFound"),
        ("/alone", 503, "14", "Unavailable"),
        ("/empty", 503, "14", "Unavailable"),
        ("/dead", 502, "13", "An invalid response was received from the upstream server"),
    ],
)
def test_errors_are_told_in_headers(
    served: Served, path: str, status: int, code: str, message: str
) -> None:
    answer = served.call(path)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("content-type") == "application/grpc"
    assert answer.header("grpc-status") == code
    assert answer.header("grpc-message") == message
    assert answer.header("upgrade") is answer.header("connection") is None


def test_grpc_routes_to_services_of_http(served: Served) -> None:
    answer = served.call("/to-http/pkg.S/M")
    assert answer.status == 200
    assert served.http.last["version"] == "HTTP/1.1"
    assert served.http.last["target"] == "/to-http/pkg.S/M"
    assert answer.header("via") == f"1.1 {EDITION}"


def test_upstreams_over_tls_are_verified_as_their_service_says(served: Served) -> None:
    for _ in range(2):
        assert served.call("/verified/x").body == MESSAGE
        assert served.call("/unverified/x").body == MESSAGE
        refused = served.call("/wrong/x")
        assert (refused.status, refused.header("grpc-status")) == (502, "13")
    assert dict(served.grpcs.calls[-1][0])["host"] == "ok.test"


def test_client_certificates_are_those_of_the_service(served: Served) -> None:
    before = len(served.grpcs.client_certificates)
    assert served.call("/client/x").body == MESSAGE
    assert OURS.der in served.grpcs.client_certificates[before:]
    assert None in served.grpcs.client_certificates


@pytest.mark.parametrize(
    ("conf", "status"),
    [
        ("nginx_proxy_grpc_ssl_verify = on\nnginx_proxy_grpc_ssl_trusted_certificate = {}\n", 200),
        ("nginx_http_grpc_ssl_verify = on\nnginx_http_grpc_ssl_trusted_certificate = {}\n", 200),
        ("lua_ssl_trusted_certificate = {}\ntls_certificate_verify = on\n", 200),
    ],
)
def test_verification_for_all_upstreams(
    engine: Engine, workdir: Path, conf: str, status: int
) -> None:
    off = "" if "tls_certificate_verify" in conf else "tls_certificate_verify = off\n"
    for trusted, expected in (("root.pem", status), ("wrong.pem", 502)):
        with ExitStack() as stack:
            grpcs = stack.enter_context(http2.grpc_upstream(identity(OWN)))
            plain, secure, http1 = stack.enter_context(ports.reserve(3))
            given = {
                "_format_version": "3.0",
                "services": [
                    service("s", "grpcs", grpcs.port, grpc_route("/x"), host="up")
                ],
                "upstreams": [{"name": "up", "host_header": "ok.test",
                               "targets": [{"target": f"127.0.0.1:{grpcs.port}"}]}],
            }  # fmt: skip
            made = files(off + conf.format(trusted), (plain, secure, http1), given)
            stack.enter_context(gateway(engine, workdir, made, http_port=plain, https_port=secure))
            answer = http2.request(plain, "a.test", "/x", headers=GRPC, body=MESSAGE, tls=False)
            assert answer.status == expected, (conf, trusted)


def test_what_is_injected_for_http_upstreams_does_not_reach_those_of_grpc(
    engine: Engine, workdir: Path
) -> None:
    conf = (
        "tls_certificate_verify = off\nnginx_proxy_proxy_ssl_verify = on\n"
        "nginx_proxy_proxy_ssl_trusted_certificate = wrong.pem\n"
    )
    with ExitStack() as stack:
        grpcs = stack.enter_context(http2.grpc_upstream(identity(OWN)))
        plain, secure, http1 = stack.enter_context(ports.reserve(3))
        given = {
            "_format_version": "3.0",
            "services": [service("s", "grpcs", grpcs.port, grpc_route("/x"))],
        }
        made = files(conf, (plain, secure, http1), given)
        stack.enter_context(gateway(engine, workdir, made, http_port=plain, https_port=secure))
        answer = http2.request(plain, "a.test", "/x", headers=GRPC, body=MESSAGE, tls=False)
        assert (answer.status, answer.body) == (200, MESSAGE)


def test_upstreams_with_names(engine: Engine, workdir: Path) -> None:
    """Older nginx looks a single name up for each request, by a variable."""
    with ExitStack() as stack:
        grpcs = stack.enter_context(http2.grpc_upstream(identity(OWN)))
        names = stack.enter_context(dns.name_server({"ok.test": ["127.0.0.1"]}))
        plain, secure, http1 = stack.enter_context(ports.reserve(3))
        fields = {"tls_verify": True, "ca_certificates": [CA], "host": "ok.test"}
        kept = grpc_route("/kept", hosts=["ok.test", "no.test"], preserve_host=True)
        given = {
            "_format_version": "3.0",
            "services": [
                service("s", "grpcs", grpcs.port, grpc_route("/x"), kept, **fields),
            ],
            "ca_certificates": [{"id": CA, "cert": ROOT.cert_pem}],
        }
        made = files(f"dns_resolver = 127.0.0.1:{names.port}\n", (plain, secure, http1), given)
        stack.enter_context(gateway(engine, workdir, made, http_port=plain, https_port=secure))
        for host, path, status in (
            ("a.test", "/x", 200),
            ("ok.test", "/kept", 200),
            ("no.test", "/kept", 502),
        ):
            answer = http2.request(plain, host, path, headers=GRPC, body=MESSAGE, tls=False)
            assert answer.status == status, (host, path)
        assert dict(grpcs.calls[0][0])["host"] == f"ok.test:{grpcs.port}"
