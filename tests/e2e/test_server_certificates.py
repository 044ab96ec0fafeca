from __future__ import annotations

import base64
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from support import client, pki, ports
from support.gateway import compile_tree, gateway
from support.upstreams import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway

FORMAT = {"_format_version": "3.0"}


class Served:
    """A gateway whose listener groups have certificates given in different ways."""

    def __init__(self, served: Gateway, pairs: dict[str, tuple[pki.Cert, pki.Cert]]) -> None:
        self.gateway = served
        self.pairs = pairs
        self.ports = {"proxy": served.https_port}


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    root = pki.ca()
    middle = pki.intermediate(root)
    pairs = {
        group: (pki.leaf(middle, f"{group}.test", key="rsa"), pki.leaf(middle, f"{group}.test"))
        for group in ("proxy", "admin", "admin_gui", "status")
    }
    with ports.reserve(3) as reserved:
        listeners = dict(zip(("admin", "admin_gui", "status"), reserved, strict=True))
        conf = (
            "ssl_cert = certs/rsa.pem, certs/ec.pem\nssl_cert_key = certs/rsa.key, certs/ec.key\n"
        )
        for group, port in listeners.items():
            conf += f"{group}_listen = 127.0.0.1:{port} ssl\n"
        rsa, ec = pairs["admin"]
        conf += f"admin_ssl_cert = {in_base64(rsa.chain_pem)}, {in_base64(ec.chain_pem)}\n"
        conf += f"admin_ssl_cert_key = {in_base64(rsa.key_pem)}, {in_base64(ec.key_pem)}\n"
        rsa, ec = pairs["status"]
        environment = {
            "KONG_ADMIN_GUI_SSL_CERT": pairs["admin_gui"][0].chain_pem,
            "KONG_ADMIN_GUI_SSL_CERT_KEY": pairs["admin_gui"][0].traditional_key_pem,
            "KONG_STATUS_SSL_CERT": f"{rsa.chain_pem},{ec.chain_pem}",
            "KONG_STATUS_SSL_CERT_KEY": f"{rsa.key_pem},{ec.key_pem}",
        }
        files = {
            "kong.conf": conf,
            "kong.yml": FORMAT,
            "certs/rsa.pem": pairs["proxy"][0].chain_pem,
            "certs/rsa.key": pairs["proxy"][0].key_pem,
            "certs/ec.pem": pairs["proxy"][1].chain_pem,
            "certs/ec.key": pairs["proxy"][1].traditional_key_pem,
        }
        with gateway(engine, folder, files, environment=environment) as running:
            found = Served(running, pairs)
            found.ports |= listeners
            yield found


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", [None, "proxy.test", "other.test"])
@pytest.mark.parametrize("auth", ["rsa", "ecdsa"])
def test_ssl_cert_files_serve_rsa_and_ec_by_what_the_client_can(
    served: Served, auth: client.Auth, name: str | None
) -> None:
    expected = served.pairs["proxy"][auth == "ecdsa"]
    assert served.gateway.handshake(name, auth=auth).sha256 == expected.sha256
    raw = None if name is None else name.encode()
    sent = served.gateway.raw_handshake(raw, auth, version="1.3")
    assert sent.chain_ders == [cert.der for cert in expected.sent]


@pytest.mark.parametrize("auth", ["rsa", "ecdsa"])
@pytest.mark.parametrize("group", ["admin", "status"])
def test_a_group_serves_its_own_pairs(served: Served, group: str, auth: client.Auth) -> None:
    expected = served.pairs[group][auth == "ecdsa"]
    result = client.raw_handshake(served.ports[group], b"x.test", auth)
    assert result.chain_ders == [cert.der for cert in expected.sent]


def test_pem_text_in_the_environment_is_served(served: Served) -> None:
    result = client.raw_handshake(served.ports["admin_gui"], None)
    assert result.sha256 == served.pairs["admin_gui"][0].sha256


def test_status_answers_what_nginx_knows(served: Served) -> None:
    answer = client.https_request(served.ports["status"], "status.test", "/status")
    assert answer.status == 200
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert answer.json()["server"]["worker_pid"] > 0


@pytest.mark.parametrize("group", ["admin", "admin_gui", "status"])
def test_nothing_else_is_found_on_control_listeners(served: Served, group: str) -> None:
    answer = client.https_request(served.ports[group], "x.test", "/services")
    assert answer.status == 404
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert answer.json()["message"] == "Not found"
    assert answer.json()["request_id"]


def test_keys_are_private_and_readable_by_nginx_alone(served: Served) -> None:
    keys = list((served.gateway.tree / "tls/keys").iterdir())
    assert keys
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}


def test_a_self_signed_pair_is_made_once_and_kept(engine: Engine, workdir: Path) -> None:
    files: dict[str, dict[str, object]] = {"kong.yml": {**FORMAT, "services": []}}
    with gateway(engine, workdir, files) as served:
        assert re.search(r"warning\[K313\].*ssl_cert.*self-signed", served.compiled.stderr)
        first = {auth: served.handshake(None, auth=auth).sha256 for auth in ("rsa", "ecdsa")}
        assert len(set(first.values())) == 2
        before = (served.tree / "nginx.conf").read_text()
        again = compile_tree(
            engine, workdir, {name: (workdir / name).read_bytes() for name in ("kong.conf", *files)}
        )
        assert "self-signed" in again.stderr
        assert (served.tree / "nginx.conf").read_text() == before
        served.reload()
        kept = {auth: served.handshake("a.test", auth=auth).sha256 for auth in ("rsa", "ecdsa")}
    assert kept == first


def test_rendering_over_a_running_nginx_and_reloading_serves_the_new_tree(
    engine: Engine, workdir: Path
) -> None:
    one, other = pki.self_signed("a.test"), pki.self_signed("a.test")
    with upstream() as peer:

        def entities(path: str, cert: pki.Cert) -> dict[str, object]:
            service = {"name": "s", "host": "127.0.0.1", "port": peer.port}
            sni = [{"name": "a.test"}]
            return {
                **FORMAT,
                "services": [{**service, "routes": [{"name": "r", "paths": [path]}]}],
                "certificates": [{"cert": cert.cert_pem, "key": cert.key_pem, "snis": sni}],
            }

        with gateway(engine, workdir, {"kong.yml": entities("/old", one)}) as served:
            pid_file = served.tree / "logs" / "nginx.pid"
            assert int(pid_file.read_text()) == served.running.pid
            assert served.get("a.test", "/old").status == 200
            assert served.handshake("a.test").sha256 == one.sha256
            conf = (workdir / "kong.conf").read_text()
            for cert, path, gone in ((other, "/new", "/old"), (one, "/newer", "/new")):
                files = {"kong.conf": conf, "kong.yml": entities(path, cert)}
                compile_tree(engine, workdir, files)
                assert int(pid_file.read_text()) == served.running.pid
                reload_by_hand(engine, served)
                assert served.get("a.test", path).status == 200
                assert served.get("a.test", gone).status == 404
                assert served.handshake("a.test").sha256 == cert.sha256
            log = (served.tree / "logs" / "access.log").read_text()
            assert "/old" in log
            assert "/newer" in log


def reload_by_hand(engine: Engine, served: Gateway) -> None:
    """Do as an administrator does, then wait for the new workers."""
    old = set(served.running.workers())
    command = [engine.binary, "-p", served.tree, "-c", "nginx.conf", "-s", "reload"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    while not (now := set(served.running.workers())) or now & old:
        assert "[emerg]" not in served.error_log()
