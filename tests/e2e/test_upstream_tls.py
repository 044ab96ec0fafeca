from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import dns, pki
from support.gateway import check, compile_tree, gateway
from support.upstreams import Options, identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.dns import NameServer
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

GOOD_CA = "aaaaaaaa-0000-4000-8000-000000000001"
WRONG_CA = "aaaaaaaa-0000-4000-8000-000000000002"
CLIENT = {name: f"cccccccc-0000-4000-8000-00000000000{i}" for i, name in enumerate("ab")}


@dataclass(frozen=True)
class World:
    """Upstreams on 127.0.0.1 for every name that ends in .test, and who signed them."""

    root: pki.Cert
    wrong_root: pki.Cert
    flat: Upstream  # no intermediate between its certificate and the root
    deep: Upstream  # one intermediate
    names: NameServer
    clients: dict[str, pki.Cert]

    @property
    def files(self) -> dict[str, str]:
        files = {"root.pem": self.root.cert_pem, "wrong.pem": self.wrong_root.cert_pem}
        for name, cert in self.clients.items():
            files |= {f"{name}.pem": cert.chain_pem, f"{name}.key": cert.key_pem}
        return files

    @property
    def conf(self) -> str:
        return f"dns_resolver = 127.0.0.1:{self.names.port}\nnginx_worker_processes = 1\n"

    @property
    def entities(self) -> dict[str, Any]:
        return {
            "_format_version": "3.0",
            "ca_certificates": [
                {"id": GOOD_CA, "cert": self.root.cert_pem},
                {"id": WRONG_CA, "cert": self.wrong_root.cert_pem},
            ],
            "certificates": [
                {
                    "id": CLIENT[name],
                    "cert": self.clients[name].chain_pem,
                    "key": self.clients[name].key_pem,
                }
                for name in CLIENT
            ],
        }


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    root, wrong_root = pki.ca("Good Root"), pki.ca("Wrong Root")
    middle = pki.intermediate(root)
    names = ("ok.test", "other.test", "*.wild.test")
    client_middle = pki.intermediate(pki.intermediate(root, "One"), "Two")
    clients = {name: pki.leaf(client_middle, name, client=True) for name in ("a", "b", "global")}
    trusted = "".join(cert.cert_pem for cert in client_middle.path)
    flat = Options(identity=identity(pki.leaf(root, *names)), client_ca=trusted)
    deep = Options(identity=identity(pki.leaf(middle, *names)), client_ca=trusted)
    known = {f"{name}.test": ["127.0.0.1"] for name in ("ok", "unlisted", "target")}
    with dns.name_server(known) as server, upstream(flat) as one, upstream(deep) as two:
        yield World(root, wrong_root, one, two, server, clients)


def route(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "paths": [f"/{name}/"], **fields}


# -- every combination of the service's fields with the global settings


@dataclass(frozen=True)
class Global:
    """What kong.conf says of all upstreams."""

    verify: bool | None
    ca: str | None
    depth: int | None = None

    @property
    def conf(self) -> str:
        switch = {None: None, True: "on", False: "off"}[self.verify]
        given = {
            "verify": switch,
            "trusted_certificate": self.ca and f"{self.ca}.pem",
            "verify_depth": self.depth,
        }
        return "".join(
            f"nginx_proxy_proxy_ssl_{name} = {value}\n"
            for name, value in given.items()
            if value is not None
        )


@dataclass(frozen=True)
class Fields:
    """What a service says of its upstream, and what that upstream is."""

    verify: bool | None
    cas: tuple[str, ...] | None
    depth: int | None
    named_right: bool
    deep: bool

    def works(self, own: Global) -> bool | None:
        """Tell whether the upstream is reached; None: it cannot be compiled."""
        if not (own.verify if self.verify is None else self.verify):
            return True
        cas = self.cas or (own.ca and (own.ca,))
        if not cas:
            return None
        depth = self.depth if self.depth is not None else own.depth
        depth = 1 if depth is None else depth
        return "root" in cas and self.named_right and depth >= self.deep

    def service(self, name: str, world: World) -> dict[str, Any]:
        ids = {"root": GOOD_CA, "wrong": WRONG_CA}
        fields = {
            "tls_verify": self.verify,
            "ca_certificates": None if self.cas is None else [ids[ca] for ca in self.cas],
            "tls_verify_depth": self.depth,
        }
        return {
            "name": name,
            "protocol": "https",
            "host": "ok.test" if self.named_right else "unlisted.test",
            "port": (world.deep if self.deep else world.flat).port,
            "routes": [route(name)],
            **{key: value for key, value in fields.items() if value is not None},
        }


