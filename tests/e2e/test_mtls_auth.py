"""Who is let in by a certificate (mtls-auth), and every wrong way that might lead in."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support import http2, pki, ports
from support.client import spellings
from support.gateway import SERVER, compile_tree, gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import HandshakeResult, Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

MISSING = "No required TLS certificate was sent"
UNVERIFIED = "TLS certificate failed verification"
MISDIRECTED = "TLS was negotiated for another host"

_DAY = timedelta(days=1)
_NOW = datetime.now(UTC)

ONE, OTHER, UNKNOWN = (pki.ca(f"{name} CA") for name in ("One", "Other", "Unknown"))
BELOW_ONE = pki.intermediate(ONE, "Below One")
IDS = {ONE: "11111111-0000-4000-8000-000000000001", OTHER: "11111111-0000-4000-8000-000000000002"}
ALICE = pki.leaf(ONE, cn="alice", client=True)
CHAINED = pki.leaf(BELOW_ONE, cn="carol", client=True)
BOB = pki.leaf(OTHER, cn="bob", client=True)

REFUSED = {
    "expired": pki.leaf(ONE, cn="alice", client=True, not_before=_NOW - 9 * _DAY,
                        not_after=_NOW - _DAY),
    "not yet valid": pki.leaf(ONE, cn="alice", client=True, not_before=_NOW + _DAY),
    "self-signed": pki.self_signed("alice"),
    "of an unknown authority": pki.leaf(UNKNOWN, cn="alice", client=True),
    "of another plugin's authority": BOB,
    "of an authority of the same name": pki.leaf(pki.ca("One CA"), cn="alice", client=True),
    "for servers alone": pki.leaf(ONE, "alice.test"),
    "signed by a client's certificate": pki.leaf(ALICE, cn="alice", client=True),
}  # fmt: skip
"""Certificates with which nobody may reach what `ONE` protects."""


@dataclass(frozen=True)
class Guarded:
    gateway: Gateway
    peer: Upstream

    def ask(self, host: str, client: pki.Cert | None = None, **options: Any) -> Response:
        shown = None if client is None else identity(client)
        return self.gateway.get(host, options.pop("path", "/"), client=shown, **options)

    def resumed(self, name: str | None, client: pki.Cert | None, **options: Any) -> HandshakeResult:
        """Shake hands with *name* and keep the session."""
        return self.gateway.handshake(
            name, client=None if client is None else identity(client), keep_session=True, **options
        )


def mtls(authority: pki.Cert, **config: Any) -> dict[str, Any]:
    said = {"ca_certificates": [IDS[authority]], "skip_consumer_lookup": True,
            "revocation_check_mode": "SKIP", **config}  # fmt: skip
    return {"name": "mtls-auth", "config": said}


def guarded_service(port: int) -> dict[str, Any]:
    one, other = [mtls(ONE)], [mtls(OTHER)]
    return {
        "name": "things",
        "url": f"http://127.0.0.1:{port}",
        "routes": [
            {"name": "one", "hosts": ["one.test"], "plugins": one},
            {"name": "two", "hosts": ["two.test"], "plugins": one},
            {"name": "other", "hosts": ["other.test"], "plugins": other},
            {"name": "open", "hosts": ["open.test"]},
            {"name": "in-part", "hosts": ["part.test"], "paths": ["/open"]},
            {"name": "in-part-closed", "hosts": ["part.test"], "paths": ["/"], "plugins": one},
            {"name": "below", "hosts": ["*.wild.test"], "plugins": one},
            {"name": "below-open", "hosts": ["public.wild.test"]},
            {"name": "told", "hosts": ["told.test"], "plugins": [mtls(ONE, send_ca_dn=True)]},
            {"name": "far", "hosts": ["far.test"], "plugins": [
                mtls(ONE), {"name": "ip-restriction", "config": {"deny": ["127.0.0.0/8"]}}]},
            {"name": "by-sni", "protocols": ["https"], "snis": ["sni.test"], "paths": ["/by-sni"],
             "plugins": one},
            {"name": "asked", "hosts": ["asked.test"], "plugins": [
                {"name": "tls-handshake-modifier"},
                {"name": "tls-metadata-headers", "config": {
                    "inject_client_cert_details": True, "client_serial_header_name": "X-Serial"}}]},
        ],
    }  # fmt: skip


def entities(port: int) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [guarded_service(port)],
        "routes": [{"name": "nowhere", "hosts": ["nowhere.test"], "plugins": [mtls(ONE)]}],
        "ca_certificates": [{"id": i, "cert": cert.cert_pem} for cert, i in IDS.items()],
        "certificates": [
            {"cert": SERVER.cert_pem, "key": SERVER.key_pem, "snis": [{"name": "one.test"}]}
        ],
    }


@pytest.fixture(scope="module")
def guarded(engine: Engine, folder: Path) -> Iterator[Guarded]:
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        files = secured_files(
            entities(peer.port), f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl http2\n"
        )
        with gateway(engine, folder, files, http_port=plain, https_port=secure) as running:
            yield Guarded(running, peer)


@pytest.mark.parametrize("host", ["one.test", "two.test", "a.wild.test", "told.test", "part.test"])
@pytest.mark.parametrize("client", [ALICE, CHAINED], ids=["direct", "chained"])
def test_a_certificate_of_the_authority_is_let_in(
    guarded: Guarded, host: str, client: pki.Cert
) -> None:
    assert guarded.ask(host, client).status == 200


def test_another_plugins_certificate_is_let_in_there(guarded: Guarded) -> None:
    assert guarded.ask("other.test", BOB).status == 200


@pytest.mark.parametrize("host", ["one.test", "a.wild.test", "told.test", "part.test"])
@pytest.mark.parametrize("wrong", REFUSED)
def test_wrong_certificates_are_refused(guarded: Guarded, host: str, wrong: str) -> None:
    before = len(guarded.peer.requests)
    answer = guarded.ask(host, REFUSED[wrong])
    assert (answer.status, answer.json()["message"]) == (401, UNVERIFIED)
    assert len(guarded.peer.requests) == before


@pytest.mark.parametrize("host", ["one.test", "other.test", "a.wild.test", "told.test"])
def test_no_certificate_is_refused(guarded: Guarded, host: str) -> None:
    answer = guarded.ask(host)
    assert (answer.status, answer.json()["message"]) == (401, MISSING)
    assert answer.header("content-type") == "application/json; charset=utf-8"


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%2fb/../c", "//x", "/%61", "/./x", "/x?a=%2F"])
def test_odd_paths_are_no_way_around(guarded: Guarded, path: str) -> None:
    for client, status in ((None, 401), (BOB, 401), (ALICE, 200)):
        answer = guarded.ask("one.test", client, path=path)
        assert answer.status in {status, 400}
    assert guarded.ask("part.test", None, path=f"/open/..{path}").status in {401, 400}


def test_a_route_without_a_service_is_guarded_too(guarded: Guarded) -> None:
    assert guarded.ask("nowhere.test", ALICE).status == 503
    assert guarded.ask("nowhere.test", BOB).status == 401
    assert guarded.ask("nowhere.test").status == 401


@pytest.mark.parametrize("host", ["one.test", "a.wild.test", "told.test", "part.test"])
def test_plain_http_is_refused(guarded: Guarded, host: str) -> None:
    answer = guarded.ask(host, tls=False)
    assert (answer.status, answer.json()["message"]) == (401, MISSING)


@pytest.mark.parametrize("client", [None, ALICE, BOB], ids=["none", "one", "other"])
@pytest.mark.parametrize(
    "sni", ["two.test", "open.test", "other.test", "nobody.test", "x.wild.test", None]
)
def test_a_certificate_shown_to_another_name_is_refused(
    guarded: Guarded, sni: str | None, client: pki.Cert | None
) -> None:
    before = len(guarded.peer.requests)
    answer = guarded.ask("one.test", client, sni=sni)
    assert answer.status in {401, 421}
    assert len(guarded.peer.requests) == before


def test_what_is_open_is_open(guarded: Guarded) -> None:
    assert guarded.ask("open.test").status == 200
    assert guarded.ask("part.test", path="/open").status == 200
    assert guarded.ask("public.wild.test").status == 200
    assert guarded.ask("open.test", tls=False).status == 200


@pytest.mark.parametrize("client", [ALICE, BOB, REFUSED["self-signed"]])
def test_a_certificate_does_not_harm_where_none_is_asked_for(
    guarded: Guarded, client: pki.Cert
) -> None:
    assert guarded.ask("open.test", client).status == 200


def test_open_routes_of_a_host_that_asks_take_certificates_of_any_authority(
    guarded: Guarded,
) -> None:
    assert guarded.ask("part.test", BOB, path="/open").status == 200
    # nginx itself refuses what is no client's certificate at all, or is out of date.
    assert guarded.ask("part.test", REFUSED["expired"], path="/open").status == 401


def test_letter_case_and_ports_of_hosts_do_not_matter(guarded: Guarded) -> None:
    assert guarded.ask("ONE.test", ALICE, sni="one.TEST").status == 200
    assert guarded.ask("one.test:8443", ALICE, sni="one.test").status == 200


def test_a_route_with_snis_is_let_in_by_them_alone(guarded: Guarded) -> None:
    for host in ("sni.test", "anything.test"):
        asked = guarded.ask(host, ALICE, path="/by-sni", sni="sni.test")
        assert asked.status == 200, host
        assert guarded.ask(host, path="/by-sni", sni="sni.test").status == 401
        assert guarded.ask(host, BOB, path="/by-sni", sni="sni.test").status == 401
        assert guarded.ask(host, ALICE, path="/by-sni", sni="open.test").status == 404
        assert guarded.ask(host, path="/by-sni", tls=False).status == 426


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("client", [None, ALICE, BOB], ids=["none", "one", "other"])
def test_authentication_comes_before_addresses(guarded: Guarded, client: pki.Cert | None) -> None:
    before = len(guarded.peer.requests)
    assert guarded.ask("far.test", client).status == (403 if client is ALICE else 401)
    assert len(guarded.peer.requests) == before


@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "id"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "client"),
    [("open.test", None), ("open.test", ALICE), ("other.test", BOB), ("asked.test", BOB),
     ("asked.test", REFUSED["self-signed"]), (None, None), ("one.test", None),
     ("one.test", REFUSED["self-signed"]), ("two.test", ALICE)],
    ids=["open", "open-with-certificate", "other", "asked", "asked-self-signed", "no-sni",
         "without-certificate", "self-signed", "same-authority"],
)  # fmt: skip
def test_a_session_of_another_name_does_not_let_in(
    guarded: Guarded, name: str | None, client: pki.Cert | None, version: str, *, tickets: bool
) -> None:
    only = VERSIONS[version]
    session = guarded.resumed(name, client, minimum=only, maximum=only, tickets=tickets)
    before = len(guarded.peer.requests)
    try:
        answer = guarded.ask("one.test", resume=session)
    except ssl.SSLError:
        return
    if answer.tls is not None and not answer.tls.session_reused and client is ALICE:
        # The handshake was made anew, with this client's certificate.
        return
    assert answer.status in {401, 421}
    assert len(guarded.peer.requests) == before


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", [ALICE, CHAINED], ids=["direct", "chained"])
def test_a_clients_own_session_lets_it_in_again(
    guarded: Guarded, client: pki.Cert, version: str
) -> None:
    only = VERSIONS[version]
    session = guarded.resumed("one.test", client, minimum=only, maximum=only)
    assert guarded.ask("one.test", resume=session).status == 200


@pytest.mark.parametrize("client", [None, ALICE, BOB], ids=["none", "one", "other"])
@pytest.mark.parametrize("sni", ["open.test", "two.test", "other.test", "nobody.test"])
def test_a_connection_for_another_name_is_not_used_for_this(
    guarded: Guarded, sni: str, client: pki.Cert | None
) -> None:
    """A client of HTTP/2 may ask for what the server's certificate covers, too (RFC 9113)."""
    shown = None if client is None else identity(client)
    answer = http2.request(
        guarded.gateway.https_port, "one.test", "/", method="GET", body=None, sni=sni, client=shown
    )
    assert answer.status in {401, 421}
    own = http2.request(
        guarded.gateway.https_port, "one.test", "/", method="GET", body=None, client=identity(ALICE)
    )
    assert own.status == 200


