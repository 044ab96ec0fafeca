"""Members of which groups may ask (acl), as whom mtls-auth has let them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from support import http2, pki, ports
from support.gateway import gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

CA, OTHER = pki.ca("Clients"), pki.ca("Others")
CA_ID = "11111111-0000-4000-8000-000000000001"
NOBODY = "22222222-0000-4000-8000-000000000009"
MESSAGE = "You cannot consume this service"
TOLD = ("X-Consumer-Groups", "X-Authenticated-Groups")


@dataclass(frozen=True)
class Guarded:
    gateway: Gateway
    peer: Upstream

    def ask(self, host: str, client: pki.Cert | None = None, **options: Any) -> Response:
        shown = None if client is None else identity(client)
        headers = {**dict.fromkeys(TOLD, "forged"), **options.pop("headers", {})}
        return self.gateway.get(host, client=shown, headers=headers, **options)

    def told(self, host: str, client: pki.Cert | None) -> tuple[str | None, str | None]:
        """Give the groups that the upstream is told of a client that is let in."""
        answer = self.ask(host, client)
        assert answer.status == 200, answer.text
        seen = {name.lower(): value for name, value in self.peer.last["headers"]}
        return seen.get("x-consumer-groups"), seen.get("x-authenticated-groups")

    def refused(self, host: str, client: pki.Cert | None) -> bool:
        before = len(self.peer.requests)
        answer = self.ask(host, client)
        if answer.status == 200:
            return False
        assert (answer.status, answer.json()["message"]) == (403, MESSAGE)
        assert len(self.peer.requests) == before
        return True


def guarded_by(auth: dict[str, Any] | None, **acl: Any) -> list[dict[str, Any]]:
    said = {"ca_certificates": [CA_ID], "revocation_check_mode": "SKIP", **(auth or {})}
    found = [] if auth is None else [{"name": "mtls-auth", "config": said}]
    return [*found, {"name": "acl", "config": acl}]


BY_CN = {"skip_consumer_lookup": True}
BY_DN = {"skip_consumer_lookup": True, "authenticated_group_by": "DN"}
OR_NOBODY = {"anonymous": "nobody"}
INCLUDED = {"include_consumer_groups": True}

ROUTES = {
    "allow.test": guarded_by({}, allow=["staff", "$uri; }"]),
    "deny.test": guarded_by({}, deny=["staff"]),
    "hidden.test": guarded_by({}, allow=["staff"], hide_groups_header=True),
    "letters.test": guarded_by({}, allow=["Staff"]),
    "guests.test": guarded_by(OR_NOBODY, allow=["guests"]),
    "no-guests.test": guarded_by(OR_NOBODY, deny=["guests"]),
    "cn.test": guarded_by(BY_CN, allow=["alice", "a,b+c \\ $uri"]),
    "not-cn.test": guarded_by(BY_CN, deny=["alice", "a,b+c \\ $uri"]),
    "always.test": guarded_by(BY_CN, allow=["alice"], always_use_authenticated_groups=True),
    "dn.test": guarded_by(BY_DN, allow=["CN=alice,O=Example"]),
    "both.test": guarded_by({**BY_CN, **OR_NOBODY}, allow=["alice", "guests"]),
    "not-both.test": guarded_by({**BY_CN, **OR_NOBODY}, deny=["bob", "guests"]),
    "unknown.test": guarded_by(None, allow=["staff"]),
    "unknown-deny.test": guarded_by(None, deny=["staff"]),
    "gold.test": guarded_by({}, allow=["gold", "$uri; {"], **INCLUDED),
    "not-gold.test": guarded_by({}, deny=["gold"], **INCLUDED),
    "staff-or-gold.test": guarded_by({}, allow=["staff", "gold"], **INCLUDED),
    "hidden-gold.test": guarded_by({}, allow=["gold"], hide_groups_header=True, **INCLUDED),
    "gold-acl.test": guarded_by({}, allow=["gold"]),
    "not-gold-acl.test": guarded_by({}, deny=["gold"]),
    "gold-guests.test": guarded_by(OR_NOBODY, allow=["walk-ins"], **INCLUDED),
    "not-gold-guests.test": guarded_by(OR_NOBODY, deny=["walk-ins"], **INCLUDED),
    "gold-cn.test": guarded_by(BY_CN, allow=["gold"], **INCLUDED),
    "free.test": [],
}

WRITTEN = {
    "written.test": guarded_by({}, allow=["staff"]),
    "written-asking.test": guarded_by({}, allow=["staff"])[:1],
}
"""Routes to a service whose path is sent as it is written."""


def entities(port: int) -> dict[str, Any]:
    def member(name: str, *groups: str, **fields: Any) -> dict[str, Any]:
        return {"username": name, "acls": [{"group": group} for group in groups], **fields}

    return {
        "_format_version": "3.0",
        "ca_certificates": [{"id": CA_ID, "cert": CA.cert_pem}],
        "services": [
            {"name": "things", "url": f"http://127.0.0.1:{port}",
             "routes": [{"name": h, "hosts": [h], "plugins": p} for h, p in ROUTES.items()]},
            {"name": "written", "url": f"http://127.0.0.1:{port}/a%2Fb", "routes": [
                {"name": f"written-{h}", "hosts": [h], "plugins": p} for h, p in WRITTEN.items()]},
            {"name": "empty", "host": "empty.upstream", "routes": [
                {"name": "empty", "hosts": ["empty.test"],
                 "plugins": guarded_by({}, allow=["staff"])},
                {"name": "asking", "hosts": ["asking.test"],
                 "plugins": guarded_by({}, allow=["staff"])[:1]},
            ]},
        ],
        "upstreams": [{"name": "empty.upstream"}],
        "routes": [
            {"name": "alone", "hosts": ["alone.test"], "plugins": [
                *guarded_by({}, allow=["staff"]),
                {"name": "request-termination", "config": {"status_code": 200, "body": "in"}}]},
            {"name": "none", "hosts": ["none.test"], "plugins": guarded_by({}, allow=["staff"])},
        ],
        "consumer_groups": [
            {"name": "gold", "consumer_group_consumers": [{"consumer": "grace"}]},
            {"name": "amber"},
            {"name": "walk-ins"},
            {"name": "$uri; {"},
        ],
        "consumer_group_consumers": [
            {"consumer": "heidi", "consumer_group": "gold"},
            {"consumer": "heidi", "consumer_group": "amber"},
            {"consumer": NOBODY, "consumer_group": {"name": "walk-ins"}},
        ],
        "consumers": [
            member("frank", groups=[{"name": "gold"}]),
            member("grace", "gold", "staff"),
            member("heidi", "staff"),
            member("ivan", "gold"),
            member("judy", groups=[{"name": "$uri; {"}]),
            member("alice", "staff", "night, shift"),
            member("bob", "visitors"),
            member("carol"),
            member("dave", "$uri; }"),
            member("erin", "STAFF"),
            member("nobody", "guests", id=NOBODY),
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def guarded(engine: Engine, folder: Path) -> Iterator[Guarded]:
    with upstream() as peer, ports.reserve(2) as (plain, secure):
        files = secured_files(
            entities(peer.port), f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl http2\n"
        )
        with gateway(engine, folder, files, http_port=plain, https_port=secure) as running:
            yield Guarded(running, peer)


def cert(*names: tuple[x509.ObjectIdentifier, str]) -> pki.Cert:
    """Make a client's certificate with a subject of its own."""
    return pki.with_subject(CA, x509.Name([x509.NameAttribute(*name) for name in names]))


