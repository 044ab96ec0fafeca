"""Certificates that were revoked: by the lists that are given with --crl, and by responders."""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support import pki, ports
from support.client_certs import revocations
from support.dns import name_server
from support.gateway import compile_tree, gateway, secured_files
from support.responder import responder
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway

UNVERIFIED = "TLS certificate failed verification"
MISSING = "No required TLS certificate was sent"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

ONE, OTHER, LATE, EARLY, SILENT = (
    pki.ca(f"{name} CA") for name in ("One", "Other", "Late", "Early", "Silent")
)
BELOW = pki.intermediate(OTHER, "Below Other")
HIDDEN = pki.intermediate(ONE, "Below One")
IDS = {ca: f"11111111-0000-4000-8000-00000000000{n}"
       for n, ca in enumerate((ONE, OTHER, BELOW, LATE, EARLY, SILENT))}  # fmt: skip


def client(issuer: pki.Cert, name: str = "alice") -> pki.Cert:
    return pki.leaf(issuer, cn=name, client=True)


GOOD, GONE = client(ONE), client(ONE)
CHAINED, GONE_BELOW = client(BELOW), client(BELOW)
OF_LATE, GONE_LATE = client(LATE), client(LATE)
OF_EARLY, GONE_EARLY = client(EARLY), client(EARLY)
OF_SILENT = client(SILENT)
OF_HIDDEN = client(HIDDEN)

LISTS = {
    "one.crl": revocations(ONE, GONE),
    "both.pem": revocations(OTHER) + revocations(BELOW, GONE_BELOW),
    "late.crl": revocations(LATE, GONE_LATE, days=(-3, -1)),
    "early.crl": revocations(EARLY, GONE_EARLY, days=(1, 3)),
}


@dataclass(frozen=True)
class Guarded:
    gateway: Gateway

    def ask(self, host: str, shown: pki.Cert | None, **options: Any) -> Response:
        sent = None if shown is None else identity(shown)
        return self.gateway.get(host, client=sent, **options)

    def refuses(self, host: str, shown: pki.Cert, **options: Any) -> bool:
        answer = self.ask(host, shown, **options)
        if answer.status == 401:
            assert answer.json()["message"] == UNVERIFIED
        else:
            assert answer.status == 200
        return answer.status == 401


def plugin(mode: str, *authorities: pki.Cert, **config: Any) -> dict[str, Any]:
    said = {"ca_certificates": [IDS[ca] for ca in authorities], "revocation_check_mode": mode,
            "skip_consumer_lookup": True, **config}  # fmt: skip
    return {"name": "mtls-auth", "config": said}


def entities(port: int, routes: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": f"http://127.0.0.1:{port}", "routes": list(routes)}],
        "ca_certificates": [{"id": i, "cert": ca.cert_pem} for ca, i in IDS.items()],
        **more,
    }


def route(host: str, *plugins: dict[str, Any], path: str = "/") -> dict[str, Any]:
    name = host + path.replace("/", "-")
    return {"name": name, "hosts": [host], "paths": [path], "plugins": list(plugins)}


