"""Connections: which service takes them, and what it hears of the client."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import dns, engines
from support.gateway import compile_tree
from support.streams import (
    ask,
    asked,
    datagram,
    datagram_server,
    free,
    service,
    stream_gateway,
)
from support.upstreams import Options, identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Certs
    from support.engines import Engine
    from support.upstreams import Upstream

_PATIENCE = 15.0

TRUSTING = "trusted_ips = 127.0.0.0/8\n"


@contextlib.contextmanager
def upstreams(*names: str, certs: Certs | None = None) -> Iterator[dict[str, Upstream]]:
    """Run upstreams that answer with their names; over TLS where there are certificates."""
    own = None if certs is None else identity(certs.ec)
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(upstream(Options(name=name, identity=own))) for name in names
        }


def to(peer: Upstream, scheme: str = "tcp") -> str:
    return f"{scheme}://{peer.address}"


def eventually(port: int, **options: Any) -> str | None:
    """Ask until somebody answers: nginx may still be looking a name up."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = asked(port, **options)
        if found is not None:
            return found
        time.sleep(0.05)
    return None


def route(*protocols: str, **fields: Any) -> dict[str, Any]:
    return {"protocols": list(protocols), **fields}


# -- plain connections


def test_ports_choose_services_and_what_they_share_needs_no_inner_server(
    engine: Engine, workdir: Path
) -> None:
    with upstreams("a", "b") as up, free(3) as (one, two, three):
        entities = {
            "services": [
                service("a", to(up["a"]), route("tcp", destinations=[{"port": one}])),
                service(
                    "b", to(up["b"]), route("tcp", destinations=[{"port": two}]),
                    read_timeout=5000,
                ),
            ]
        }  # fmt: skip
        listen = ", ".join(f"127.0.0.1:{port}" for port in (one, two, three))
        with stream_gateway(engine, workdir, listen, entities) as served:
            assert [asked(port) for port in (one, two, three)] == ["a", "b", None]
            assert served.ports == sorted([one, two, three])
            assert "127.0.0.0/8" not in (served.tree / "nginx.conf").read_text()


def test_sources_choose_by_address_network_and_port(engine: Engine, workdir: Path) -> None:
    with upstreams("address", "network", "port", "both") as up, free(2) as (port, client):
        sources: dict[str, list[dict[str, Any]]] = {
            "address": [{"ip": "127.0.0.2"}],
            "network": [{"ip": "127.5.0.9/16"}],
            "port": [{"port": client}],
            "both": [{"ip": "127.0.0.2", "port": client}],
        }
        entities = {
            "services": [
                service(name, to(up[name]), route("tcp", sources=wanted))
                for name, wanted in sources.items()
            ]
        }
        with stream_gateway(engine, workdir, f"0.0.0.0:{port}", entities):
            assert asked(port, source="127.0.0.2") == "address"
            assert asked(port, source="127.5.200.1") == "network"
            assert asked(port, source="127.6.0.1") is None
            assert asked(port, source=("127.0.0.3", client)) == "port"
            assert asked(port, source=("127.0.0.2", client)) == "both"


def test_local_addresses_choose_behind_one_listener(engine: Engine, workdir: Path) -> None:
    with upstreams("one", "net") as up, free(1) as (port,):
        entities = {
            "services": [
                service("one", to(up["one"]), route("tcp", destinations=[{"ip": "127.0.0.9"}])),
                service("net", to(up["net"]), route("tcp", destinations=[{"ip": "127.8.0.0/16"}])),
            ]
        }
        with stream_gateway(engine, workdir, f"0.0.0.0:{port}", entities):
            assert asked(port, to="127.0.0.9") == "one"
            assert asked(port, to="127.8.1.1") == "net"
            assert asked(port) is None


def test_the_port_outside_is_compared_where_port_maps_says_so(
    engine: Engine, workdir: Path
) -> None:
    with upstreams("a") as up, free(1) as (port,):
        wanted = route("tcp", destinations=[{"port": 5432}])
        entities = {"services": [service("a", to(up["a"]), wanted)]}
        conf = f"port_maps = 5432:{port}\n"
        with stream_gateway(engine, workdir, f"127.0.0.1:{port}", entities, conf=conf):
            assert asked(port) == "a"