def test_only_names_that_need_it_ask_for_a_certificate(guarded: Guarded) -> None:
    asked = {name: _is_asked(guarded, name) for name in (
        "one.test", "two.test", "other.test", "part.test", "a.wild.test", "sni.test", "asked.test",
        "told.test", "open.test", "public.wild.test", "nobody.test", None)}  # fmt: skip
    assert {name for name, is_asked in asked.items() if not is_asked} == {
        "open.test", "public.wild.test", "nobody.test", None}  # fmt: skip


def test_the_names_that_are_said_to_ask_are_those_that_do(guarded: Guarded) -> None:
    said = re.search(
        r"\[K538\].* in handshakes for (.*) \(without (.*)\), and neither in those for other "
        r"server names nor in those without one; it counts for the Host of the same name, and "
        r"after handshakes for sni\.test for every Host but others of these names$",
        guarded.gateway.compiled.stderr,
        re.MULTILINE,
    )
    assert said is not None, guarded.gateway.compiled.stderr
    names, without = (listed.split(", ") for listed in said.groups())
    assert names == sorted(names)
    for name in names:
        assert _is_asked(guarded, name.replace("*", "any")), name
    others = [f"below.{name}" for name in names if "*" not in name]
    for other in (*without, *others, "test", "wild.test", "open.test", None):
        assert not _is_asked(guarded, other), other


