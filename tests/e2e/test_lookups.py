"""How names of upstreams are looked up: which records, for how long, and SRV."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from support import dns
from support.dns import Srv
from support.gateway import check, gateway
from support.upstreams import Options, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dns import NameServer
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

_PATIENCE = 15.0
OWN_LOOKUP = (1, 27, 3)
HEADER = {"hash_on": "header", "hash_on_header": "X-User"}


def service(name: str, host: str, port: int = 80, **fields: Any) -> dict[str, Any]:
    routes = [{"name": name, "paths": [f"/{name}"]}]
    return {"name": name, "host": host, "port": port, "routes": routes, **fields}


def becomes(served: Gateway, path: str, wanted: int) -> bool:
    """Ask until the status is as wanted; it may take nginx as long as the record lives."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if served.get("x.test", path, tls=False).status == wanted:
            return True
        time.sleep(0.05)
    return False


def conf(names: NameServer, **settings: str) -> str:
    lines = {"dns_resolver": f"127.0.0.1:{names.port}", "nginx_worker_processes": "1", **settings}
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({}, {"A"}),
        ({"dns_order": "LAST,A,AAAA"}, {"A", "AAAA"}),
        ({"dns_order": "AAAA"}, {"AAAA"}),
        ({"new_dns_client": "on", "resolver_family": "A,AAAA"}, {"A", "AAAA"}),
    ],
)
def test_records_are_asked_for_as_the_settings_say(
    engine: Engine, workdir: Path, settings: dict[str, str], asked: set[str]
) -> None:
    known = {"good.test": ["127.0.0.1", "::1"]}
    with upstream() as peer, dns.name_server(known) as names:
        if "new_dns_client" in settings:
            settings = {**settings, "resolver_address": f"127.0.0.1:{names.port}"}
        entities = {"_format_version": "3.0", "services": [service("s", "good.test", peer.port)]}
        files = {"kong.conf": conf(names, **settings), "kong.yml": entities}
        with gateway(engine, workdir, files) as served:
            if asked == {"AAAA"} and engine.version < (1, 23, 1):
                asked = {"A", "AAAA"}
                assert "K411" in served.compiled.stderr
            # Nobody listens on ::1, where the other family is the only one.
            assert becomes(served, "/s", 200 if "A" in asked else 502)
            assert names.types_asked("good.test") == asked


@pytest.mark.parametrize("setting", ["dns_valid_ttl", "resolver_valid_ttl"])
def test_a_lifetime_of_the_settings_wins_over_that_of_the_record(
    engine: Engine, workdir: Path, setting: str
) -> None:
    with upstream() as peer, dns.name_server({"s.test": ["127.0.0.1"]}, ttl=3600) as names:
        settings = {setting: "1"}
        if setting == "resolver_valid_ttl":
            settings |= {"new_dns_client": "on", "resolver_address": f"127.0.0.1:{names.port}"}
        entities = {"_format_version": "3.0", "services": [service("s", "s.test", peer.port)]}
        files = {"kong.conf": conf(names, **settings), "kong.yml": entities}
        with gateway(engine, workdir, files) as served:
            assert becomes(served, "/s", 200)
            names.names["s.test"] = ["127.0.0.2"]  # nobody listens there
            assert becomes(served, "/s", 502)


SrvServed = tuple["Gateway", "NameServer", dict[str, "Upstream"]]