def cn(name: str) -> pki.Cert:
    return cert((NameOID.COMMON_NAME, name))


ALICE, BOB, CAROL, DAVE, ERIN = (cn(name) for name in ("alice", "bob", "carol", "dave", "erin"))
FRANK, GRACE, HEIDI, IVAN, JUDY = (cn(n) for n in ("frank", "grace", "heidi", "ivan", "judy"))


def test_members_of_a_group_that_may_are_let_in_and_told(guarded: Guarded) -> None:
    assert guarded.told("allow.test", ALICE) == ("staff, night, shift", None)
    assert guarded.told("allow.test", DAVE) == ("$uri; }", None)


@pytest.mark.parametrize("client", [BOB, CAROL, ERIN], ids=["other", "none", "letter-case"])
def test_all_others_are_refused(guarded: Guarded, client: pki.Cert) -> None:
    assert guarded.refused("allow.test", client)


def test_members_of_a_group_that_may_not_are_refused(guarded: Guarded) -> None:
    assert guarded.refused("deny.test", ALICE)
    assert guarded.told("deny.test", BOB) == ("visitors", None)
    assert guarded.told("deny.test", CAROL) == (None, None)
    assert guarded.told("deny.test", ERIN) == ("STAFF", None)


def test_letter_case_of_groups_matters(guarded: Guarded) -> None:
    for client in (ALICE, ERIN):
        assert guarded.refused("letters.test", client)


def test_authentication_comes_first(guarded: Guarded) -> None:
    strange = pki.leaf(OTHER, cn="alice", client=True)
    for host in ("allow.test", "deny.test", "cn.test", "not-cn.test"):
        for client, message in (
            (None, "No required TLS certificate was sent"),
            (strange, "TLS certificate failed verification"),
        ):
            answer = guarded.ask(host, client)
            assert (answer.status, answer.json()["message"]) == (401, message)
        assert guarded.ask(host, tls=False).status == 401


