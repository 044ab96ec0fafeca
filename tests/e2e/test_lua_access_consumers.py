"""For which consumers the Lua takes certificates, and what upstreams are told of them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from support import access, pki, upstreams
from support.access import ABSENT, FAILED, HEADERS, Data, base64_header, refusal, told
from support.client_certs import CN, OU, O, client, common_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.access import Gateway
    from support.pki import Cert

pytestmark = pytest.mark.debian

ROOT = pki.ca("Clients")
BETWEEN = pki.intermediate(ROOT, "Between")
OTHER = pki.ca("Others")

URI = x509.UniformResourceIdentifier
DNS, EMAIL = x509.DNSName, x509.RFC822Name


def ip(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(text))


def name(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def directory(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.DirectoryName:
    return x509.DirectoryName(name(*attributes))


def encoded(value: str, kind: _ASN1Type) -> x509.Name:
    return x509.Name([x509.NameAttribute(CN, value, kind)])


def make_data() -> Data:
    data = Data()
    for each in ("alice", "bob", "carol", "dave", "nobody", "Zoë", "10.1.2.3", "2001:db8::1"):
        data.consumer(each)
    data.consumer("mail", "alice@clients.test")
    data.consumer("erin", "bob.custom")
    data.consumer("workload", "spiffe://clients.test/a,b")
    trust = data.trust(ROOT, OTHER)
    data.credential("alice", "shared", ROOT)
    data.credential("bob", "shared", OTHER)
    data.credential("carol", "shared")
    data.credential("dave", "layered")
    data.credential("bob", "layered", ROOT)
    data.credential("carol", "layered", BETWEEN)
    data.credential("carol", "alice")
    data.credential("carol", "later")
    data.credential("dave", "later-root", ROOT)
    data.rules = {
        "lookup": [data.step(trust)],
        "username": [data.step(trust, consumer_by=["username"])],
        "custom": [data.step(trust, consumer_by=["custom_id"])],
        "manual": [data.step(trust, consumer_by=[])],
        "default": [data.step(trust, default_consumer="id-of-dave")],
        "anonymous": [data.step(trust, anonymous="id-of-nobody")],
        "both": [
            data.step(trust, default_consumer="id-of-dave", anonymous="id-of-nobody"),
        ],
        "directory": [data.step(trust, san_dirname_matcher=["CN", "OU"])],
        "skip": [data.step(trust, skip_consumer_lookup=True)],
        "skip-dn": [data.step(trust, skip_consumer_lookup=True, authenticated_group_by="DN")],
        "skip-none": [data.step(trust, skip_consumer_lookup=True, authenticated_group_by=None)],
        "skip-directory": [data.step(trust, skip_consumer_lookup=True, san_dirname_matcher=["OU"])],
        "and": [data.step(trust), data.step(trust, header="X-Cert")],
        "or": [
            data.step(trust, anonymous="id-of-nobody"),
            data.step(trust, header="X-Cert", anonymous="id-of-mail"),
        ],
        "and-or": [
            data.step(trust),
            data.step(trust, header="X-Cert", anonymous="id-of-nobody"),
        ],
        "or-and": [
            data.step(trust, anonymous="id-of-nobody"),
            data.step(trust, header="X-Cert"),
        ],
        "skip-or": [
            data.step(trust, skip_consumer_lookup=True, anonymous="id-of-nobody"),
            data.step(trust, header="X-Cert", anonymous="id-of-mail"),
        ],
    }
    return data


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("consumers")
    with upstreams.upstream() as upstream, access.serve(folder, make_data(), upstream) as running:
        yield running


LOOKUPS: dict[str, tuple[str, Cert, str | None, str | None]] = {
    # the rule, the certificate, the consumer that it stands for and the credential that says so
    "credential of its authority": ("lookup", client(ROOT, "shared"), "alice", "credential-0"),
    "of another authority": ("lookup", client(OTHER, "shared"), "bob", "credential-1"),
    "through an intermediate": ("lookup", client(BETWEEN, "shared"), "alice", "credential-0"),
    "of the nearest authority": ("lookup", client(BETWEEN, "layered"), "carol", "credential-5"),
    "of the authority before any": ("lookup", client(ROOT, "layered"), "bob", "credential-4"),
    "of any authority": ("lookup", client(OTHER, "layered"), "dave", "credential-3"),
    "before a consumer's name": ("lookup", client(ROOT, "alice"), "carol", "credential-6"),
    "of an authority before an earlier name": (
        "lookup",
        client(ROOT, "x", [DNS("later"), DNS("later-root")]),
        "dave",
        "credential-8",
    ),
    "no field": ("manual", client(ROOT, "bob"), None, None),
    "username": ("lookup", client(ROOT, "bob"), "bob", None),
    "custom id": ("lookup", client(ROOT, "bob.custom"), "erin", None),
    "custom id alone": ("custom", client(ROOT, "bob"), None, None),
    "username alone": ("username", client(ROOT, "bob.custom"), None, None),
    "first of several names": ("lookup", client(ROOT, "x", [DNS("bob"), DNS("dave")]), "bob", None),
    "later of several names": ("lookup", client(ROOT, "x", [DNS("x"), DNS("dave")]), "dave", None),
    "alternative name before common name": (
        "lookup",
        client(ROOT, "bob", [DNS("dave")]),
        "dave",
        None,
    ),
    "alternative names hide the common name": (
        "lookup",
        client(ROOT, "bob", [DNS("x")]),
        None,
        None,
    ),
    "other kinds of names hide it": (
        "lookup",
        client(ROOT, "bob", [x509.RegisteredID(NameOID.COMMON_NAME)]),
        None,
        None,
    ),
    "e-mail": ("lookup", client(ROOT, "x", [EMAIL("alice@clients.test")]), "mail", None),
    "URI": ("lookup", client(ROOT, "x", [URI("spiffe://clients.test/a,b")]), "workload", None),
    "IPv4": ("lookup", client(ROOT, "x", [ip("10.1.2.3")]), "10.1.2.3", None),
    "IPv6": ("lookup", client(ROOT, "x", [ip("2001:db8:0::1")]), "2001:db8::1", None),
    "directory's name that does not count": (
        "lookup",
        client(ROOT, "x", [directory((CN, "bob"))]),
        None,
        None,
    ),
    "directory's name": (
        "directory",
        client(ROOT, "x", [directory((O, "dave"), (OU, "bob"), (CN, "erin"))]),
        "bob",
        None,
    ),
    "letter case": ("lookup", client(ROOT, "Bob"), None, None),
    "white space": ("lookup", client(ROOT, "bob "), None, None),
    "no common name": ("lookup", client(ROOT, name((O, "bob"))), None, None),
    "no subject": ("lookup", client(ROOT, x509.Name([])), None, None),
    "common name inside another": ("lookup", client(ROOT, name((O, "x,CN=bob"))), None, None),
    "common name with commas": ("lookup", client(ROOT, "bob,CN=dave"), None, None),
    "several common names": ("lookup", client(ROOT, name((CN, "bob"), (CN, "x"))), None, None),
    "NUL in the common name": ("lookup", client(ROOT, "bob\0"), None, None),
    "NUL within": ("lookup", client(ROOT, "bob\0.evil.test"), None, None),
    "NUL in an alternative name": ("lookup", client(ROOT, "x", [DNS("bob\0")]), None, None),
    "NUL, then another name": (
        "lookup",
        client(ROOT, "x", [DNS("bob\0x"), DNS("dave")]),
        "dave",
        None,
    ),
    "UTF8String": ("lookup", client(ROOT, encoded("Zoë", _ASN1Type.UTF8String)), "Zoë", None),
    "BMPString": ("lookup", client(ROOT, encoded("Zoë", _ASN1Type.BMPString)), "Zoë", None),
    "UniversalString": (
        "lookup",
        client(ROOT, encoded("bob", _ASN1Type.UniversalString)),
        "bob",
        None,
    ),
    "default": ("default", client(ROOT, "x"), "dave", None),
    "no default needed": ("default", client(ROOT, "bob"), "bob", None),
}


def expected(consumer: str, credential: str | None = None) -> dict[str, str]:
    custom = {each["username"]: each["custom_id"] for each in make_data().consumers}[consumer]
    made = {
        "X-Consumer-ID": f"id-of-{consumer}",
        "X-Consumer-Username": consumer,
        "X-Consumer-Custom-ID": custom,
        "X-Credential-Identifier": credential,
    }
    # the client reads headers as Latin-1
    return {header: value.encode().decode("latin-1") for header, value in made.items() if value}


@pytest.mark.parametrize("case", LOOKUPS)
def test_lookup(gateway: Gateway, case: str) -> None:
    rule, cert, consumer, credential = LOOKUPS[case]
    for _ in range(2):
        answer = gateway.get(f"/{rule}", cert)
        if consumer is None:
            assert refusal(answer) == FAILED
        else:
            assert told(answer) == expected(consumer, credential)


def test_one_certificate_is_looked_for_by_each_rule(gateway: Gateway) -> None:
    cert = client(ROOT, "bob.custom")
    for _ in range(2):
        assert told(gateway.get("/lookup", cert)) == expected("erin")
        assert refusal(gateway.get("/username", cert)) == FAILED
        assert told(gateway.get("/default", cert)) == expected("erin")
        assert told(gateway.get("/skip", cert)) == {
            "X-Client-Cert-Dn": "CN=bob.custom",
            "X-Authenticated-Group": "bob.custom",
        }


@pytest.mark.parametrize("rule", ["anonymous", "both"])
def test_anonymous(gateway: Gateway, rule: str) -> None:
    anonymous = expected("nobody") | {"X-Anonymous-Consumer": "true"}
    for cert in (None, client(pki.ca("Strangers"), "bob"), client(ROOT, "bob", days=(-3, -1))):
        assert told(gateway.get(f"/{rule}", cert)) == anonymous
    assert told(gateway.get(f"/{rule}", tls=False)) == anonymous
    unknown = expected("dave") if rule == "both" else anonymous
    assert told(gateway.get(f"/{rule}", client(ROOT, "x"))) == unknown
    assert told(gateway.get(f"/{rule}", client(ROOT, "bob"))) == expected("bob")


SUBJECT = name((O, "Clients, Ltd."), (OU, "a=b"), (CN, "bob"))
NAMES: Sequence[x509.GeneralName] = [
    DNS("a.test"),
    URI("urn:a,b\\c"),
    ip("10.1.2.3"),
    DNS("x\ny"),
    directory((OU, "unit"), (O, "x")),
    EMAIL("a@b.test"),
]
SAN = "a.test,urn:a\\,b\\\\c,10.1.2.3,{}a@b.test"
DN = "CN=bob,OU=a=b,O=Clients\\, Ltd."


@pytest.mark.parametrize(
    ("rule", "group", "san"),
    [
        ("skip", "bob", SAN.format("")),
        ("skip-dn", None, SAN.format("")),
        ("skip-none", "", SAN.format("")),
        ("skip-directory", "bob", SAN.format("unit,")),
    ],
)
def test_no_lookup(gateway: Gateway, rule: str, group: str | None, san: str) -> None:
    sent = told(gateway.get(f"/{rule}", client(ROOT, SUBJECT, NAMES)))
    told_group = DN if group is None else group
    assert sent == {
        "X-Client-Cert-Dn": DN,
        "X-Client-Cert-San": san,
        **({"X-Authenticated-Group": told_group} if told_group else {}),
    }


def test_subjects_are_told_as_nginx_does(gateway: Gateway) -> None:
    for subject in (SUBJECT, common_name('Zoë\r\n\0 +"<>;#'), common_name(" x ")):
        answer = gateway.get("/skip", client(ROOT, subject))
        assert told(answer)["X-Client-Cert-Dn"] == dict(answer.json()["headers"])["X-Nginx-Dn"]


def test_no_lookup_of_odd_subjects(gateway: Gateway) -> None:
    several = told(gateway.get("/skip", client(ROOT, name((CN, "bob"), (CN, "admin")))))
    assert several == {"X-Client-Cert-Dn": "CN=admin,CN=bob"}
    assert told(gateway.get("/skip", client(ROOT, "a\r\nX-Consumer-ID: b"))) == {
        "X-Client-Cert-Dn": "CN=a\\0D\\0AX-Consumer-ID: b"
    }
    assert told(gateway.get("/skip", client(ROOT, "Zoë\0"))) == {
        "X-Client-Cert-Dn": "CN=Zo\\C3\\AB\\00"
    }


SPOOFED = [(spelling, "spoofed") for header in HEADERS for spelling in (header, header.lower())]


@pytest.mark.parametrize("path", ["/open", "/lookup", "/skip", "/anonymous", "/default"])
def test_spoofed_headers(gateway: Gateway, path: str) -> None:
    cert = None if path == "/anonymous" else client(ROOT, "bob", [DNS("bob")])
    sent = told(gateway.get(path, cert, headers=SPOOFED))
    assert "spoofed" not in sent.values()
    assert sent == told(gateway.get(path, cert))


BOB, DAVE, UNKNOWN = client(ROOT, "bob"), client(ROOT, "dave"), client(ROOT, "x")


@pytest.mark.parametrize(
    ("rule", "connection", "header", "outcome"),
    [
        # without anonymous each must succeed, and the last is told
        ("and", BOB, DAVE, "dave"),
        ("and", BOB, None, ABSENT),
        ("and", None, DAVE, ABSENT),
        ("and", UNKNOWN, DAVE, FAILED),
        ("and", BOB, UNKNOWN, FAILED),
        # with it the first success is enough
        ("or", BOB, DAVE, "bob"),
        ("or", BOB, None, "bob"),
        ("or", BOB, UNKNOWN, "bob"),
        ("or", None, DAVE, "dave"),
        ("or", UNKNOWN, DAVE, "dave"),
        ("or", UNKNOWN, UNKNOWN, "anonymous mail"),
        ("or", None, None, "anonymous mail"),
        # mixed
        ("and-or", BOB, DAVE, "bob"),
        ("and-or", BOB, None, "bob"),
        ("and-or", None, DAVE, ABSENT),
        ("or-and", BOB, DAVE, "dave"),
        ("or-and", None, DAVE, "dave"),
        ("or-and", BOB, None, ABSENT),
        ("or-and", BOB, UNKNOWN, FAILED),
        ("skip-or", UNKNOWN, DAVE, "trusted"),
        ("skip-or", None, DAVE, "dave"),
        ("skip-or", None, None, "anonymous mail"),
    ],
)
def test_several_steps(
    gateway: Gateway, rule: str, connection: Cert | None, header: Cert | None, outcome: str
) -> None:
    headers = {"X-Cert": base64_header(header)} if header else {}
    answer = gateway.get(f"/{rule}", connection, headers=headers)
    if outcome in (ABSENT, FAILED):
        assert refusal(answer) == outcome
    elif outcome == "anonymous mail":
        assert told(answer) == expected("mail") | {"X-Anonymous-Consumer": "true"}
    elif outcome == "trusted":
        assert told(answer) == {"X-Client-Cert-Dn": "CN=x", "X-Authenticated-Group": "x"}
    else:
        assert told(answer) == expected(outcome)