@pytest.fixture(scope="module")
def srv(engine: Engine, folder: Path) -> Iterator[SrvServed]:
    if engine.version < OWN_LOOKUP:
        pytest.skip("this nginx does not look SRV records up")
    with upstream(Options(name="a")) as a, upstream(Options(name="b")) as b:
        peers = {"a": a, "b": b}
        records = [Srv("one.test", a.port, 3), Srv("two.test", b.port, 1)]
        services = {
            "_http._tcp.pool.test": records,
            "web.service.consul": records,
            "_http._tcp.spare.test": [
                Srv("one.test", a.port, priority=1), Srv("two.test", b.port, priority=2)
            ],
        }  # fmt: skip
        known = {"one.test": ["127.0.0.1"], "two.test": ["127.0.0.1"]}
        targets = [{"target": "_http._tcp.pool.test"}, {"target": "_http._tcp.gone.test"}]
        entities = {
            "_format_version": "3.0",
            "services": [
                service("direct", "_http._tcp.pool.test"),
                service("late", "_http._tcp.late.test"),
                service("spare", "_http._tcp.spare.test"),
                service("pool", "pool"),
                service("consul", "consul"),
                service("hashed", "hashed"),
                service("plain", "one.test", a.port),
            ],
            "upstreams": [
                {"name": "pool", "host_header": "x.test", "targets": targets},
                {"name": "hashed", "host_header": "x.test", "targets": targets, **HEADER},
                {"name": "consul", "use_srv_name": True,
                 "targets": [{"target": "web.service.consul"}]},
            ],
        }  # fmt: skip
        with dns.name_server(known, services) as names:
            # Else nginx asks for names that were not found after ten seconds again.
            files = {"kong.conf": conf(names, dns_valid_ttl="1"), "kong.yml": entities}
            with gateway(engine, folder, files) as served:
                yield served, names, peers


def who(served: Gateway, path: str, key: str = "") -> str:
    headers = {"X-User": key} if key else {}
    return str(served.get("x.test", path, tls=False, headers=headers).json()["upstream"])


@pytest.mark.parametrize("path", ["/direct", "/pool", "/consul"])
def test_srv_records_give_ports_and_shares(srv: SrvServed, path: str) -> None:
    served, _, _ = srv
    assert becomes(served, path, 200)
    shares = Counter(who(served, path) for _ in range(40))
    assert shares["a"] == 30, shares
    assert shares["b"] == 10, shares


def test_srv_records_are_asked_for_by_their_very_name(srv: SrvServed) -> None:
    _, names, _ = srv
    for name in ("_http._tcp.pool.test", "_http._tcp.gone.test", "web.service.consul"):
        assert names.types_asked(name) == {"SRV"}, name


@pytest.mark.parametrize(
    ("path", "host"), [("/direct", "_http._tcp.pool.test"), ("/consul", "web.service.consul")]
)
def test_the_host_is_the_name_of_the_service(srv: SrvServed, path: str, host: str) -> None:
    served, _, _ = srv
    assert becomes(served, path, 200)
    echo = served.get("x.test", path, tls=False).json()
    assert ["Host", host] in echo["headers"]
    assert "K409" in served.compiled.stderr


def test_the_first_priority_gets_the_requests(srv: SrvServed) -> None:
    served, _, _ = srv
    assert becomes(served, "/spare", 200)
    assert {who(served, "/spare") for _ in range(8)} == {"a"}


def test_keys_stay_with_the_targets_of_srv_records(srv: SrvServed) -> None:
    served, _, _ = srv
    assert becomes(served, "/hashed", 200)
    keys = [f"user-{number}" for number in range(40)]
    first = [who(served, "/hashed", key) for key in keys]
    assert [who(served, "/hashed", key) for key in keys] == first
    assert set(first) == {"a", "b"}


def test_services_that_appear_are_served_and_others_never_stopped(srv: SrvServed) -> None:
    served, names, peers = srv
    assert becomes(served, "/plain", 200)
    assert becomes(served, "/late", 502)
    names.services["_http._tcp.late.test"] = [Srv("one.test", peers["a"].port)]
    assert becomes(served, "/late", 200)


@pytest.mark.parametrize(
    ("host", "version", "refused"),
    [
        ("_http._tcp.pool.test", "1.27.2", True),
        ("_http._tcp.pool.test", "1.27.3", False),
        ("_http.test", "1.27.3", True),
        ("pool.test", "1.27.2", False),
    ],
)
def test_srv_names_that_cannot_be_looked_up_are_refused(
    workdir: Path, host: str, version: str, *, refused: bool
) -> None:
    text = "dns_resolver = 127.0.0.1\nproxy_listen = 127.0.0.1:1\n"
    files: dict[str, Any] = {
        "kong.conf": text,
        "kong.yml": {"_format_version": "3.0", "services": [service("s", host)]},
    }
    found = {each["code"] for each in check(workdir, files, nginx_version=version)[1]}
    assert ("K408" in found) == refused
    files["kong.conf"] += "dns_order = A\n"
    found = {each["code"] for each in check(workdir, files, nginx_version=version)[1]}
    assert "K408" not in found