def test_groups_may_be_hidden_and_no_client_can_say_them(guarded: Guarded) -> None:
    assert guarded.told("hidden.test", ALICE) == (None, None)
    assert guarded.told("free.test", None) == (None, None)


def test_anonymous_has_groups_as_well(guarded: Guarded) -> None:
    for client in (None, cn("unknown")):
        assert guarded.told("guests.test", client) == ("guests", None)
        assert guarded.refused("no-guests.test", client)
    assert guarded.refused("guests.test", ALICE)
    assert guarded.told("no-guests.test", ALICE) == ("staff, night, shift", None)


def test_members_of_a_consumer_group_are_let_in_and_told(guarded: Guarded) -> None:
    assert guarded.told("gold.test", FRANK) == ("gold", None)
    assert guarded.told("gold.test", HEIDI) == ("staff, amber, gold", None)
    assert guarded.told("gold.test", JUDY) == ("$uri; {", None)
    for client in (ALICE, BOB, CAROL):
        assert guarded.refused("gold.test", client)


def test_members_of_a_denied_consumer_group_are_refused(guarded: Guarded) -> None:
    for client in (FRANK, GRACE, HEIDI, IVAN):
        assert guarded.refused("not-gold.test", client)
    assert guarded.told("not-gold.test", ALICE) == ("staff, night, shift", None)
    assert guarded.told("not-gold.test", CAROL) == (None, None)


def test_groups_of_either_kind_count(guarded: Guarded) -> None:
    assert guarded.told("gold.test", IVAN) == ("gold", None)
    assert guarded.told("staff-or-gold.test", FRANK) == ("gold", None)
    assert guarded.told("staff-or-gold.test", GRACE) == ("gold, staff", None)
    assert guarded.told("staff-or-gold.test", ALICE) == ("staff, night, shift", None)
    assert guarded.refused("staff-or-gold.test", CAROL)
    assert guarded.told("hidden-gold.test", FRANK) == (None, None)
    assert guarded.refused("hidden-gold.test", ALICE)


def test_consumer_groups_count_where_they_are_asked_for_alone(guarded: Guarded) -> None:
    for client in (FRANK, HEIDI):
        assert guarded.refused("gold-acl.test", client)
    assert guarded.told("gold-acl.test", IVAN) == ("gold", None)
    assert guarded.told("not-gold-acl.test", FRANK) == (None, None)
    assert guarded.told("not-gold-acl.test", HEIDI) == ("staff", None)
    assert guarded.refused("not-gold-acl.test", IVAN)


def test_anonymous_is_in_consumer_groups_as_well(guarded: Guarded) -> None:
    for client in (None, cn("unknown")):
        assert guarded.told("gold-guests.test", client) == ("guests, walk-ins", None)
        assert guarded.refused("not-gold-guests.test", client)
    assert guarded.refused("gold-guests.test", FRANK)
    assert guarded.told("not-gold-guests.test", FRANK) == ("gold", None)


def test_who_is_no_consumer_is_in_no_consumer_group(guarded: Guarded) -> None:
    assert guarded.told("gold-cn.test", cn("gold")) == (None, "gold")
    assert guarded.refused("gold-cn.test", FRANK)


def test_a_common_name_is_a_group_where_no_consumer_is_looked_for(guarded: Guarded) -> None:
    odd = "a,b+c \\ $uri"
    assert guarded.told("cn.test", ALICE) == (None, "alice")
    assert guarded.ask("cn.test", cn(odd)).status == 200
    assert guarded.told("always.test", ALICE) == (None, "alice")
    for name in ("bob", "Alice", "alice2", "xalice", "alice,CN=bob", "a"):
        assert guarded.refused("cn.test", cn(name)), name
    for name in ("alice", odd):
        assert guarded.refused("not-cn.test", cn(name)), name
    assert guarded.told("not-cn.test", BOB) == (None, "bob")


def test_names_elsewhere_in_a_subject_are_no_group(guarded: Guarded) -> None:
    for client in (
        cert((NameOID.ORGANIZATION_NAME, "CN=alice"), (NameOID.COMMON_NAME, "bob")),
        cert((NameOID.COMMON_NAME, "bob"), (NameOID.COMMON_NAME, "alice")),
        cert((NameOID.COMMON_NAME, "alice"), (NameOID.COMMON_NAME, "bob")),
        cert((NameOID.ORGANIZATION_NAME, "alice")),
    ):
        assert guarded.refused("cn.test", client)
    # Of several names none is known, so that nobody gets around what is denied.
    for names in (["bob", "alice"], ["alice", "bob"], []):
        client = cert((NameOID.ORGANIZATION_NAME, "x"), *((NameOID.COMMON_NAME, n) for n in names))
        assert guarded.refused("not-cn.test", client)