def test_where_every_name_is_said_to_ask_all_do(two_worlds: Guarded) -> None:
    said = two_worlds.gateway.compiled.stderr
    assert "in handshakes for every server name, and in those without one: route" in said
    assert "[K538]" not in said
    for name in ("one.test", "other.test", "nobody.test", None):
        assert _is_asked(two_worlds, name), name


def _is_asked(guarded: Guarded, name: str | None) -> bool:
    sni = None if name is None else name.encode()
    old, new = (guarded.gateway.raw_handshake(sni, version=v) for v in ("1.2", "1.3"))
    assert old.requested == new.requested
    return bool(old.requested)


def test_clients_are_told_whose_certificates_are_believed_only_where_asked(
    guarded: Guarded,
) -> None:
    told = guarded.gateway.raw_handshake(b"told.test").authorities
    assert told == [ONE.certificate.subject.public_bytes()]
    assert guarded.gateway.raw_handshake(b"one.test").authorities == []


def test_upstreams_are_told_who_asks_and_no_client_can_say_it(guarded: Guarded) -> None:
    names = ("X-Consumer-ID", "X-Consumer-Custom-ID", "X-Consumer-Username", "X-Client-Cert-Dn",
             "X-Credential-Identifier", "X-Client-Cert-San", "X-Anonymous-Consumer")  # fmt: skip
    forged = dict.fromkeys(spellings(names), "forged")
    for host, client, dn in (("one.test", ALICE, "CN=alice"), ("open.test", None, None)):
        guarded.ask(host, client, headers=forged)
        seen = {name.lower(): value for name, value in guarded.peer.last["headers"]}
        assert "forged" not in seen.values()
        assert seen.get("x-client-cert-dn") == dn


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reload_forgets_whom_an_authority_let_in_that_is_no_longer_believed(
    engine: Engine, workdir: Path, version: str
) -> None:
    """Where one handshake serves all names, sessions are kept."""
    only = VERSIONS[version]
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        listen = f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl\n"
        before, after = (secured_files(_everywhere(peer.port, ca), listen) for ca in (ONE, OTHER))
        with gateway(engine, workdir, before, http_port=plain, https_port=secure) as running:
            guarded = Guarded(running, peer)
            session = guarded.resumed("one.test", ALICE, minimum=only, maximum=only)
            assert guarded.ask("one.test", resume=session).status == 200
            compile_tree(engine, workdir, {**after, **_quiet(after)})
            running.reload()
            answer = guarded.ask("one.test", resume=session)
            assert answer.status == 401
            assert guarded.ask("one.test", BOB).status == 200