GLOBALS = [
    Global(None, None),
    Global(verify=False, ca="root"),
    Global(verify=True, ca=None),
    Global(verify=True, ca="root"),
    Global(verify=True, ca="wrong", depth=0),
    Global(verify=None, ca="root", depth=2),
]
ALL_FIELDS = [
    Fields(*values)
    for values in itertools.product(
        (None, True, False),
        (None, ("root",), ("wrong",), ("root", "wrong")),
        (None, 0, 1),
        (True, False),
        (True, False),
    )
]


@pytest.mark.parametrize("own", GLOBALS, ids=str)
def test_every_combination_of_tls_fields_and_global_settings(
    engine: Engine, workdir: Path, world: World, own: Global
) -> None:
    compiled = {
        f"s{number}": fields
        for number, fields in enumerate(ALL_FIELDS)
        if fields.works(own) is not None
    }
    entities = world.entities
    entities["services"] = [fields.service(name, world) for name, fields in compiled.items()]
    files = {**world.files, "kong.conf": world.conf + own.conf, "kong.yml": entities}
    # The version's own default depth is 1, and it has no tls_certificate_verify.
    with gateway(engine, workdir, files, args=["--kong-version", "3.11"]) as served:
        for name, fields in compiled.items():
            status = served.get("gateway.test", f"/{name}/").status
            assert status == (200 if fields.works(own) else 502), fields
    refused = [f for f in ALL_FIELDS if f.works(own) is None]
    if refused:
        entities["services"] = [f.service(f"s{i}", world) for i, f in enumerate(refused)]
        _, found = check(workdir, {**files, "kong.yml": entities}, kong_version="3.11")
        named = {each["entity"]["name"] for each in found if each["code"] == "K321"}
        assert named == {f"s{i}" for i in range(len(refused))}


def test_the_default_depth_is_that_of_the_patch_release(
    engine: Engine, workdir: Path, world: World
) -> None:
    two = pki.leaf(pki.intermediate(pki.intermediate(world.root, "X"), "Y"), "ok.test")
    with upstream(Options(identity=identity(two))) as deeper:
        service = {"protocol": "https", "host": "ok.test", "port": deeper.port, "tls_verify": True}
        own = {"ca_certificates": [GOOD_CA], "name": "s", "routes": [route("s")]}
        entities = {**world.entities, "services": [{**service, **own}]}
        files = {"kong.conf": world.conf, "kong.yml": entities}
        for version, status in (("3.12.0.8", 502), ("3.12.0.9", 200)):
            with gateway(engine, workdir, files, args=["--kong-version", version]) as served:
                assert served.get("x.test", "/s/").status == status


def test_the_name_that_the_documentation_gives_is_understood_with_a_warning(
    engine: Engine, workdir: Path, world: World
) -> None:
    conf = world.conf + (
        "tls_certificate_verify = off\n"
        "nginx_proxy_proxy_tls_verify = on\n"
        "nginx_proxy_proxy_ssl_trusted_certificate = root.pem\n"
    )
    shapes = {"right": (True, False), "wrong": (False, False)}
    services = [
        Fields(None, None, None, *shape).service(name, world) for name, shape in shapes.items()
    ]
    entities = {**world.entities, "services": services}
    files = {**world.files, "kong.conf": conf, "kong.yml": entities}
    with gateway(engine, workdir, files) as served:
        assert "nginx_proxy_proxy_tls_verify" in served.compiled.stderr
        assert "warning" in served.compiled.stderr
        assert served.get("x.test", "/right/").status == 200
        assert served.get("x.test", "/wrong/").status == 502


# -- which name is sent and verified


@dataclass(frozen=True)
class Named:
    gateway: Gateway
    world: World

    def echo(self, host: str, path: str) -> dict[str, Any]:
        answer = self.gateway.get(host, path)
        assert answer.status == 200, answer.text
        return dict(answer.json())

    def status(self, host: str, path: str) -> int:
        return self.gateway.get(host, path).status


