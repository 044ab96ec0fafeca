"""Names of upstreams that do not resolve, begin to, or change their address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from support import dns, ports
from support.gateway import check, gateway
from support.upstreams import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dns import NameServer
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

_PATIENCE = 15.0


def service(name: str, host: str, port: int) -> dict[str, Any]:
    routes = [{"name": name, "paths": [f"/{name}"]}]
    return {"name": name, "host": host, "port": port, "routes": routes}


@pytest.fixture(scope="module")
def named(engine: Engine, folder: Path) -> Iterator[tuple[Gateway, NameServer, Upstream]]:
    known = {name: ["127.0.0.1"] for name in ("good.test", "moving.test")}
    with upstream() as peer, dns.name_server(known) as names:
        services = [
            service(name, f"{name}.test", peer.port) for name in ("good", "gone", "late", "moving")
        ]
        services += [service("address", "127.0.0.1", peer.port)]
        services += [service("localhost", "localhost", peer.port)]
        entities: dict[str, Any] = {"_format_version": "3.0", "services": services}
        if engine.version >= (1, 27, 3):
            services.append(service("group", "group", 80))
            targets = [f"good.test:{peer.port}", f"gone.test:{peer.port}"]
            entities["upstreams"] = [
                {"name": "group", "host_header": "x.test",
                 "targets": [{"target": target} for target in targets]}
            ]  # fmt: skip
        conf = f"dns_resolver = 127.0.0.1:{names.port}\nnginx_worker_processes = 1\n"
        with gateway(engine, folder, {"kong.conf": conf, "kong.yml": entities}) as served:
            yield served, names, peer


def status(served: Gateway, path: str) -> int:
    return served.get("x.test", path, tls=False).status


def becomes(served: Gateway, path: str, wanted: int) -> bool:
    """Ask until the status is as wanted; it may take nginx as long as the record lives."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if status(served, path) == wanted:
            return True
        time.sleep(0.05)
    return False


Named = tuple["Gateway", "NameServer", "Upstream"]


def test_one_name_that_does_not_resolve_keeps_no_other_from_being_served(named: Named) -> None:
    served, names, _ = named
    assert becomes(served, "/good", 200)
    assert [status(served, f"/{name}") for name in ("good", "address", "localhost")] == [200] * 3
    assert status(served, "/gone") == 502
    assert {"good.test", "gone.test"} <= set(names.asked)
    assert not {"localhost", "127.0.0.1"} & set(names.asked)


def test_targets_that_resolve_are_served_beside_one_that_does_not(
    engine: Engine, named: Named
) -> None:
    if engine.version < (1, 27, 3):
        pytest.skip("this nginx cannot look up the names of a group")
    served, _, _ = named
    assert becomes(served, "/group", 200)
    assert {status(served, "/group") for _ in range(6)} == {200}


def test_a_name_that_begins_to_resolve_is_served(named: Named) -> None:
    served, names, _ = named
    assert status(served, "/late") == 502
    names.names["late.test"] = ["127.0.0.1"]
    assert becomes(served, "/late", 200)


def test_a_changed_address_is_noticed(named: Named) -> None:
    served, names, _ = named
    assert becomes(served, "/moving", 200)
    names.names["moving.test"] = ["127.0.0.2"]  # nobody listens there
    assert becomes(served, "/moving", 502)
    names.names["moving.test"] = ["127.0.0.1"]
    assert becomes(served, "/moving", 200)


def test_groups_of_names_are_refused_where_nginx_would_not_start(
    engine: Engine, workdir: Path
) -> None:
    with ports.reserve() as (port,):
        targets = [{"target": f"{name}.test:{port}"} for name in "ab"]
        entities = {
            "_format_version": "3.0",
            "services": [service("s", "group", 80)],
            "upstreams": [{"name": "group", "host_header": "x.test", "targets": targets}],
        }
        conf = "dns_resolver = 127.0.0.1\nproxy_listen = 127.0.0.1:1\nadmin_listen = off\n"
        files = {"kong.conf": conf, "kong.yml": entities}
        for version in {engine.version_text, "1.27.3", "1.27.2"}:
            found = check(workdir, files, nginx_version=version)[1]
            refused = tuple(map(int, version.split("."))) < (1, 27, 3)
            assert any(each["code"] == "K357" for each in found) == refused, version
