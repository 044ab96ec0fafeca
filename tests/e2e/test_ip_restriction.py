"""From where requests may come (ip-restriction), and how those from elsewhere are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import http2, ports
from support.gateway import gateway
from support.upstreams import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

HOSTILE = "a \"b\" 'c' $uri ${uri} ; } \\ # é 50%\n\treturn 200;"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


@dataclass(frozen=True)
class Guarded:
    gateway: Gateway
    peer: Upstream
    http2_port: int = 0

    def ask(self, host: str, address: str, **options: Any) -> Response:
        """Ask as a client with that address."""
        headers = {"X-Forwarded-For": address, **options.pop("headers", {})}
        return self.gateway.get(host, tls=False, headers=headers, **options)


def restricted(**config: Any) -> list[dict[str, Any]]:
    return [{"name": "ip-restriction", "config": config}]


ROUTES = {
    "allow.test": restricted(allow=["10.1.2.3", "192.0.2.9/24", "2001:db8::/32"]),
    "deny.test": restricted(deny=["10.1.2.3", "192.0.2.0/24", "2001:db8::/32"]),
    "both.test": restricted(allow=["10.0.0.0/8", "2001:db8::/32"],
                            deny=["10.1.0.0/16", "2001:db8:1::/48"]),
    "inside.test": restricted(allow=["10.1.2.3", "10.9.0.0/16"], deny=["10.1.0.0/16"]),
    "mapped.test": restricted(deny=["::ffff:10.1.0.0/112"]),
    "teapot.test": restricted(deny=["10.0.0.0/8"], status=418, message="tea only"),
    "hostile.test": restricted(deny=["10.0.0.0/8"], message=HOSTILE),
    "same.test": restricted(deny=["192.0.2.0/24", "10.1.2.3", "2001:db8::/32"], status=429),
    "off.test": [{**restricted(deny=["10.0.0.0/8"])[0], "enabled": False}],
}  # fmt: skip


def entities(port: int) -> dict[str, Any]:
    routes = [{"name": h, "hosts": [h], "plugins": p} for h, p in ROUTES.items()]
    grpc = {"name": "grpc", "hosts": ["grpc.test"], "protocols": ["grpc"]}
    alone = {"name": "alone", "hosts": ["alone.test"]}
    return {
        "_format_version": "3.0",
        "services": [
            {"name": "things", "url": f"http://127.0.0.1:{port}", "routes": routes},
            {"name": "calls", "url": f"grpc://127.0.0.1:{port}",
             "routes": [{**grpc, "plugins": restricted(deny=["10.0.0.0/8"], message=HOSTILE)}]},
        ],
        "routes": [{**alone, "plugins": restricted(allow=["10.0.0.0/8"])}],
    }  # fmt: skip


CONF = "trusted_ips = 127.0.0.1\nreal_ip_header = X-Forwarded-For\n"


@pytest.fixture(scope="module")
def guarded(engine: Engine, folder: Path) -> Iterator[Guarded]:
    with upstream() as peer, ports.reserve(3) as (plain, calls, secure):
        # Older versions of nginx speak one of the two on a port without TLS.
        addresses = f"127.0.0.1:{plain}, 127.0.0.1:{calls} http2, 127.0.0.1:{secure} ssl"
        listen = f"proxy_listen = {addresses}\n"
        files = {"kong.yml": entities(peer.port), "kong.conf": CONF + listen}
        with gateway(engine, folder, files, http_port=plain, https_port=secure) as running:
            yield Guarded(running, peer, calls)


@pytest.mark.parametrize(
    ("host", "let_in", "refused"),
    [
        ("allow.test", ["10.1.2.3", "192.0.2.200", "2001:db8:9::1", "::ffff:10.1.2.3"],
         ["10.1.2.4", "192.0.3.1", "127.0.0.1", "2001:db9::1", "::1"]),
        ("deny.test", ["10.1.2.4", "127.0.0.1", "2001:db9::1"],
         ["10.1.2.3", "192.0.2.200", "2001:db8:9::1", "::ffff:10.1.2.3"]),
        ("both.test", ["10.2.0.1", "2001:db8:2::1"],
         ["10.1.0.1", "2001:db8:1::1", "11.0.0.1", "::1"]),
        ("inside.test", ["10.9.0.1"], ["10.1.2.3", "10.1.0.1", "10.2.0.1"]),
        ("mapped.test", ["10.2.0.1", "::1"], ["10.1.0.1", "::ffff:10.1.0.1"]),
        ("off.test", ["10.0.0.1"], []),
    ],
)  # fmt: skip
def test_addresses(guarded: Guarded, host: str, let_in: list[str], refused: list[str]) -> None:
    for address in let_in:
        assert guarded.ask(host, address).status == 200, address
    before = len(guarded.peer.requests)
    for address in refused:
        assert guarded.ask(host, address).status == 403, address
    assert len(guarded.peer.requests) == before


def test_the_refusal_names_the_address(guarded: Guarded) -> None:
    for address in ("10.1.2.4", "2001:db9::1"):
        answer = guarded.ask("allow.test", address)
        assert answer.json()["message"] == f"IP address not allowed: {address}"
        assert answer.header("content-type") == "application/json; charset=utf-8"


def test_a_route_without_a_service_refuses_first(guarded: Guarded) -> None:
    assert guarded.ask("alone.test", "10.0.0.1").status == 503
    assert guarded.ask("alone.test", "11.0.0.1").status == 403


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("text/html", "text/html; charset=utf-8", "<p>tea only.</p>"),
        ("text/plain", "text/plain; charset=utf-8", "tea only\n"),
        ("application/xml", "application/xml; charset=utf-8", "<message>tea only</message>"),
        ("application/json", "application/json; charset=utf-8", '"message":"tea only"'),
    ],
)
def test_status_and_message_in_the_format_that_is_accepted(
    guarded: Guarded, accept: str, content_type: str, body: str
) -> None:
    answer = guarded.ask("teapot.test", "10.0.0.1", headers={"Accept": accept})
    assert answer.status == 418
    assert answer.header("content-type") == content_type
    assert body in answer.text


def test_a_message_is_text(guarded: Guarded) -> None:
    answer = guarded.ask("hostile.test", "10.0.0.1", headers={"Accept": "text/plain"})
    assert answer.status == 403
    assert answer.text.startswith(f"{HOSTILE}\nrequest_id: ")


def test_routes_that_ask_for_the_same_share_a_table(guarded: Guarded) -> None:
    assert guarded.ask("same.test", "10.1.2.3").status == 429
    tables = (guarded.gateway.tree / "conf" / "clients.conf").read_text()
    assert tables.count("geo ") == 7


def test_clients_of_grpc_are_told_in_headers(guarded: Guarded) -> None:
    def call(address: str, host: str = "grpc.test") -> http2.Answer:
        headers = [*GRPC, ("x-forwarded-for", address)]
        return http2.request(
            guarded.http2_port, host, "/a.B/C", headers=headers, body=b"", tls=False
        )

    answer = call("10.0.0.1")
    told = dict(answer.headers)
    assert (answer.status, told["grpc-status"]) == (403, "7")
    assert told["grpc-message"].startswith("a \"b\" 'c' $uri ${uri} ; } \\ # %C3%A9 50%25%0A%09")
    # A message that would end its header is left out where nobody expects calls of gRPC.
    told = dict(call("10.0.0.1", "hostile.test").headers)
    assert told["grpc-status"] == "7"
    assert "grpc-message" not in told
    assert dict(call("10.0.0.1", "teapot.test").headers)["grpc-message"] == "tea only"


def test_a_peer_that_is_not_trusted_has_its_own_address(engine: Engine, folder: Path) -> None:
    with upstream() as peer:
        (folder / "untrusted").mkdir()
        files = {"kong.yml": entities(peer.port), "kong.conf": ""}
        with gateway(engine, folder / "untrusted", files) as running:
            guarded = Guarded(running, peer)
            assert guarded.ask("allow.test", "10.1.2.3").status == 403
            assert guarded.ask("deny.test", "10.1.2.3").status == 200


def test_the_plugin_closest_to_the_route_decides(engine: Engine, folder: Path) -> None:
    def denying(address: str) -> list[dict[str, Any]]:
        return restricted(deny=[address], status=430 + int(address[-1]))

    with upstream() as peer:
        url = f"http://127.0.0.1:{peer.port}"
        both = {"name": "both", "hosts": ["both.test"]}
        files = {
            "kong.conf": CONF,
            "kong.yml": {
                "_format_version": "3.0",
                "services": [
                    {"name": "one", "url": url, "plugins": denying("10.0.0.2"), "routes": [
                        {"name": "route", "hosts": ["route.test"], "plugins": denying("10.0.0.1")},
                        {"name": "service", "hosts": ["service.test"]},
                        both,
                    ]},
                    {"name": "two", "url": url, "routes": [
                        {"name": "g", "hosts": ["global.test"]}]},
                ],
                "plugins": [
                    *denying("10.0.0.3"),
                    {**denying("10.0.0.4")[0], "route": "both", "service": "one"},
                    {**denying("10.0.0.5")[0], "route": "both"},
                    # Protocols of connections: it does not run for requests.
                    {**denying("10.0.0.6")[0], "route": "g", "protocols": ["tcp"]},
                ],
            },
        }  # fmt: skip
        (folder / "scopes").mkdir()
        with gateway(engine, folder / "scopes", files) as running:
            guarded = Guarded(running, peer)
            for host, digit in (("route", 1), ("service", 2), ("global", 3), ("both", 4)):
                for other in range(1, 7):
                    wanted = 430 + digit if digit == other else 200
                    assert guarded.ask(f"{host}.test", f"10.0.0.{other}").status == wanted