@pytest.fixture(scope="module")
def named(engine: Engine, folder: Path, world: World) -> Iterator[Named]:
    port = world.flat.port
    verified = {"protocol": "https", "tls_verify": True, "ca_certificates": [GOOD_CA]}
    plain = {"protocol": "https"}

    def service(name: str, host: str, tls: Mapping[str, Any], *routes: Any) -> dict[str, Any]:
        return {"name": name, "host": host, "port": port, "routes": list(routes), **tls}

    entities = {
        **world.entities,
        "services": [
            service("host", "ok.test", verified, route("host")),
            service("address", "127.0.0.1", plain, route("address")),
            service(
                "preserve",
                "unlisted.test",
                verified,
                route("exact", hosts=["ok.test", "bad.test", "MIXED.wild.test"],
                      preserve_host=True),
                route("wild", hosts=["*.wild.test", "*.bad.test"], preserve_host=True),
                route("any", preserve_host=True),
            ),
            service("group", "group-with-host", verified, route("group-with-host")),
            service("bare", "group-of-addresses", plain, route("group-of-addresses")),
            service("one", "group-of-one-name", verified, route("group-of-one-name")),
            service(
                "both", "group-with-host", verified, route("both", hosts=["other.test", "no.test"],
                                                          preserve_host=True)
            ),
        ],
        "upstreams": [
            {"name": "group-with-host", "host_header": "other.test",
             "targets": [{"target": f"127.0.0.1:{port}"}]},
            {"name": "group-of-addresses",
             "targets": [{"target": f"127.0.0.1:{port}"}]},
            {"name": "group-of-one-name", "targets": [{"target": f"ok.test:{port}"}]},
        ],
    }  # fmt: skip
    conf = world.conf + "tls_certificate_verify = off\n"
    args = ["--names-at-start"]
    with gateway(engine, folder, {"kong.conf": conf, "kong.yml": entities}, args=args) as served:
        yield Named(served, world)


def host_of(echo: dict[str, Any]) -> str:
    return next(value for name, value in echo["headers"] if name == "Host")


def test_a_service_host_is_sent_and_verified(named: Named) -> None:
    echo = named.echo("x.test", "/host/")
    assert echo["tls"]["sni"] == "ok.test"
    assert host_of(echo) == f"ok.test:{named.world.flat.port}"


@pytest.mark.parametrize("path", ["/address/", "/group-of-addresses/"])
def test_no_sni_is_sent_to_addresses(named: Named, path: str) -> None:
    echo = named.echo("x.test", path)
    assert echo["tls"]["sni"] is None
    assert host_of(echo) == f"127.0.0.1:{named.world.flat.port}"


@pytest.mark.parametrize(
    ("host", "path", "sni"),
    [
        ("ok.test", "/exact/", "ok.test"),
        ("OK.test:8443", "/exact/", "ok.test"),
        ("mixed.wild.test", "/exact/", "mixed.wild.test"),
        ("a.wild.test", "/wild/", "a.wild.test"),
        ("b.wild.test:1234", "/wild/", "b.wild.test"),
        ("other.test", "/any/", "other.test"),
        ("ok.test", "/any/", "ok.test"),
    ],
)
def test_with_preserve_host_the_clients_host_is_sent_and_verified(
    named: Named, host: str, path: str, sni: str
) -> None:
    echo = named.echo(host, path)
    assert echo["tls"]["sni"] == sni
    assert host_of(echo) == host


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("bad.test", "/exact/"),
        ("a.bad.test", "/wild/"),
        ("a.b.wild.test", "/wild/"),
        ("unlisted.test", "/any/"),
        ("127.0.0.1", "/any/"),
        ("no.test", "/both/"),
    ],
)
def test_with_preserve_host_a_host_that_the_certificate_is_not_for_fails(
    named: Named, host: str, path: str
) -> None:
    assert named.status(host, path) == 502


def test_the_host_header_of_an_upstream_is_sent_and_verified(named: Named) -> None:
    echo = named.echo("x.test", "/group-with-host/")
    assert echo["tls"]["sni"] == "other.test"
    assert host_of(echo) == "other.test"


def test_preserve_host_wins_over_the_host_header_of_an_upstream(named: Named) -> None:
    echo = named.echo("other.test", "/both/")
    assert (echo["tls"]["sni"], host_of(echo)) == ("other.test", "other.test")
    assert named.status("no.test", "/both/") == 502