def test_the_clients_address_is_what_a_trusted_peer_says(engine: Engine, workdir: Path) -> None:
    with upstreams("far", "near") as up, free(1) as (port,):
        far = route("tcp", sources=[{"ip": "203.0.113.0/24", "port": 4711}])
        near = route("tcp", sources=[{"ip": "127.0.0.0/8"}])
        entities = {
            "services": [service("far", to(up["far"]), far), service("near", to(up["near"]), near)]
        }
        line = f"PROXY TCP4 203.0.113.7 192.0.2.1 4711 {port}"
        listen = f"127.0.0.1:{port} proxy_protocol"
        with stream_gateway(
            engine, workdir, listen, entities, conf="trusted_ips = 127.0.0.2\n"
        ) as served:
            assert asked(port, proxy=line, source="127.0.0.2") == "far"
            assert asked(port, proxy=line, source="127.0.0.3") == "near"
            log = (served.tree / "logs" / "access.log").read_text()
            assert "203.0.113.7 [" in log
            assert "127.0.0.3 [" in log


def test_the_larger_id_wins_among_equals(engine: Engine, workdir: Path) -> None:
    with upstreams("small", "large") as up, free(1) as (port,):
        wanted = {"destinations": [{"port": port}]}
        entities = {
            "services": [
                service(n, to(up[n]), route("tcp", id=f"{i}0000000-0000-4000-8000-00000000000f",
                                            **wanted))
                for n, i in (("large", "b"), ("small", "a"))
            ]
        }  # fmt: skip
        with stream_gateway(engine, workdir, f"127.0.0.1:{port}", entities):
            assert asked(port) == "large"


# -- datagrams


def test_datagrams_are_passed_on_by_port_and_by_client(engine: Engine, workdir: Path) -> None:
    with (
        datagram_server("dns") as dns_port,
        datagram_server("log") as log_port,
        free(3) as (one, two, three),
    ):
        entities = {
            "services": [
                service("dns", f"udp://127.0.0.1:{dns_port}",
                        route("udp", destinations=[{"port": one}, {"port": three}])),
                service("log", f"udp://127.0.0.1:{log_port}",
                        route("udp", sources=[{"ip": "127.0.0.2"}],
                              destinations=[{"port": two}, {"port": three}]),
                        read_timeout=3000, write_timeout=3000),
            ]
        }  # fmt: skip
        listen = ", ".join(f"127.0.0.1:{port} udp" for port in (one, two, three))
        with stream_gateway(engine, workdir, listen, entities):
            assert datagram(one) == "dns"
            assert datagram(two, source="127.0.0.2") == "log"
            # Services with timeouts of their own behind one port: each has a server inside.
            assert datagram(three, source="127.0.0.2") == "log"
            assert datagram(three, source="127.0.0.3") == "dns"
            assert datagram(two, source="127.0.0.3", patience=0.5) is None


# -- TLS, by server name


def names_of(entities: list[dict[str, Any]]) -> dict[str, Any]:
    return {"services": entities}


def test_passthrough_hands_the_upstreams_own_tls_on(
    engine: Engine, workdir: Path, certs: Certs
) -> None:
    with upstreams("exact", "wild", "end", certs=certs) as up, free(1) as (port,):
        snis = {"exact": ["one.example.com", "two.test."], "wild": ["*.example.com"],
                "end": ["mail.*"]}  # fmt: skip
        entities = names_of(
            [
                service(name, to(up[name]), route("tls_passthrough", snis=wanted))
                for name, wanted in snis.items()
            ]
        )
        # Exact or not does not count for Kong, only the id does; here the exact one is the largest.
        for number, each in enumerate(("end", "wild", "exact")):
            found = next(s for s in entities["services"] if s["name"] == each)
            found["routes"][0]["id"] = f"{number}0000000-0000-4000-8000-000000000000"
        with stream_gateway(engine, workdir, f"127.0.0.1:{port} ssl", entities) as served:
            heard = ask(port, "one.example.com")
            assert heard is not None
            assert heard.upstream == "exact"
            assert heard.certificate == certs.ec.der
            assert heard.echo["tls"]["sni"] == "one.example.com"
            assert asked(port, "TWO.test") == "exact"
            assert asked(port, "deep.down.example.com") == "wild"
            assert asked(port, "mail.example.com") == "wild"
            assert asked(port, "mail.example.org") == "end"
            assert asked(port, "example.com") is None
            assert asked(port, "other.org") is None
            assert asked(port, tls=True) is None
            assert asked(port) is None
            assert served.ports == [port]


