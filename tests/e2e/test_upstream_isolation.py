"""Services with different TLS towards one host and port share no connection and no session."""

from __future__ import annotations

import random
import ssl
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import dns, pki
from support.gateway import gateway
from support.upstreams import Options, identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

GOOD_CA = "aaaaaaaa-0000-4000-8000-000000000001"
WRONG_CA = "aaaaaaaa-0000-4000-8000-000000000002"
CLIENT = {name: f"cccccccc-0000-4000-8000-00000000000{i}" for i, name in enumerate("ab")}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

GOOD = {"tls_verify": True, "ca_certificates": [GOOD_CA]}
WRONG = {"tls_verify": True, "ca_certificates": [WRONG_CA]}
POLICIES: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "off": ({"tls_verify": False}, 200, None),
    "good": (GOOD, 200, None),
    "wrong-ca": (WRONG, 502, None),
    "shallow": ({**GOOD, "tls_verify_depth": 0}, 502, None),
    "client-a": ({"client_certificate": {"id": CLIENT["a"]}}, 200, "a"),
    "client-b": ({"client_certificate": {"id": CLIENT["b"]}}, 200, "b"),
    "good-client-a": ({**GOOD, "client_certificate": {"id": CLIENT["a"]}}, 200, "a"),
    "wrong-ca-client-a": ({**WRONG, "client_certificate": {"id": CLIENT["a"]}}, 502, None),
}
"""The fields of services, whether they reach the upstream, and who it sees then."""


@dataclass(frozen=True)
class Shared:
    gateway: Gateway
    peer: Upstream
    clients: dict[str, str]
    keepalive: bool

    def ask(self, host: str, path: str) -> tuple[int, dict[str, Any] | None]:
        answer = self.gateway.get(host, path)
        return answer.status, answer.json() if answer.status == 200 else None