def test_a_subject_is_a_group(guarded: Guarded) -> None:
    def example(organization: str) -> pki.Cert:
        return cert((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, "alice"))

    assert guarded.told("dn.test", example("Example")) == (None, "CN=alice,O=Example")
    for client in (example("example"), example("Example2"), example("x,O=Example"), ALICE):
        assert guarded.refused("dn.test", client)


def test_a_name_or_the_groups_of_anonymous(guarded: Guarded) -> None:
    assert guarded.told("both.test", ALICE) == (None, "alice")
    assert guarded.told("both.test", None) == ("guests", None)
    assert guarded.refused("both.test", BOB)
    assert guarded.told("not-both.test", ALICE) == (None, "alice")
    for client in (None, BOB):
        assert guarded.refused("not-both.test", client)


@pytest.mark.parametrize("host", ["unknown.test", "unknown-deny.test"])
def test_where_nothing_tells_who_asks_nobody_is_let_in(guarded: Guarded, host: str) -> None:
    before = len(guarded.peer.requests)
    for client in (None, ALICE):
        answer = guarded.ask(host, client)
        assert (answer.status, answer.json()["message"]) == (401, "Unauthorized")
    assert guarded.ask(host, tls=False).status == 401
    assert len(guarded.peer.requests) == before
    assert "groups-without-authentication" in guarded.gateway.compiled.stderr


def test_routes_without_a_service_ask_too(guarded: Guarded) -> None:
    assert guarded.ask("alone.test", ALICE).text == "in"
    assert guarded.ask("none.test", ALICE).status == 503
    for host in ("alone.test", "none.test"):
        assert guarded.ask(host, BOB).status == 403
        assert guarded.ask(host).status == 401


def test_an_upstream_without_targets_is_nothing_to_whom_is_refused(guarded: Guarded) -> None:
    for host in ("empty.test", "asking.test"):
        answer = guarded.ask(host, ALICE)
        assert answer.status == 503
        assert answer.json()["message"] == "failure to get a peer from the ring-balancer"
        assert guarded.ask(host).status == 401
    assert guarded.ask("empty.test", BOB).status == 403
    assert guarded.ask("asking.test", BOB).status == 503


@pytest.mark.parametrize("host", WRITTEN)
def test_a_path_that_is_sent_as_it_is_written_lets_nobody_past(guarded: Guarded, host: str) -> None:
    for path in ("/x y", "/x%2Fy"):
        target = path.replace(" ", "%20")
        before = len(guarded.peer.requests)
        assert guarded.ask(host, path=target).status == 401
        assert len(guarded.peer.requests) == before
        assert guarded.ask(host, BOB, path=target).status == (
            403 if host == "written.test" else 200
        )
        assert guarded.ask(host, ALICE, path=target).status == 200
        assert guarded.peer.last["target"] == f"/a%2Fb{target}"
        seen = {name.lower(): value for name, value in guarded.peer.last["headers"]}
        assert seen["x-consumer-username"] == "alice"


def test_the_refusal_is_in_the_format_that_is_accepted(guarded: Guarded) -> None:
    answer = guarded.ask("allow.test", BOB, headers={"Accept": "application/xml"})
    assert f"<message>{MESSAGE}</message>" in answer.text
    assert answer.header("content-type") == "application/xml; charset=utf-8"


def test_over_http2(guarded: Guarded) -> None:
    for client, status in ((ALICE, 200), (BOB, 403)):
        answer = http2.request(
            guarded.gateway.https_port, "allow.test", "/", method="GET", body=None,
            client=identity(client),
        )  # fmt: skip
        assert answer.status == status


def test_nobody_is_let_in_where_nothing_is_taken_off_any_path(
    engine: Engine, workdir: Path
) -> None:
    """What a regular expression would take away is not known where nothing is passed on."""
    routes = [
        {"name": "r", "hosts": ["r.test"], "paths": [r"~/r\d"], "plugins": [
            {"name": "acl", "config": {"allow": ["staff"]}}]},
        {"name": "open", "hosts": ["open.test"]},
    ]  # fmt: skip
    with upstream() as peer:
        service = {"name": "s", "url": f"http://127.0.0.1:{peer.port}", "routes": routes}
        document = {"_format_version": "3.0", "services": [service]}
        with gateway(engine, workdir, {"kong.yml": document}) as running:
            assert running.get("r.test", "/r1", tls=False).status == 401
            assert running.get("open.test", "/r1", tls=False).status == 200