@pytest.fixture
def three_kinds(engine: Engine, workdir: Path, certs: Certs) -> Iterator[tuple[int, Any]]:
    """Serve a TLS port with routes that end TLS and routes that pass it on."""
    with (
        upstreams("plain", "slow") as up,
        upstreams("own", certs=certs) as secure,
        free(1) as (port,),
    ):
        entities = {
            "services": [
                service("plain", to(up["plain"]), route("tls", snis=["plain.example.com"])),
                service("slow", to(up["slow"]), route("tls", snis=["slow.example.com"]),
                        read_timeout=700_000),
                service("own", to(secure["own"]), route("tls_passthrough", snis=["own.test"])),
            ],
            "certificates": [
                {"id": "cccccccc-0000-4000-8000-000000000001", "cert": certs.rsa.chain_pem,
                 "key": certs.rsa.key_pem, "snis": [{"name": "*.example.com"}]},
            ],
        }  # fmt: skip
        files = {"d.pem": certs.client.chain_pem, "d.key": certs.client.key_pem}
        conf = f"ssl_cert = d.pem\nssl_cert_key = d.key\n{TRUSTING}"
        listen = f"0.0.0.0:{port} ssl reuseport backlog=100"
        with stream_gateway(engine, workdir, listen, entities, conf=conf, files=files) as served:
            yield port, served


def test_tls_is_ended_with_the_certificate_of_the_name_or_passed_on(
    three_kinds: tuple[int, Any], certs: Certs
) -> None:
    port, served = three_kinds
    for name in ("plain", "slow"):
        heard = ask(port, f"{name}.example.com", source="127.0.0.7")
        assert heard is not None
        assert (heard.upstream, heard.echo["tls"]) == (name, None)
        assert heard.certificate == certs.rsa.der
    heard = ask(port, "own.test")
    assert heard is not None
    assert heard.certificate == certs.ec.der
    assert asked(port, "nobody.test") is None
    # The inner servers hear of the client itself.
    log = (served.tree / "logs" / "access.log").read_text()
    assert log.count("127.0.0.7 [") == 4
    assert "127.0.0.1 [" in log


def test_a_moved_tree_and_a_second_gateway_serve_beside_the_first(
    three_kinds: tuple[int, Any], engine: Engine, workdir: Path
) -> None:
    port, served = three_kinds
    served.reload()
    assert asked(port, "slow.example.com") == "slow"
    with free(1) as (other,):
        text = (workdir / "kong.conf").read_text().replace(f":{port} ", f":{other} ")
        names = ("kong.yml", "d.pem", "d.key")
        files = {name: (workdir / name).read_text() for name in names}
        args = ["--nginx", str(engine.binary)]
        compiled = compile_tree(engine, workdir / "second", {**files, "kong.conf": text}, args=args)
        moved = compiled.tree.rename(workdir / "else where")
        with engines.start(engine, moved):
            assert asked(other, "slow.example.com") == "slow"
            assert asked(other, "own.test") == "own"
            assert asked(port, "slow.example.com") == "slow"