def _everywhere(port: int, authority: pki.Cert) -> dict[str, Any]:
    return {
        "_format_version": "3.0",
        "services": [
            {"name": "things", "url": f"http://127.0.0.1:{port}", "routes": [{"paths": ["/"]}]}
        ],
        "plugins": [mtls(authority)],
        "ca_certificates": [{"id": i, "cert": cert.cert_pem} for cert, i in IDS.items()],
    }


def _quiet(files: dict[str, Any]) -> dict[str, str]:
    off = "".join(f"{name}_listen = off\n" for name in ("admin", "admin_gui", "status"))
    return {"kong.conf": files["kong.conf"] + off}


@pytest.fixture(scope="module")
def two_worlds(engine: Engine, folder: Path) -> Iterator[Guarded]:
    """Make a gateway that asks everybody, and believes another authority at one host."""
    with upstream() as peer:
        everywhere = _everywhere(peer.port, ONE)
        routes = [{"name": "other", "hosts": ["other.test"], "plugins": [mtls(OTHER)]}]
        everywhere["services"][0]["routes"] += routes
        files = secured_files(everywhere)
        with gateway(engine, folder, files, out="two") as running:
            yield Guarded(running, peer)


@pytest.mark.parametrize("sni", ["one.test", "nobody.test", None])
def test_whom_all_others_believe_is_not_let_in_by_one(two_worlds: Guarded, sni: str | None) -> None:
    """A client without a server name reaches any host, with what the first server verified."""
    assert two_worlds.ask("other.test", BOB).status == 200
    assert two_worlds.ask("one.test", ALICE).status == 200
    before = len(two_worlds.peer.requests)
    for client in (ALICE, BOB, None):
        assert two_worlds.ask("other.test", client, sni=sni).status in {401, 421}
    assert len(two_worlds.peer.requests) == before


