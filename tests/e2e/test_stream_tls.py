"""Connections that begin TLS to their upstream: how it is verified, and as whom."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import dns, pki
from support.gateway import check
from support.streams import ask, asked, free, service, stream_gateway
from support.upstreams import Options, identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dns import NameServer
    from support.engines import Engine
    from support.upstreams import Upstream

GOOD_CA = "aaaaaaaa-0000-4000-8000-000000000001"
WRONG_CA = "aaaaaaaa-0000-4000-8000-000000000002"
CLIENT = {name: f"cccccccc-0000-4000-8000-00000000000{i}" for i, name in enumerate("ab")}
OFF = "tls_certificate_verify = off\n"


@dataclass(frozen=True)
class World:
    """An upstream behind names that end in .test, and who signed it."""

    root: pki.Cert
    wrong_root: pki.Cert
    peer: Upstream  # one intermediate between its certificate and the root
    names: NameServer
    clients: dict[str, pki.Cert]

    @property
    def conf(self) -> str:
        return f"dns_resolver = 127.0.0.1:{self.names.port}\n"

    @property
    def files(self) -> dict[str, str]:
        files = {"root.pem": self.root.cert_pem, "wrong.pem": self.wrong_root.cert_pem}
        for name, cert in self.clients.items():
            files |= {f"{name}.pem": cert.chain_pem, f"{name}.key": cert.key_pem}
        return files

    def entities(self, *services: dict[str, Any], **others: Any) -> dict[str, Any]:
        return {
            "services": list(services),
            "ca_certificates": [
                {"id": GOOD_CA, "cert": self.root.cert_pem},
                {"id": WRONG_CA, "cert": self.wrong_root.cert_pem},
            ],
            "certificates": [
                {"id": CLIENT[name], "cert": self.clients[name].chain_pem,
                 "key": self.clients[name].key_pem}
                for name in CLIENT
            ],
            **others,
        }  # fmt: skip

    def service(self, name: str, host: str, port: int, **fields: Any) -> dict[str, Any]:
        """Make a service behind the port of a plain listener."""
        route = {"protocols": ["tcp"], "destinations": [{"port": port}]}
        return service(name, f"tls://{host}:{self.peer.port}", route, **fields)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    root, wrong_root = pki.ca("Good Root"), pki.ca("Wrong Root")
    leaf = pki.leaf(pki.intermediate(root), "ok.test", "*.wild.test")
    clients = {name: pki.leaf(root, name, client=True) for name in ("a", "b", "global")}
    options = Options(identity=identity(leaf), client_ca=root.cert_pem)
    known = {f"{name}.test": ["127.0.0.1"] for name in ("ok", "other")}
    with dns.name_server(known) as names, upstream(options) as peer:
        yield World(root, wrong_root, peer, names, clients)


def heard(port: int, name: str | None = None, **options: Any) -> dict[str, Any] | None:
    """Give what the upstream saw of TLS, None where the connection came to nothing.

    The first connections may come before nginx has looked a name up.
    """
    for _ in range(20):
        found = ask(port, name, **options)
        if found is not None:
            tls: dict[str, Any] = found.echo["tls"]
            return tls
        time.sleep(0.02)
    return None


VERIFIED: dict[str, Any] = {"tls_verify": True, "ca_certificates": [GOOD_CA]}


def test_verification_by_service(engine: Engine, workdir: Path, world: World) -> None:
    """What passes is the right authority, the right name and a depth that is enough."""
    expected: dict[str, tuple[str, dict[str, Any], bool]] = {
        "unverified": ("other.test", {}, True),
        "good": ("ok.test", VERIFIED | {"tls_verify_depth": 1}, True),
        "wrong-ca": ("ok.test", VERIFIED | {"ca_certificates": [WRONG_CA]}, False),
        "either-ca": ("ok.test", VERIFIED | {"ca_certificates": [WRONG_CA, GOOD_CA]}, True),
        "wrong-name": ("other.test", VERIFIED, False),
        "shallow": ("ok.test", VERIFIED | {"tls_verify_depth": 0}, False),
        "false": ("other.test", {"tls_verify": False}, True),
    }
    with free(len(expected)) as ports:
        by_name = dict(zip(expected, ports, strict=True))
        services = [
            world.service(name, host, by_name[name], **fields)
            for name, (host, fields, _) in expected.items()
        ]
        listen = ", ".join(f"127.0.0.1:{port}" for port in ports)
        conf = world.conf + OFF
        with stream_gateway(engine, workdir, listen, world.entities(*services), conf=conf):
            # Twice round, in both orders: no session of one may serve another.
            for names in (list(expected), list(reversed(expected))):
                for name in names:
                    host, _, passes = expected[name]
                    tls = heard(by_name[name])
                    assert (tls is not None) == passes, name
                    if tls is not None:
                        assert tls["sni"] == host


def test_verification_behind_one_port_by_server_name(
    engine: Engine, workdir: Path, world: World
) -> None:
    """Services that differ in how they verify share a port, and no policy."""
    with free(1) as (port,):
        fields = {
            "good": VERIFIED,
            "wrong": VERIFIED | {"ca_certificates": [WRONG_CA]},
            "none": {},
            "a": {"client_certificate": CLIENT["a"]},
            "b": VERIFIED | {"client_certificate": CLIENT["b"]},
        }
        services = [
            service(
                name, f"tls://ok.test:{world.peer.port}",
                {"protocols": ["tls"], "snis": [f"{name}.gateway.test"]}, **found,
            )
            for name, found in fields.items()
        ]  # fmt: skip
        listen, conf = f"127.0.0.1:{port} ssl", world.conf + OFF
        with stream_gateway(engine, workdir, listen, world.entities(*services), conf=conf):
            for names in (list(fields), list(reversed(fields)), list(fields)):
                for name in names:
                    tls = heard(port, f"{name}.gateway.test")
                    assert (tls is None) == (name == "wrong"), name
                    if tls is None:
                        continue
                    sent = (tls["client"] or {}).get("sha256")
                    own = world.clients.get(name)
                    assert sent == (None if own is None else own.sha256), name


def conf_cases() -> dict[str, tuple[str, str, bool]]:
    sproxy = "nginx_sproxy_proxy_ssl_"
    verify, ca = f"{sproxy}verify = on\n", f"{sproxy}trusted_certificate = "
    deep = f"{sproxy}verify_depth = 1\n"
    return {
        "verified": (f"{OFF}{verify}{ca}root.pem\n{deep}", "ok.test", True),
        "wrong authority": (f"{OFF}{verify}{ca}wrong.pem\n{deep}", "ok.test", False),
        "wrong name": (f"{OFF}{verify}{ca}root.pem\n{deep}", "other.test", False),
        "too shallow": (f"{OFF}{verify}{ca}root.pem\n{sproxy}verify_depth = 0\n", "ok.test", False),
        "in the stream block": (
            (f"{OFF}nginx_stream_proxy_ssl_verify = on\n"
            "nginx_stream_proxy_ssl_trusted_certificate = wrong.pem\n"),
            "ok.test",
            False,
        ),
        "of requests alone": (
            (f"{OFF}nginx_proxy_proxy_ssl_verify = on\n"
            "nginx_http_proxy_ssl_trusted_certificate = wrong.pem\n"),
            "other.test",
            True,
        ),
        "by policy": ("lua_ssl_trusted_certificate = root.pem\n", "ok.test", True),
        "by policy, wrong authority": (
            "lua_ssl_trusted_certificate = wrong.pem\n", "ok.test", False,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("case", conf_cases())
def test_verification_by_settings(engine: Engine, workdir: Path, world: World, case: str) -> None:
    given, host, passes = conf_cases()[case]
    with free(1) as (port,):
        entities = world.entities(world.service("s", host, port))
        with stream_gateway(
            engine, workdir, f"127.0.0.1:{port}", entities,
            conf=world.conf + given, files=world.files,
        ):  # fmt: skip
            assert (heard(port) is not None) == passes


def test_the_clients_name_is_sent_and_verified_with_preserve_host(
    engine: Engine, workdir: Path, world: World
) -> None:
    with free(2) as (port, plain):
        route = {"protocols": ["tcp", "tls"], "preserve_host": True,
                 "destinations": [{"port": port}, {"port": plain}]}  # fmt: skip
        entities = world.entities(
            service("s", f"tls://ok.test:{world.peer.port}", route, **VERIFIED)
        )
        listen, conf = f"127.0.0.1:{port} ssl, 127.0.0.1:{plain}", world.conf + OFF
        with stream_gateway(engine, workdir, listen, entities, conf=conf):
            for _ in range(2):
                for name, sent in (
                    ("x.wild.test", "x.wild.test"), ("bad.test", None), ("ok.test", "ok.test")
                ):  # fmt: skip
                    tls = heard(port, name)
                    assert (tls and tls["sni"]) == sent
                    assert not (tls or {}).get("resumed")
            # Who sends no name, and who speaks no TLS, is served under the service's own.
            for options in ({"tls": True}, {"port": plain}):
                tls = heard(**{"port": port, **options})
                assert tls is not None
                assert tls["sni"] == "ok.test"


def test_an_upstreams_host_header_names_it(engine: Engine, workdir: Path, world: World) -> None:
    with free(3) as ports:
        targets = [{"target": f"127.0.0.1:{world.peer.port}"}]
        upstreams = [
            {"name": "named", "host_header": f"ok.test:{world.peer.port}", "targets": targets,
             "client_certificate": CLIENT["a"]},
            {"name": "misnamed", "host_header": "bad.test", "targets": targets},
            {"name": "unnamed", "targets": targets},
        ]  # fmt: skip
        services = [
            world.service(name, name, port, **({} if name == "unnamed" else VERIFIED))
            for name, port in zip(("named", "misnamed", "unnamed"), ports, strict=True)
        ]
        entities = world.entities(*services, upstreams=upstreams)
        listen = ", ".join(f"127.0.0.1:{port}" for port in ports)
        conf = "client_ssl = on\nclient_ssl_cert = global.pem\nclient_ssl_cert_key = global.key\n"
        with stream_gateway(engine, workdir, listen, entities, conf=conf + OFF, files=world.files):
            named, misnamed, unnamed = (heard(port) for port in ports)
            assert named is not None
            assert (named["sni"], named["client"]["sha256"]) == (
                "ok.test", world.clients["a"].sha256,
            )  # fmt: skip
            assert misnamed is None
            assert unnamed is not None
            assert (unnamed["sni"], unnamed["client"]["sha256"]) == (
                None, world.clients["global"].sha256,
            )  # fmt: skip


def test_passthrough_begins_no_tls_of_its_own(engine: Engine, workdir: Path, world: World) -> None:
    with free(1) as (port,):
        route = {"protocols": ["tls_passthrough"], "snis": ["ok.test"]}
        entities = world.entities(
            service("s", f"tls://127.0.0.1:{world.peer.port}", route,
                    client_certificate=CLIENT["a"])
        )  # fmt: skip
        with stream_gateway(engine, workdir, f"127.0.0.1:{port} ssl", entities) as served:
            assert "K390" in served.compiled.stderr
            tls = heard(port, "ok.test")
            assert tls is not None
            assert (tls["sni"], tls["client"]) == ("ok.test", None)
            assert asked(port, "other.test") is None


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "an address": ("127.0.0.1", VERIFIED, "K389"),
    "an address, by policy": ("127.0.0.1", {}, "K389"),
    "no authority": ("ok.test", {"tls_verify": True}, "K321"),
    "against the policy": ("ok.test", {"tls_verify": False}, "K320"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_verified_is_refused(workdir: Path, world: World, case: str) -> None:
    host, fields, code = REFUSED[case]
    conf = f"stream_listen = 127.0.0.1:1\nproxy_listen = off\n{world.conf}"
    conf += OFF if code == "K321" or case == "an address" else ""
    entities = {"_format_version": "3.0", **world.entities(world.service("s", host, 1, **fields))}
    found = check(workdir, {"kong.conf": conf, "kong.yml": entities, **world.files},
                  system_ca="root.pem")  # fmt: skip
    assert [each["code"] for each in found[1] if each["severity"] == "error"] == [code]
