"""Certificates that Lua keeps in memory: who may read them, and what broken ones do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import engines, pki
from support.gateway import compile_tree, gateway
from support.streams import free, service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.client import RawResult
    from support.engines import Engine
    from support.gateway import Gateway

pytestmark = pytest.mark.debian

CONF = "ssl_cert = d.pem\nssl_cert_key = d.key\nnginx_worker_processes = 2\n"
DATA = "lua/data/certificates.json"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts workers as others")


@pytest.fixture(scope="module")
def openresty() -> Engine:
    return engines.find("openresty")


@pytest.fixture(scope="module")
def certs() -> dict[str, pki.Cert]:
    found = {name: pki.self_signed(f"{name}.test") for name in ("default", "a", "b", "c")}
    return found | {"rsa": pki.self_signed("a.test", key="rsa")}


def files(certs: dict[str, pki.Cert], conf: str = "", **snis: str) -> dict[str, Any]:
    """Give a gateway that serves `snis`, each by the certificate of a name."""
    entities = [
        {
            "cert": certs[cert].cert_pem,
            "key": certs[cert].key_pem,
            "snis": [{"name": f"{sni}.test"}],
        }
        for sni, cert in snis.items()
    ]
    for entity in entities:
        if entity["snis"] == [{"name": "a.test"}] and "rsa" in certs:
            entity |= {"cert_alt": certs["rsa"].cert_pem, "key_alt": certs["rsa"].key_pem}
    return {
        "kong.conf": CONF + conf,
        "kong.yml": {"_format_version": "3.0", "certificates": entities},
        "d.pem": certs["default"].cert_pem,
        "d.key": certs["default"].key_pem,
    }


@pytest.fixture
def served(openresty: Engine, workdir: Path, certs: dict[str, pki.Cert]) -> Iterator[Gateway]:
    with gateway(openresty, workdir, files(certs, a="a", b="b", c="c")) as running:
        yield running


def sent(served: Gateway, name: str | None, auth: Any = "any") -> str | None:
    result: RawResult = served.raw_handshake(None if name is None else name.encode(), auth)
    return result.sha256 if result.leaf_der is not None else None


def nginx(served: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    command = [served.running.engine.binary, "-p", served.tree, "-c", "nginx.conf", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@AS_ROOT
def test_workers_serve_with_keys_that_they_cannot_read(
    served: Gateway, certs: dict[str, pki.Cert]
) -> None:
    keys = [path.stat() for path in (served.tree / "tls/keys").iterdir()]
    assert {(key.st_uid, key.st_mode & 0o777) for key in keys} == {(0, 0o600)}
    for worker in served.running.workers():
        assert "\nUid:\t0\t" not in Path(f"/proc/{worker}/status").read_text()
    assert sent(served, "a.test", "ecdsa") == certs["a"].sha256


def test_handshakes_need_no_file_once_nginx_runs(
    served: Gateway, certs: dict[str, pki.Cert]
) -> None:
    for path in [*(served.tree / "tls").rglob("*.pem"), *(served.tree / "lua").rglob("*.*")]:
        path.unlink()
    # More often than there are workers, so that each of them is asked.
    for _ in range(10):
        assert sent(served, "a.test", "ecdsa") == certs["a"].sha256
        assert sent(served, "a.test", "rsa") == certs["rsa"].sha256
        assert sent(served, "b.test") == certs["b"].sha256
        assert sent(served, "other.test") == certs["default"].sha256
        assert sent(served, None) == certs["default"].sha256
    assert "[error]" not in served.error_log()


def test_a_reload_takes_new_certificates_and_forgets_old_ones(
    served: Gateway, workdir: Path, certs: dict[str, pki.Cert]
) -> None:
    conf = (workdir / "kong.conf").read_text().removeprefix(CONF)
    compile_tree(served.running.engine, workdir, files(certs, conf, a="c", b="b"))
    assert sent(served, "a.test", "ecdsa") == certs["a"].sha256
    served.reload()
    assert sent(served, "a.test", "ecdsa") == certs["c"].sha256
    assert sent(served, "b.test") == certs["b"].sha256
    assert sent(served, "c.test") == certs["default"].sha256


def files_of(served: Gateway, name: str, pair: int = 0) -> list[Path]:
    tables = json.loads((served.tree / DATA).read_text())
    return [served.tree / path for path in tables["exact"][name][pair]]


@pytest.mark.parametrize("part", [0, 1], ids=["certificate", "key"])
@pytest.mark.parametrize("fault", ["missing", "altered"])
def test_a_file_that_is_not_what_was_compiled_keeps_nginx_as_it_is(
    served: Gateway, certs: dict[str, pki.Cert], part: int, fault: str
) -> None:
    path = files_of(served, "b.test")[part]
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(files_of(served, "c.test")[part].read_bytes())
    served.running.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while "init_by_lua_file error" not in (said := served.error_log()):
        assert time.monotonic() < deadline, said
        time.sleep(0.01)
    assert f"tls/{path.parent.name}/{path.name}" in said
    assert ("cannot read" if fault == "missing" else "is not what was compiled") in said
    assert sent(served, "b.test") == certs["b"].sha256
    assert nginx(served, "-s", "stop").returncode == 0
    served.running.process.wait(10)
    started = nginx(served, "-g", "daemon off;")
    assert started.returncode != 0


def put_in_place_of(served: Gateway, broken: Path, text: str) -> None:
    """Have a file read in place of another, as if the compiler had written it."""
    fake = broken.with_name(f"{sha256(text.encode()).hexdigest()}.pem")
    fake.write_text(text)
    data = served.tree / DATA
    before = data.read_text()
    assert before.count(broken.name) == 1
    data.write_text(before.replace(broken.name, fake.name))
    served.reload()


@pytest.mark.parametrize("fault", ["certificate", "key", "another key"])
def test_a_certificate_that_cannot_be_used_ends_the_handshake(
    served: Gateway, certs: dict[str, pki.Cert], fault: str
) -> None:
    certificate, key = files_of(served, "b.test")
    text = certs["default"].key_pem if fault == "another key" else "-----BEGIN NOTHING-----\n"
    put_in_place_of(served, certificate if fault == "certificate" else key, text)
    for _ in range(3):
        refused = served.raw_handshake(b"b.test")
        assert refused.leaf_der is None
        assert refused.alert is not None
    assert sent(served, "c.test") == certs["c"].sha256
    assert sent(served, "other.test") == certs["default"].sha256
    said = served.error_log()
    assert "no certificate for b.test" in said
    assert "PRIVATE" not in said


def test_half_of_a_certificate_is_none(served: Gateway, certs: dict[str, pki.Cert]) -> None:
    assert sent(served, "a.test", "ecdsa") == certs["a"].sha256
    put_in_place_of(served, files_of(served, "a.test", 1)[1], "-----BEGIN NOTHING-----\n")
    for auth in ("ecdsa", "rsa"):
        assert sent(served, "a.test", auth) is None


def test_an_error_in_lua_ends_the_handshake(served: Gateway) -> None:
    path = served.tree / "lua/kcompile/certificates.lua"
    path.write_text(path.read_text().replace("ssl.clear_certs()", "ssl.no_such_function()"))
    served.reload()
    assert sent(served, "a.test") is None


def test_names_of_a_certificate_share_it(
    openresty: Engine, workdir: Path, certs: dict[str, pki.Cert]
) -> None:
    given = files(certs, b="b")
    given["kong.yml"]["certificates"][0]["snis"] = [{"name": f"{n}.test"} for n in range(50)]
    with gateway(openresty, workdir, given) as served:
        rows = (served.tree / DATA).read_text().splitlines()
        assert len([row for row in rows if ".test" in row]) == 50
        assert sent(served, "49.test") == certs["b"].sha256


def test_more_certificates_than_are_kept_parsed(
    openresty: Engine, workdir: Path, certs: dict[str, pki.Cert]
) -> None:
    with gateway(openresty, workdir, files(certs, a="a", b="b", c="c")) as served:
        path = served.tree / "lua/kcompile/certificates.lua"
        text, found = re.subn(r"(local PARSED\w* =) \d+", r"\1 2", path.read_text())
        assert found == 2
        path.write_text(text)
        served.reload()
        for _ in range(20):
            assert [sent(served, f"{name}.test", "ecdsa") for name in "abc"] == [
                certs[name].sha256 for name in "abc"
            ]


def render(engine: Engine, folder: Path, given: dict[str, Any], *args: str) -> tuple[int, str]:
    conf = "proxy_listen = 127.0.0.1:8443 ssl\nadmin_listen = off\nadmin_gui_listen = off\n"
    given = {**given, "kong.conf": f"{given['kong.conf']}status_listen = off\n{conf}"}
    done = compile_tree(engine, folder, given, args=args, exit_code=None)
    return done.exit_code, done.stderr


def test_a_test_of_the_tree_runs_what_lua_does_at_the_start(
    openresty: Engine, workdir: Path, certs: dict[str, pki.Cert]
) -> None:
    assert render(openresty, workdir, files(certs, a="a"), "--test")[0] == 0
    # Without `;;` Lua looks nowhere else, and finds no libraries.
    nowhere = "nginx_http_lua_package_path = '/nowhere/?.lua'\n"
    code, said = render(openresty, workdir, files(certs, nowhere, a="a"), "--test")
    assert code == 1
    assert "module" in said
    assert "not found" in said


def test_injected_lua_is_kept(openresty: Engine, workdir: Path, certs: dict[str, pki.Cert]) -> None:
    (workdir / "mine").mkdir()
    (workdir / "mine/greeting.lua").write_text("return 'hello from a library'\n")
    (workdir / "mine/begin.lua").write_text("ngx.log(ngx.NOTICE, require('greeting'))\n")
    conf = (
        f"nginx_http_lua_package_path = '{workdir}/mine/?.lua;;'\n"
        f"nginx_http_init_worker_by_lua_file = {workdir}/mine/begin.lua\n"
    )
    with gateway(openresty, workdir, files(certs, conf, a="a")) as served:
        assert sent(served, "a.test", "ecdsa") == certs["a"].sha256
        assert "hello from a library" in served.error_log()


def owners(tree: Path, certs: Sequence[pki.Cert]) -> set[int]:
    digests = {sha256(cert.key_pem.encode()).hexdigest() for cert in certs}
    found = [path for path in (tree / "tls/keys").iterdir() if path.stem in digests]
    assert len(found) == len(digests)
    return {path.stat().st_uid for path in found}


@AS_ROOT
def test_workers_may_read_the_keys_that_streams_serve(
    openresty: Engine, workdir: Path, certs: dict[str, pki.Cert]
) -> None:
    with free(1) as (port,):
        conf = f"stream_listen = 127.0.0.1:{port} ssl\n"
        given = files(certs, conf, b="b")
        given["kong.yml"]["services"] = [
            service("s", "tcp://127.0.0.1:9", {"protocols": ["tls"], "snis": ["b.test"]})
        ]
        with gateway(openresty, workdir, given) as served:
            assert 0 not in owners(served.tree, [certs["b"], certs["default"]])
            assert sent(served, "b.test") == certs["b"].sha256
            result = served.raw_handshake(b"b.test", port=port)
            assert result.sha256 == certs["b"].sha256