@pytest.mark.parametrize(
    "method", [{}, {"algorithm": "least-connections"}, HEADER], ids=["round", "least", "hash"]
)
def test_a_name_that_does_not_resolve_stops_no_other(
    engine: Engine, workdir: Path, method: dict[str, Any]
) -> None:
    if engine.version < OWN_LOOKUP:
        pytest.skip("this nginx cannot look up the names of a group")
    with upstream() as peer, dns.name_server({"good.test": ["127.0.0.1"]}) as names:
        good, gone = (f"{name}.test:{peer.port}" for name in ("good", "gone"))
        groups = {"mixed": [good, gone], "nothing": [gone], "fine": [good]}
        entities = {
            "_format_version": "3.0",
            "services": [service(name, f"{name}.upstream") for name in groups],
            "upstreams": [
                {"name": f"{name}.upstream", "host_header": "x.test", **method,
                 "targets": [{"target": each} for each in targets]}
                for name, targets in groups.items()
            ],
        }  # fmt: skip
        files = {"kong.conf": conf(names, dns_valid_ttl="1"), "kong.yml": entities}
        with gateway(engine, workdir, files) as served:
            for path, status in {"/mixed": 200, "/nothing": 502, "/fine": 200}.items():
                assert becomes(served, path, status), path
            users = [f"user-{number}" for number in range(12)]
            for path in ("/mixed", "/fine"):
                assert {who(served, path, user) for user in users} == {"upstream"}
            del names.names["good.test"]
            assert becomes(served, "/mixed", 502)
            names.names["good.test"] = ["127.0.0.1"]
            assert becomes(served, "/mixed", 200)


def test_a_key_stays_with_one_address_of_a_single_name(engine: Engine, workdir: Path) -> None:
    if engine.version < OWN_LOOKUP:
        pytest.skip("this nginx looks a single name up for each request")
    known = {"two.test": ["127.0.0.1", "127.0.0.2"]}
    users = [f"user-{number}" for number in range(20)]
    with upstream() as peer, dns.name_server(known) as names:
        entities = {
            "_format_version": "3.0",
            "services": [service("s", "pool")],
            "upstreams": [{"name": "pool", "host_header": "x.test", **HEADER,
                           "targets": [{"target": f"two.test:{peer.port}"}]}],
        }  # fmt: skip
        files = {"kong.conf": conf(names), "kong.yml": entities}
        with gateway(engine, workdir, files) as served:
            assert "K404" in served.compiled.stderr
            assert becomes(served, "/s", 200)
            # Nobody listens on 127.0.0.2: requests that go there first come to the other.
            found = [{refusals(served, key) for _ in range(3)} for key in users]
            assert all(len(each) == 1 for each in found)
            assert {0} in found
            assert {1} in found


def refusals(served: Gateway, key: str) -> int:
    """Count the connections that a request needed beside its last."""
    before = served.error_log().count("connect() failed")
    assert who(served, "/s", key) == "upstream"
    return served.error_log().count("connect() failed") - before


@pytest.mark.parametrize(
    ("order", "severity"),
    [("", "info"), ("dns_order = SRV,A\n", "warning"), ("dns_order = A,SRV\n", None)],
)
def test_that_srv_records_come_first_is_said_as_loud_as_it_was_asked_for(
    workdir: Path, order: str, severity: str | None
) -> None:
    text = f"dns_resolver = 127.0.0.1\nproxy_listen = 127.0.0.1:1\n{order}"
    entities = {"_format_version": "3.0", "services": [service("s", "pool.test")]}
    found = check(workdir, {"kong.conf": text, "kong.yml": entities}, nginx_version="1.31.0")[1]
    assert [x["severity"] for x in found if x["code"] == "K410"] == ([severity] if severity else [])
