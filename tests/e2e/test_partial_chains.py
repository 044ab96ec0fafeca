"""Authorities that others certify, as the end of a client's chain (allow_partial_chain)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import pki, ports
from support.client_certs import client, revocations
from support.gateway import check, compile_tree, gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.engines import Engine
    from support.gateway import Gateway

ROOT = client(None, "Root", authority=True)
BETWEEN = client(ROOT, "Between", authority=True)
BELOW = client(BETWEEN, "Below", authority=True)
ONE, TWIN = pki.ca("Twin"), pki.ca("Twin")
IDS = {
    ca: f"11111111-0000-4000-8000-00000000000{number}"
    for number, ca in enumerate((ROOT, BETWEEN, ONE, TWIN))
}
CAROL = client(BETWEEN, "carol")
DAVE = client(BELOW, "dave")
ALICE = client(ROOT, "alice")
OF_ONE, OF_TWIN = (pki.leaf(ca, cn="client", client=True) for ca in (ONE, TWIN))

REFUSED = {
    "none": None,
    "below the root": ALICE,
    "below another of the root's": client(client(ROOT, "Other", authority=True), "carol"),
    "expired": client(BETWEEN, "carol", days=(-9, -1)),
    "self-signed": pki.self_signed("carol"),
    "below one of the same name": client(client(ROOT, "Between", authority=True), "carol"),
    "for servers": pki.leaf(BETWEEN, "carol.test"),
}


def mtls(*authorities: pki.Cert, **config: Any) -> dict[str, Any]:
    said = {
        "ca_certificates": [IDS[ca] for ca in authorities],
        "skip_consumer_lookup": True,
        "revocation_check_mode": "SKIP",
        "allow_partial_chain": True,
        **config,
    }
    return {"name": "mtls-auth", "config": said}


def entities(port: int, *routes: dict[str, Any]) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": f"http://127.0.0.1:{port}", "routes": list(routes)}],
        "ca_certificates": [{"id": i, "cert": ca.cert_pem} for ca, i in IDS.items()],
    }


def guarded(name: str, plugin: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": name, "hosts": [f"{name}.test"], "plugins": [plugin], **fields}


@pytest.fixture(scope="module")
def partial(engine: Engine, folder: Path) -> Iterator[Gateway]:
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        routes = (
            guarded("partial", mtls(BETWEEN), paths=["/guarded"]),
            {"name": "open", "hosts": ["partial.test"], "paths": ["/open"]},
            guarded("told", mtls(BETWEEN, send_ca_dn=True)),
            guarded("both", mtls(ROOT, BETWEEN, send_ca_dn=True)),
            guarded("whole", mtls(BETWEEN, ROOT, allow_partial_chain=False)),
        )
        listen = f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl http2\n"
        files = secured_files(entities(peer.port, *routes), listen)
        with gateway(engine, folder, files, http_port=plain, https_port=secure) as running:
            yield running


def status(gateway: Gateway, host: str, cert: pki.Cert | None, path: str = "/") -> int:
    shown = None if cert is None else identity(cert)
    return gateway.get(host, path, client=shown).status


@pytest.mark.parametrize("cert", [CAROL, DAVE], ids=["directly", "through another"])
def test_whom_an_authority_without_its_root_certifies_is_let_in(
    partial: Gateway, cert: pki.Cert
) -> None:
    assert status(partial, "partial.test", cert, "/guarded") == 200
    assert status(partial, "partial.test", cert, "/open") == 200
    assert status(partial, "told.test", cert) == 200
    assert status(partial, "both.test", cert) == 200


@pytest.mark.parametrize("host", ["partial.test", "told.test"])
@pytest.mark.parametrize("wrong", REFUSED)
def test_nobody_else_is_let_in(partial: Gateway, host: str, wrong: str) -> None:
    assert status(partial, host, REFUSED[wrong], "/guarded") == 401


def test_the_root_counts_where_it_is_named(partial: Gateway) -> None:
    assert status(partial, "both.test", ALICE) == 200
    assert status(partial, "whole.test", CAROL) == 200


def test_names_are_told_only_where_roots_are_believed(partial: Gateway) -> None:
    told = partial.raw_handshake(b"both.test").authorities
    assert set(told) == {ca.certificate.subject.public_bytes() for ca in (ROOT, BETWEEN)}
    assert partial.raw_handshake(b"told.test").authorities == []
    assert "authority-names-not-sent" in partial.compiled.stderr + partial.compiled.stdout


def test_authorities_of_one_name_on_one_host(engine: Engine, workdir: Path) -> None:
    routes = [
        guarded(name, mtls(ca, allow_partial_chain=False), hosts=["one.test"], paths=[f"/{name}"])
        for name, ca in (("first", ONE), ("second", TWIN))
    ]
    with upstream() as peer:
        files = secured_files(entities(peer.port, *routes))
        if engine.name != "openresty":
            made = compile_tree(engine, workdir, files, exit_code=1)
            assert "K500" in made.stderr + made.stdout
            return
        with gateway(engine, workdir, files) as running:
            found = [
                status(running, "one.test", cert, path)
                for path in ("/first", "/second")
                for cert in (OF_ONE, OF_TWIN)
            ]
    assert found == [200, 401, 401, 200]


def test_with_lists_stock_nginx_refuses_to_compile(tmp_path: Path) -> None:
    (tmp_path / "l.pem").write_text(revocations(BETWEEN))
    plugin = mtls(BETWEEN, revocation_check_mode="STRICT")
    files = secured_files(entities(80, guarded("a", plugin)))
    for target, wanted in (("nginx", True), ("openresty", False)):
        _, found = check(tmp_path, files, target=target, crl=(Path("l.pem"),))
        assert ("K503" in {d["code"] for d in found}) == wanted