def files(port: int, routes: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {**secured_files(entities(port, routes, **more)), **LISTS}


def crls(*names: str) -> list[str]:
    return [word for name in names for word in ("--crl", name)]


@pytest.fixture(scope="module")
def guarded(engine: Engine, folder: Path) -> Iterator[Guarded]:
    routes = [
        route("strict.test", plugin("STRICT", ONE)),
        route("strict.test", path="/open"),
        route("tolerant.test", plugin("IGNORE_CA_ERROR", ONE)),
        route("skip.test", plugin("SKIP", ONE)),
        route("chain.test", plugin("STRICT", OTHER, BELOW)),
        route("root.test", plugin("STRICT", OTHER)),
        route("late.test", plugin("IGNORE_CA_ERROR", LATE)),
        route("early.test", plugin("IGNORE_CA_ERROR", EARLY)),
        route("unchecked.test", plugin("IGNORE_CA_ERROR", SILENT)),
    ]
    with (
        upstream() as peer,
        gateway(engine, folder, files(peer.port, routes), args=crls(*LISTS)) as running,
    ):
        yield Guarded(running)


def test_a_revoked_certificate_is_refused(guarded: Guarded) -> None:
    refusing = {h for h in ("strict.test", "tolerant.test", "skip.test")
                if guarded.refuses(h, GONE)}  # fmt: skip
    assert refusing == {"strict.test", "tolerant.test"}


@pytest.mark.parametrize("host", ["strict.test", "tolerant.test", "skip.test"])
def test_others_are_let_in(guarded: Guarded, host: str) -> None:
    assert not guarded.refuses(host, GOOD)
    answer = guarded.ask(host, None)
    assert (answer.status, answer.json()["message"]) == (401, MISSING)


@pytest.mark.parametrize("host", ["chain.test", "root.test"])
def test_lists_of_intermediates_count(guarded: Guarded, host: str) -> None:
    """Also of those that no plugin names: clients may send them."""
    assert not guarded.refuses(host, CHAINED)
    assert guarded.refuses(host, GONE_BELOW)


def test_whom_no_list_speaks_for(guarded: Guarded) -> None:
    assert guarded.refuses("strict.test", OF_HIDDEN)
    # nginx knows no other way to look at lists than the strict one.
    assert guarded.refuses("tolerant.test", OF_HIDDEN) == without_lua(guarded)
    assert not guarded.refuses("skip.test", OF_HIDDEN)
    assert not guarded.refuses("unchecked.test", OF_SILENT)


def test_a_list_that_does_not_hold_now(guarded: Guarded) -> None:
    for host, shown in (("late.test", OF_LATE), ("early.test", OF_EARLY)):
        assert guarded.refuses(host, shown) == without_lua(guarded), host
    # It says of nobody any more that it was not revoked, but of whom it names that it was.
    assert guarded.refuses("late.test", GONE_LATE)
    assert guarded.refuses("early.test", GONE_EARLY)


def test_open_routes_beside(guarded: Guarded) -> None:
    assert guarded.ask("strict.test", None, path="/open").status == 200
    assert guarded.ask("strict.test", GOOD, path="/open").status == 200
    # nginx refuses for the whole host.
    assert guarded.refuses("strict.test", GONE, path="/open") == without_lua(guarded)
    assert guarded.refuses("strict.test", CHAINED, path="/open") == without_lua(guarded)


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_of_tls(guarded: Guarded, version: str) -> None:
    only = VERSIONS[version]
    for shown, status in ((GOOD, 200), (GONE, 401)):
        session = guarded.gateway.handshake(
            "strict.test", client=identity(shown), keep_session=True, minimum=only, maximum=only
        )
        assert guarded.gateway.get("strict.test", resume=session).status == status


def without_lua(guarded: Guarded) -> bool:
    return not (guarded.gateway.tree / "lua").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_lets_nobody_in_who_was_revoked_since(
    engine: Engine, workdir: Path, version: str
) -> None:
    only = VERSIONS[version]
    everywhere = {"plugins": [plugin("STRICT", ONE)]}
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        given = files(peer.port, [{"name": "all", "paths": ["/"]}], **everywhere)
        given["kong.conf"] += (
            f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl\n"
            "admin_listen = off\nadmin_gui_listen = off\nstatus_listen = off\n"
        )
        before = {**given, "one.crl": revocations(ONE)}
        chosen: dict[str, Any] = {"args": crls("one.crl")}
        with gateway(
            engine, workdir, before, http_port=plain, https_port=secure, **chosen
        ) as running:
            session = running.handshake(
                "a.test", client=identity(GONE), keep_session=True, minimum=only, maximum=only
            )
            assert running.get("a.test", resume=session).status == 200
            compile_tree(engine, workdir, given, **chosen)
            running.reload()
            assert running.get("a.test", resume=session).status == 401
            assert running.get("a.test", client=identity(GOOD)).status == 200


def refused(engine: Engine, workdir: Path, *plugins: dict[str, Any], lists: list[str]) -> str:
    """Return what is said where nginx alone cannot do it; openresty compiles all the same."""
    code = 0 if engine.name == "openresty" else 1
    routes = [route("a.test", *plugins)]
    done = compile_tree(engine, workdir, files(9, routes), args=lists, exit_code=code)
    return done.stderr


def test_strict_without_lists_is_refused(engine: Engine, workdir: Path) -> None:
    said = refused(engine, workdir, plugin("STRICT", ONE, SILENT), lists=crls("one.crl"))
    assert "there is no revocation list of CN=Silent CA" in said
    assert "CN=One" not in said


def test_lists_of_some_authorities_are_refused(engine: Engine, workdir: Path) -> None:
    both = plugin("IGNORE_CA_ERROR", ONE, SILENT)
    said = refused(engine, workdir, both, lists=crls("one.crl"))
    assert "CN=Silent CA" in said


@pytest.mark.parametrize("name", ["late.crl", "early.crl"])
def test_strict_with_a_list_that_does_not_hold_is_refused(
    engine: Engine, workdir: Path, name: str
) -> None:
    """Where there are responders, they may be asked."""
    lua = engine.name == "openresty"
    routes = [route("a.test", plugin("STRICT", LATE if name == "late.crl" else EARLY))]
    given = files(9, routes)
    done = compile_tree(engine, workdir, given, args=crls(name), exit_code=0 if lua else 1)
    assert f"{name}: {'warning' if lua else 'error'}[K536]" in done.stderr


def test_modes_of_one_name_have_to_agree(engine: Engine, workdir: Path) -> None:
    routes = [
        route("a.test", plugin("STRICT", ONE), path="/strict"),
        route("a.test", plugin("SKIP", ONE), path="/skip"),
    ]
    lua = engine.name == "openresty"
    given = files(9, routes)
    done = compile_tree(engine, workdir, given, args=crls("one.crl"), exit_code=0 if lua else 1)
    assert ("have revocation_check_mode" in done.stderr) == (not lua)


def test_openresty_tells_apart_what_nginx_cannot(engine: Engine, folder: Path) -> None:
    if engine.name != "openresty":
        pytest.skip("refused")
    by_header = {"certificate_header_name": "X-Cert", "certificate_header_format": "base64_encoded",
                 "secure_source": False}  # fmt: skip
    header = {**plugin("STRICT", ONE, **by_header), "name": "header-cert-auth"}
    routes = [
        route("some.test", plugin("IGNORE_CA_ERROR", ONE, SILENT)),
        route("strict.test", plugin("STRICT", ONE, SILENT)),
        route("a.test", plugin("STRICT", ONE), path="/strict"),
        route("a.test", plugin("SKIP", ONE), path="/skip"),
        route("header.test", header),
    ]
    with (
        upstream() as peer,
        gateway(
            engine, folder, files(peer.port, routes), args=crls("one.crl"), out="apart"
        ) as running,
    ):
        it = Guarded(running)
        for host in ("some.test", "strict.test"):
            assert it.refuses(host, GONE)
            assert not it.refuses(host, GOOD)
            assert it.refuses(host, OF_SILENT) == (host == "strict.test")
        assert it.refuses("a.test", GONE, path="/strict")
        assert not it.refuses("a.test", GONE, path="/skip")
        for shown, status in ((GOOD, 200), (GONE, 401)):
            told = {"X-Cert": base64.b64encode(shown.der).decode()}
            assert running.get("header.test", headers=told).status == status


def test_a_revoked_intermediate(engine: Engine, folder: Path) -> None:
    lists = revocations(OTHER, BELOW) + revocations(BELOW)
    modes = {"strict.test": "STRICT", "tolerant.test": "IGNORE_CA_ERROR", "skip.test": "SKIP"}
    routes = [route(host, plugin(mode, OTHER, BELOW)) for host, mode in modes.items()]
    with upstream() as peer:
        given = {**files(peer.port, routes), "both.pem": lists}
        with gateway(engine, folder, given, args=crls("both.pem"), out="between") as running:
            it = Guarded(running)
            assert {host for host in modes if it.refuses(host, CHAINED)} == {
                "strict.test", "tolerant.test"}  # fmt: skip


def test_a_list_in_der(engine: Engine, folder: Path) -> None:
    der = x509.load_pem_x509_crl(LISTS["one.crl"].encode()).public_bytes(Encoding.DER)
    with upstream() as peer:
        given = {**files(peer.port, [route("a.test", plugin("STRICT", ONE))]), "one.crl": der}
        with gateway(engine, folder, given, args=crls("one.crl"), out="der") as running:
            it = Guarded(running)
            assert it.refuses("a.test", GONE)
            assert not it.refuses("a.test", GOOD)


def test_openresty_asks_responders(engine: Engine, folder: Path) -> None:
    if engine.name != "openresty":
        pytest.skip("lists alone")
    routes = [
        route("strict.test", plugin("STRICT", ONE, SILENT)),
        route("tolerant.test", plugin("IGNORE_CA_ERROR", ONE, SILENT, http_timeout=2000)),
        route("skip.test", plugin("SKIP", ONE, SILENT)),
    ]
    with (
        upstream() as peer,
        responder() as asked,
        name_server({"ocsp.test": ["127.0.0.1"]}) as names,
    ):
        given = files(peer.port, routes)
        given["kong.conf"] += f"dns_resolver = 127.0.0.1:{names.port}\n"
        url = f"http://ocsp.test:{asked.port}/"
        good, gone, listed = (asked.certify(ca, url=url) for ca in (SILENT, SILENT, ONE))
        asked.says(good, "good")
        asked.says(gone, "revoked")
        with gateway(engine, folder, given, args=crls("one.crl"), out="asking") as running:
            it = Guarded(running)
            for shown, refusing in (
                (good, set()),
                (gone, {"strict.test", "tolerant.test"}),
                (listed, set()),
                (OF_SILENT, {"strict.test"}),
            ):
                hosts = ("strict.test", "tolerant.test", "skip.test")
                assert {host for host in hosts if it.refuses(host, shown)} == refusing
            assert [asked.count(cert) for cert in (good, gone, listed)] == [1, 1, 0]
            assert "ocsp.test" in names.asked


def test_name_servers_are_needed_but_for_the_address_of_a_proxy(
    engine: Engine, workdir: Path
) -> None:
    for host, port in ((None, None), ("proxy.test", 3128), ("127.0.0.1", 3128), ("::1", 3128)):
        asks = plugin("STRICT", ONE, http_proxy_host=host, http_proxy_port=port)
        given = files(9, [route("a.test", asks)])
        given["kong.conf"] += "dns_resolver = 192.0.2.53\n"
        done = compile_tree(engine, workdir, given, args=crls("one.crl"))
        written = "resolver 192.0.2.53" in (done.tree / "conf/proxy.conf").read_text()
        looked_up = host in {None, "proxy.test"}
        assert written == (looked_up and engine.name == "openresty"), host
        if engine.name == "openresty":
            told = json.loads((done.tree / "lua/data/access.json").read_text())["trusts"]
            (asked,) = (trust["responders"] for trust in told.values())
            # As nginx writes addresses.
            assert asked["proxy_host"] == ("[::1]" if host == "::1" else host)


def test_times_are_told_in_seconds_and_their_fractions(engine: Engine, workdir: Path) -> None:
    if engine.name != "openresty":
        pytest.skip("nothing is remembered")
    told = {0: 0, 500: 0.5, 60000: 60, 1500.5: 1.5005}
    routes = [route(f"a{n}.test", plugin("SKIP", ONE, cert_cache_ttl=given))
              for n, given in enumerate(told)]  # fmt: skip
    done = compile_tree(engine, workdir, files(9, routes))
    rules = json.loads((done.tree / "lua/data/access.json").read_text())["rules"]
    found = sorted(step["cert_cache_ttl"] for steps in rules.values() for step in steps)
    assert found == sorted(told.values())


def test_responders_are_always_given_some_time(engine: Engine, workdir: Path) -> None:
    if engine.name != "openresty":
        pytest.skip("lists alone")
    expected = {-5: 1, 0: 30000, 0.5: 1, 1.5: 1, 2000: 2000, None: 30000}
    routes = [route(f"a{n}.test", plugin("STRICT", ONE, http_timeout=given))
              for n, given in enumerate(expected)]  # fmt: skip
    done = compile_tree(engine, workdir, files(9, routes), args=crls("one.crl"))
    trusts = json.loads((done.tree / "lua/data/access.json").read_text())["trusts"].values()
    assert {trust["responders"]["timeout"] for trust in trusts} == set(expected.values())