def test_whom_one_host_believes_is_not_let_in_elsewhere(two_worlds: Guarded) -> None:
    for client in (ALICE, BOB, None):
        assert two_worlds.ask("one.test", client, sni="other.test").status in {401, 421}
    assert two_worlds.ask("one.test", BOB).status == 401
    assert two_worlds.ask("one.test", ALICE, sni=None).status == 421


def test_authorities_of_one_host_are_told_apart_or_refused(engine: Engine, workdir: Path) -> None:
    with upstream() as peer:
        both = _everywhere(peer.port, ONE)
        del both["plugins"]
        both["services"][0]["routes"] = [
            {"name": "a", "hosts": ["both.test"], "paths": ["/a"], "plugins": [mtls(ONE)]},
            {"name": "b", "hosts": ["both.test"], "paths": ["/b"], "plugins": [mtls(OTHER)]},
            {"name": "c", "hosts": ["both.test"], "paths": ["/c"]},
        ]
        files = secured_files(both)
        if engine.name != "openresty":
            refused = compile_tree(engine, workdir, files, exit_code=1)
            assert "client-trust-not-compiled" in refused.stderr
            assert "--target openresty" in refused.stderr
            return
        with gateway(engine, workdir, files) as running:
            guarded = Guarded(running, peer)
            wanted = {(ALICE, "/a"): 200, (CHAINED, "/a"): 200, (BOB, "/a"): 401, (None, "/a"): 401,
                      (ALICE, "/b"): 401, (CHAINED, "/b"): 401, (BOB, "/b"): 200,
                      (None, "/c"): 200, (ALICE, "/c"): 200, (BOB, "/c"): 200}  # fmt: skip
            for (client, path), status in wanted.items():
                assert guarded.ask("both.test", client, path=path).status == status, path
            for path in ("/a", "/b"):
                for wrong in REFUSED.values():
                    expected = 200 if (wrong, path) == (BOB, "/b") else 401
                    assert guarded.ask("both.test", wrong, path=path).status == expected


def test_only_who_is_let_in_is_answered_in_place_of_a_service(
    engine: Engine, workdir: Path
) -> None:
    ended = {"name": "request-termination", "config": {"status_code": 203, "message": "secret"}}
    asked = {"name": "request-termination", "config": {"message": "secret", "trigger": "why"}}
    with upstream() as peer:
        document = _everywhere(peer.port, ONE)
        document["services"][0]["routes"] = [
            {"name": "always", "hosts": ["always.test"], "plugins": [ended]},
            {"name": "asked", "hosts": ["asked.test"], "paths": ["/x", "/y"], "plugins": [asked]},
        ]
        document["routes"] = [{"name": "no", "hosts": ["no.test"], "plugins": [ended]}]
        files = secured_files(document)
        with gateway(engine, workdir, files) as running:
            guarded = Guarded(running, peer)
            for host in ("always.test", "no.test"):
                answer = guarded.ask(host, ALICE)
                assert (answer.status, "secret" in answer.text) == (203, True)
            for path in ("/x", "/y"):
                answer = guarded.ask("asked.test", ALICE, path=f"{path}?why")
                assert (answer.status, "secret" in answer.text) == (503, True)
                assert guarded.ask("asked.test", ALICE, path=f"{path}/1").status == 200
                assert peer.last["target"] == "/1"
                assert guarded.ask("asked.test", ALICE, path=f"{path}/a%2Fb").status == 200
                assert peer.last["target"] == "/a%2Fb"
            for client in (None, BOB, *REFUSED.values()):
                for host in ("always.test", "no.test", "asked.test"):
                    answer = guarded.ask(host, client, path="/x?why")
                    assert (answer.status, "secret" in answer.text) == (401, False)
                    assert guarded.ask(host, client, sni=None, path="/x?why").status in {401, 421}