@pytest.fixture(scope="module", params=[True, False], ids=["keepalive", "no-keepalive"])
def keepalive(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module", params=["1.2", "1.3"])
def shared(
    engine: Engine,
    folder: Path,
    keepalive: bool,  # noqa: FBT001
    request: pytest.FixtureRequest,
) -> Iterator[Shared]:
    root, wrong = pki.ca("Good"), pki.ca("Wrong")
    names = ("ok.test", "also-ok.test", "*.ok.test")
    own = pki.leaf(pki.intermediate(root), *names)
    clients = {name: pki.leaf(root, name, client=True) for name in CLIENT}
    options = Options(
        identity=identity(own),
        client_ca=root.cert_pem,
        minimum=VERSIONS[request.param],
        maximum=VERSIONS[request.param],
    )
    known = {"ok.test": ["127.0.0.1"], "bad.test": ["127.0.0.1"]}
    with dns.name_server(known) as server, upstream(options) as peer:
        files = {
            "kong.conf": conf(server.port, keepalive=keepalive),
            "kong.yml": entities(peer.port, root, wrong, clients),
        }
        with gateway(engine, folder, files) as served:
            seen = {cert.sha256: name for name, cert in clients.items()}
            yield Shared(served, peer, seen, keepalive)


def conf(dns_port: int, *, keepalive: bool) -> str:
    pool = "" if keepalive else "upstream_keepalive_pool_size = 0\n"
    return (
        f"dns_resolver = 127.0.0.1:{dns_port}\n"
        "nginx_worker_processes = 1\n"
        "tls_certificate_verify = off\n"
        f"{pool}"
    )


def entities(
    port: int, root: pki.Cert, wrong: pki.Cert, clients: dict[str, pki.Cert]
) -> dict[str, Any]:
    services: list[dict[str, Any]] = []
    for name, (fields, _, _) in POLICIES.items():
        for where, host in {"named": "ok.test", "group": "group"}.items():
            label = f"{where}-{name}"
            services.append(
                {
                    "name": label,
                    "protocol": "https",
                    "host": host,
                    "port": port,
                    "routes": [{"name": label, "paths": [f"/{label}/"]}],
                    **fields,
                }
            )
    services += [
        # The certificate is not for this name.
        {"name": "wrong-name", "protocol": "https", "host": "wrong-group", "port": port, **GOOD,
         "routes": [{"name": "wrong-name", "paths": ["/wrong-name/"]}]},
        {"name": "preserved", "protocol": "https", "host": "group", "port": port, **GOOD,
         "routes": [
             {"name": "any", "paths": ["/any/"], "preserve_host": True},
             {"name": "wild", "paths": ["/wild/"], "hosts": ["*.test"], "preserve_host": True},
             {"name": "exact", "paths": ["/exact/"], "preserve_host": True,
              "hosts": ["ok.test", "also-ok.test", "bad.test"]},
             {"name": "not-preserved", "paths": ["/own/"]},
         ]},
    ]  # fmt: skip
    targets = [{"target": f"127.0.0.1:{port}"}]
    return {
        "_format_version": "3.0",
        "ca_certificates": [
            {"id": GOOD_CA, "cert": root.cert_pem},
            {"id": WRONG_CA, "cert": wrong.cert_pem},
        ],
        "certificates": [
            {"id": CLIENT[name], "cert": cert.chain_pem, "key": cert.key_pem}
            for name, cert in clients.items()
        ],
        "upstreams": [
            {"name": "group", "host_header": "ok.test", "targets": targets},
            {"name": "wrong-group", "host_header": "bad.test", "targets": targets},
        ],
        "services": services,
    }


def expectations() -> dict[tuple[str, str], tuple[int, str | None]]:
    """Give what each request must come to, whatever went before it."""
    found: dict[tuple[str, str], tuple[int, str | None]] = {("x.test", "/wrong-name/"): (502, None)}
    for name, (_, status, client) in POLICIES.items():
        for where in ("named", "group"):
            found["x.test", f"/{where}-{name}/"] = status, client
    for path in ("/any/", "/wild/", "/exact/"):
        for host, status in {"ok.test": 200, "also-ok.test": 200, "bad.test": 502}.items():
            found[host, path] = status, None
    found["x.ok.test", "/wild/"] = 200, None
    found["x.bad.test", "/wild/"] = 502, None
    found["bad.test", "/own/"] = 200, None
    return found


def test_no_order_of_requests_changes_what_any_of_them_comes_to(shared: Shared) -> None:
    expected = expectations()
    requests = list(expected) * 4
    random.Random(7).shuffle(requests)
    users: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for host, path in [*expected, *reversed(expected), *requests]:
        status, echo = shared.ask(host, path)
        wanted, client = expected[host, path]
        assert status == wanted, (host, path)
        if echo is None:
            continue
        shown = echo["tls"]["client"]
        assert (shown and shared.clients[shown["sha256"]]) == client, (host, path)
        name = host if path in {"/any/", "/wild/", "/exact/"} else None
        service = "preserved" if name else path
        users[echo["connection"]].add((service, name, echo["tls"]["sni"]))
    assert all(len(each) == 1 for each in users.values())


def test_connections_or_sessions_are_reused_where_that_is_safe(shared: Shared) -> None:
    """Without this, isolation would be bought by never reusing anything."""
    for host, path in (("x.test", "/group-good-client-a/"), ("ok.test", "/exact/")):
        echoes = [shared.ask(host, path)[1] for _ in range(3)]
        assert None not in echoes
        connections = {echo["connection"] for echo in echoes if echo}
        if shared.keepalive:
            assert len(connections) == 1
        else:
            assert len(connections) == 3
            assert echoes[-1] is not None
            assert echoes[-1]["tls"]["resumed"]


@pytest.mark.parametrize("path", ["/any/", "/wild/"])
def test_nothing_is_reused_where_the_client_names_the_upstream(shared: Shared, path: str) -> None:
    echoes = [shared.ask("x.ok.test", path)[1] for _ in range(3)]
    assert len({echo["connection"] for echo in echoes if echo}) == 3
    assert not any(echo["tls"]["resumed"] for echo in echoes if echo)