def test_the_name_of_a_single_target_is_sent_and_verified(named: Named) -> None:
    echo = named.echo("x.test", "/group-of-one-name/")
    assert echo["tls"]["sni"] == "ok.test"
    assert host_of(echo) == f"ok.test:{named.world.flat.port}"


def test_the_name_of_an_upstream_group_is_never_sent(named: Named) -> None:
    for host, path in (("x.test", "/group-with-host/"), ("x.test", "/group-of-addresses/"),
                       ("x.test", "/group-of-one-name/")):  # fmt: skip
        echo = named.echo(host, path)
        assert "group" not in str(echo["tls"]["sni"])
        assert "group" not in host_of(echo)


def test_targets_with_several_names_are_refused_over_tls(
    engine: Engine, workdir: Path, world: World
) -> None:
    targets = [{"target": "ok.test:443"}, {"target": "target.test:443"}]
    entities = {
        **world.entities,
        "services": [{"name": "s", "protocol": "https", "host": "group", "routes": [route("s")]}],
        "upstreams": [{"name": "group", "targets": targets}],
    }
    files = {"kong.conf": "tls_certificate_verify = off\n", "kong.yml": entities}
    args = ["--names-at-start"]
    refused = compile_tree(engine, workdir, files, args=args, exit_code=1)
    assert "K352" in refused.stderr
    assert not refused.tree.exists()


# -- client certificates


@contextlib.contextmanager
def with_clients(
    engine: Engine, folder: Path, world: World, *, conf: str
) -> Iterator[tuple[Gateway, World]]:
    def service(name: str, host: str, certificate: str | None = None) -> dict[str, Any]:
        made = {"name": name, "protocol": "https", "host": host, "port": world.flat.port}
        if certificate is not None:
            made["client_certificate"] = {"id": CLIENT[certificate]}
        return {**made, "routes": [route(name)]}

    target = [{"target": f"127.0.0.1:{world.flat.port}"}]
    entities = {
        **world.entities,
        "services": [
            service("none", "127.0.0.1"),
            service("named", "ok.test"),
            service("own", "127.0.0.1", "a"),
            service("upstream", "with-b"),
            service("own-and-upstream", "with-b", "a"),
            service("upstream-without", "without"),
        ],
        "upstreams": [
            {"name": "with-b", "client_certificate": {"id": CLIENT["b"]}, "targets": target},
            {"name": "without", "targets": target},
        ],
    }
    files = {
        **world.files,
        "kong.conf": world.conf + "tls_certificate_verify = off\n" + conf,
        "kong.yml": entities,
    }
    with gateway(engine, folder, files) as served:
        yield served, world


def presented(served: Gateway, path: str, world: World) -> tuple[str, int] | None:
    answer = served.get("x.test", path)
    assert answer.status == 200, answer.text
    shown = answer.json()["tls"]["client"]
    if shown is None:
        return None
    names = {cert.sha256: name for name, cert in world.clients.items()}
    return names[shown["sha256"]], shown["chain_length"]


def test_client_certificates_service_over_upstream_over_global(
    engine: Engine, workdir: Path, world: World
) -> None:
    conf = "client_ssl = on\nclient_ssl_cert = global.pem\nclient_ssl_cert_key = global.key\n"
    with with_clients(engine, workdir, world, conf=conf) as (served, _):
        for path, expected in {
            "/none/": "global",
            "/named/": "global",
            "/own/": "a",
            "/upstream/": "b",
            "/own-and-upstream/": "a",
            "/upstream-without/": "global",
        }.items():
            # The leaf and both intermediates.
            assert presented(served, path, world) == (expected, 3), path


def test_without_client_ssl_only_entities_present_certificates(
    engine: Engine, workdir: Path, world: World
) -> None:
    conf = "client_ssl_cert = global.pem\nclient_ssl_cert_key = global.key\n"
    with with_clients(engine, workdir, world, conf=conf) as (served, _):
        assert served.compiled.stderr.count("warning[K314]") == 2
        assert "client_ssl is off" in served.compiled.stderr
        assert presented(served, "/none/", world) is None
        assert presented(served, "/named/", world) is None
        assert presented(served, "/own/", world) == ("a", 3)
        assert presented(served, "/upstream/", world) == ("b", 3)