def test_clients_of_ipv6_keep_their_address_on_the_way_inside(
    engine: Engine, workdir: Path, certs: Certs
) -> None:
    with upstreams("plain") as up, upstreams("own", certs=certs) as secure, free(1) as (port,):
        try:
            socket.create_server(("::1", port), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
        near = [{"ip": "::1"}]
        entities = {
            "services": [
                service("plain", to(up["plain"]), route("tls", snis=["a.test"], sources=near)),
                service("own", to(secure["own"]), route("tls_passthrough", snis=["b.test"])),
            ]
        }
        listen = f"[::]:{port} ssl ipv6only=off"
        with stream_gateway(engine, workdir, listen, entities) as served:
            assert asked(port, "a.test", to="::1") == "plain"
            assert asked(port, "b.test", to="::1") == "own"
            assert asked(port, "b.test") == "own"
            assert asked(port, "a.test") is None
            log = (served.tree / "logs" / "access.log").read_text()
            assert log.count("::1 [") == 4


def test_a_kind_of_its_own_needs_no_inner_server(
    engine: Engine, workdir: Path, certs: Certs
) -> None:
    with upstreams("a", "b") as up, free(1) as (port,):
        entities = {
            "services": [
                service("a", to(up["a"]), route("tls", snis=["a.test", "*.a.test"])),
                service("b", to(up["b"]), route("tls", sources=[{"ip": "127.0.0.2"}])),
            ],
            "certificates": [
                {"id": "cccccccc-0000-4000-8000-000000000001", "cert": certs.ec.chain_pem,
                 "key": certs.ec.key_pem, "cert_alt": certs.rsa.chain_pem,
                 "key_alt": certs.rsa.key_pem, "snis": [{"name": "a.test"}]},
            ],
        }  # fmt: skip
        with stream_gateway(engine, workdir, f"127.0.0.1:{port} ssl", entities) as served:
            assert served.raw_handshake(b"a.test", "rsa", port=port).subject_cn
            heard = ask(port, "a.test", source="127.0.0.2")
            assert heard is not None
            assert (heard.upstream, heard.certificate) == ("a", certs.ec.der)
            assert asked(port, "x.a.test") == "a"
            assert asked(port, "nobody.test", source="127.0.0.2") == "b"
            assert asked(port, tls=True, source="127.0.0.2") == "b"
            assert asked(port, "nobody.test", source="127.0.0.3") is None
            assert served.ports == [port]
            assert "proxy_protocol" not in (served.tree / "nginx.conf").read_text()


def test_a_name_outranks_one_end_and_both_ends_outrank_a_name(
    engine: Engine, workdir: Path
) -> None:
    with upstreams("name", "source", "destination", "both") as up, free(1) as (port,):
        here = [{"port": port}]
        wanted: dict[str, dict[str, Any]] = {
            "name": {"snis": ["a.test"]},
            "source": {"sources": [{"ip": "127.0.0.2"}, {"ip": "127.0.0.3"}]},
            "destination": {"destinations": here},
            "both": {"sources": [{"ip": "127.0.0.2/32"}], "destinations": here},
        }
        services = [
            service(name, to(up[name]), route("tls", **fields)) for name, fields in wanted.items()
        ]
        with stream_gateway(engine, workdir, f"127.0.0.1:{port} ssl", {"services": services}):
            assert asked(port, "a.test", source="127.0.0.2") == "both"
            assert asked(port, "a.test", source="127.0.0.3") == "name"
            assert asked(port, "b.test", source="127.0.0.3") == "source"
            assert asked(port, "b.test", source="127.0.0.4") == "destination"


# -- what Kong does where nobody reads names


def test_without_a_name_to_read_kong_compares_none(engine: Engine, workdir: Path) -> None:
    with upstreams("named", "plain") as up, free(2) as (port, secure):
        entities = {
            "services": [
                service("named", to(up["named"]), route("tls", snis=["a.test"])),
                service("plain", to(up["plain"]), route("tcp", sources=[{"ip": "127.0.0.0/8"}])),
            ]
        }
        listen = f"127.0.0.1:{port}, 127.0.0.1:{secure} ssl"
        with stream_gateway(engine, workdir, listen, entities) as served:
            assert "K384" in served.compiled.stderr
            assert asked(port) == "named"
            assert asked(secure, "a.test") == "named"
            assert asked(secure, "b.test") is None


# -- upstreams


def test_targets_share_by_weight_and_a_dead_one_is_passed_over(
    engine: Engine, workdir: Path
) -> None:
    with upstreams("a", "b") as up, free(2) as (port, dead):
        entities = {
            "services": [
                {"name": "s", "protocol": "tcp", "host": "pool", "port": 1, "retries": 1,
                 "routes": [route("tcp", name="r", destinations=[{"port": port}])]}
            ],
            "upstreams": [
                {"name": "pool",
                 "targets": [{"target": up["a"].address, "weight": 300},
                             {"target": up["b"].address, "weight": 100},
                             {"target": f"127.0.0.1:{dead}", "weight": 100}]}
            ],
        }  # fmt: skip
        with stream_gateway(engine, workdir, f"127.0.0.1:{port}", entities):
            heard = [asked(port) for _ in range(20)]
            assert None not in heard
            assert heard.count("a") > heard.count("b") > 0


def test_names_are_looked_up(engine: Engine, workdir: Path) -> None:
    with (
        upstreams("a", "b") as up,
        dns.name_server({"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]}) as names,
        free(2) as (one, two),
    ):
        entities = {
            "services": [
                service("a", f"tcp://a.test:{up['a'].port}",
                        route("tcp", destinations=[{"port": one}])),
                service("b", f"tcp://b.test:{up['b'].port}",
                        route("tcp", sources=[{"ip": "127.0.0.2"}],
                              destinations=[{"port": two}])),
            ]
        }  # fmt: skip
        conf = f"dns_resolver = 127.0.0.1:{names.port}\n"
        listen = f"127.0.0.1:{one}, 127.0.0.1:{two}"
        with stream_gateway(engine, workdir, listen, entities, conf=conf):
            assert eventually(one) == "a"
            assert eventually(two, source="127.0.0.2") == "b"
        assert {"a.test", "b.test"} <= set(names.asked)


# -- what is injected, and logs


def test_injected_directives_stand_in_their_blocks(engine: Engine, workdir: Path) -> None:
    with upstreams("a", "b") as up, free(1) as (port,):
        entities = {
            "services": [
                service("a", to(up["a"]), route("tcp", sources=[{"ip": "127.0.0.2"}])),
                service("b", to(up["b"]), route("tcp", sources=[{"ip": "127.0.0.3"}]),
                        connect_timeout=1234),
            ]
        }  # fmt: skip
        conf = (
            "nginx_stream_log_format = short '$remote_addr/$status'\n"
            "proxy_stream_access_log = logs/streams.log short\n"
            "proxy_stream_error_log = logs/streams-error.log\n"
            "nginx_sproxy_proxy_download_rate = 1m\n"
            "nginx_sproxy_deny = 127.0.0.4\n"
            "nginx_supstream_least_conn =  \n"
            "nginx_supstream_zone = peers 128k\n"
        )
        with stream_gateway(engine, workdir, f"127.0.0.1:{port}", entities, conf=conf) as served:
            assert asked(port, source="127.0.0.2") == "a"
            assert asked(port, source="127.0.0.3") == "b"
            text = (served.tree / "nginx.conf").read_text()
            assert text.count("proxy_download_rate 1m;") == 2
            assert text.count("deny 127.0.0.4;") == 3
            assert text.count("zone peers 128k;") == 2
            log = (served.tree / "logs" / "streams.log").read_text().splitlines()
            assert {"127.0.0.2/200", "127.0.0.3/200"} <= set(log)
            assert (served.tree / "logs" / "streams-error.log").exists()


def test_the_stream_module_is_loaded_where_nginx_has_it_in_a_file(
    engine: Engine, workdir: Path
) -> None:
    with upstreams("a") as up, free(1) as (port,):
        wanted = route("tcp", destinations=[{"port": port}])
        entities = {"services": [service("a", to(up["a"]), wanted)]}
        with stream_gateway(engine, workdir, f"127.0.0.1:{port}", entities) as served:
            text = (served.tree / "nginx.conf").read_text()
            assert ("ngx_stream_module.so" in text) == (engine.name != "embedded")
