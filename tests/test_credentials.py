"""The credentials of consumers that plugins will ask for: certificates, and groups."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from support.compiling import certificate, compile_texts

from compiler.model.diagnostic import Diagnostic, Report
from compiler.model.inputs import SourceText
from compiler.read.documents import read_documents
from compiler.resolve.entities import resolve_entities

CA = "33333333-3333-4333-8333-333333333333"
OTHER_CA = "44444444-4444-4444-8444-444444444444"
USER = "55555555-5555-4555-8555-555555555555"
CERTIFICATES = ("mtls_auth_credentials", "header_cert_auth_credentials")
KINDS = ("acls", *CERTIFICATES)


def document(**more: Any) -> dict[str, Any]:
    cas = ((CA, "ca.crt"), (OTHER_CA, "old-ca.crt"))
    return {
        "_format_version": "3.0",
        "ca_certificates": [{"id": ca, "cert": certificate(file)} for ca, file in cas],
        "consumers": [{"id": USER, "username": "ada"}, {"username": "bob"}],
        **more,
    }


def resolve(**more: Any) -> tuple[Any, list[Diagnostic]]:
    report = Report()
    text = json.dumps(document(**more), indent=1)
    documents = read_documents([SourceText("kong.json", text.encode())], report)
    entities = resolve_entities(
        documents,
        kong_version=(3, 15, 0, 1),
        router_flavor="traditional_compatible",
        report=report,
    )
    return entities, list(report)


def accepted(kind: str, **more: Any) -> list[Any]:
    entities, diagnostics = resolve(**more)
    assert diagnostics == []
    assert entities.uncompiled == ()
    found = getattr(entities, kind)
    assert all(found[key].id == key for key in found)
    return list(found.values())


def messages(**more: Any) -> list[str]:
    return [diagnostic.message for diagnostic in resolve(**more)[1]]


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_certificates_nested_and_flat_are_the_same(kind: str) -> None:
    credential = {"subject_name": "ada@example.com"}
    (nested,) = accepted(kind, consumers=[{"id": USER, "username": "ada", kind: [credential]}])
    for consumer in ("ada", USER, {"id": USER}, {"username": "ada"}):
        (flat,) = accepted(kind, **{kind: [{**credential, "consumer": consumer}]})
        assert (flat.kind, flat.consumer, flat.subject_name, flat.ca_certificate) == (
            kind,
            USER,
            "ada@example.com",
            None,
        )
        assert (nested.kind, nested.consumer, nested.subject_name) == (
            flat.kind,
            flat.consumer,
            flat.subject_name,
        )


def test_groups_nested_and_flat_are_the_same_and_have_kongs_id() -> None:
    consumers = [{"username": "u", "acls": [{"group": "g"}]}]
    nested = accepted("acls", consumers=consumers)
    assert [(acl.id, acl.group) for acl in nested] == [
        ("87bb557c-dc75-5234-88ea-8d45c0c4701b", "g")
    ]
    flat = accepted("acls", consumers=[{"username": "u"}], acls=[{"group": "g", "consumer": "u"}])
    assert (flat[0].consumer, flat[0].group) == (nested[0].consumer, nested[0].group)


def test_an_id_that_is_written_is_kept() -> None:
    (found,) = accepted(
        "mtls_auth_credentials",
        mtls_auth_credentials=[{"id": OTHER_CA, "consumer": "ada", "subject_name": "a"}],
    )
    assert found.id == OTHER_CA


@pytest.mark.parametrize("kind", CERTIFICATES)
@pytest.mark.parametrize(
    "written",
    [
        CA,
        {"id": CA},
        certificate("ca.crt"),
        "text before\n" + certificate("ca.crt").replace("\n", "\r\n") + "\n",
    ],
    ids=["id", "mapping", "pem", "pem with other newlines"],
)
def test_an_authority(kind: str, written: Any) -> None:
    credential = {"consumer": "ada", "subject_name": "a", "ca_certificate": written}
    assert [found.ca_certificate for found in accepted(kind, **{kind: [credential]})] == [CA]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (USER, f"ca_certificate names {USER!r}, but there is no such entity in ca_certificates"),
        ({"id": USER}, (f"ca_certificate names {USER!r}, but there is no such entity in"
         " ca_certificates")),
        (certificate("other.crt"), ("ca_certificate names 'CN=example.org', but there is no such"
         " entity in ca_certificates")),
        ("x", "ca_certificate: 'x' is not a UUID"),
        (5, "ca_certificate must be a string, not a number"),
        ({}, "ca_certificate must be a string, not a mapping"),
        (certificate("ca.crt") + certificate("old-ca.crt"), ("ca_certificate: it holds several"
         " certificates")),
        ("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----", ("ca_certificate: it does"
         " not parse as X.509 (certificate 1 of the text)")),
    ],
)  # fmt: skip
def test_what_is_no_authority(written: Any, message: str) -> None:
    credential = {"consumer": "ada", "subject_name": "a", "ca_certificate": written}
    assert messages(mtls_auth_credentials=[credential]) == [message]


def test_a_key_that_stands_there_is_not_shown() -> None:
    key = certificate("ec.key")
    credential = {"consumer": "ada", "subject_name": "a", "ca_certificate": key}
    (message,) = messages(mtls_auth_credentials=[credential])
    assert "it holds a private key where a certificate" in message
    assert key.splitlines()[1] not in message


@pytest.mark.parametrize(
    ("kind", "written", "message"),
    [
        ("acls", {"consumer": "ada"}, "this acl needs the field 'group'"),
        ("acls", {"group": "g"}, "acl 'g' needs the field 'consumer'"),
        ("acls", {"group": "g", "consumer": "ada", "grup": "x"}, "acl 'g' has no field 'grup'"),
        ("mtls_auth_credentials", {"consumer": "ada"},
         "this mtls auth credential needs the field 'subject_name'"),
        ("mtls_auth_credentials", {"consumer": "eve", "subject_name": "a"},
         "consumer names 'eve', but there is no such entity in consumers"),
        ("header_cert_auth_credentials", {"consumer": "ada", "subject_name": ""},
         "subject_name must not be empty"),
    ],
)  # fmt: skip
def test_what_is_reported(kind: str, written: dict[str, Any], message: str) -> None:
    assert message in messages(**{kind: [written]})


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_name_is_unique_for_each_authority(kind: str) -> None:
    one = {"consumer": "ada", "subject_name": "a"}
    other = {"consumer": "bob", "subject_name": "a"}
    duplicate = f"{kind} has two entities with the same subject_name and ca_certificate"
    for more in ({}, {"ca_certificate": CA}):
        assert messages(**{kind: [{**one, **more}, {**other, **more}]}) == [duplicate]
    same = [{**one, "ca_certificate": CA}, {**other, "ca_certificate": certificate("ca.crt")}]
    assert messages(**{kind: same}) == [duplicate]
    apart = [one, {**other, "ca_certificate": CA}, {**other, "ca_certificate": OTHER_CA}]
    assert len(accepted(kind, **{kind: apart})) == 3


def test_the_two_kinds_of_certificates_do_not_meet() -> None:
    credential = {"consumer": "ada", "subject_name": "a"}
    both = {key: [credential] for key in CERTIFICATES}
    assert all(len(accepted(kind, **both)) == 1 for kind in CERTIFICATES)


def test_an_authority_that_is_wrong_makes_no_duplicate() -> None:
    credential = {"consumer": "ada", "subject_name": "a"}
    wrong = [{**credential, "ca_certificate": "x"}, {**credential, "ca_certificate": "y"}]
    assert len(messages(mtls_auth_credentials=wrong)) == 2
    assert all("UUID" in message for message in messages(mtls_auth_credentials=wrong))


def test_a_group_is_unique_for_each_consumer() -> None:
    duplicate = "acls has two entities with the same consumer and group"
    one, other = ({"group": "g", "consumer": named} for named in ("ada", {"id": USER}))
    assert messages(acls=[one, one]) == [duplicate]
    twice, _ = resolve(acls=[{**one, "id": CA}, {**other, "id": OTHER_CA}])
    assert list(twice.acls) == [CA]
    assert messages(acls=[{**one, "id": CA}, {**other, "id": OTHER_CA}]) == [duplicate]
    apart = [one, {**one, "consumer": "bob"}, {**one, "group": "h"}]
    assert len(accepted("acls", acls=apart)) == 3


GOLD = {"name": "gold"}
MEMBERS = "consumer_group_consumers"


@pytest.mark.parametrize("named", ["gold", {"name": "gold"}, {"id": CA}, CA], ids=str)
@pytest.mark.parametrize("consumer", ["ada", USER, {"id": USER}, {"username": "ada"}], ids=str)
def test_a_consumer_group_and_who_is_in_it(named: Any, consumer: Any) -> None:
    gold = {**GOLD, "id": CA, "tags": ["x"]}
    (group,) = accepted("consumer_groups", consumer_groups=[gold])
    assert (group.id, group.name, group.tags) == (CA, "gold", ("x",))
    ada = {"id": USER, "username": "ada"}
    item = {"consumer": consumer, "consumer_group": named}
    written: list[dict[str, Any]] = [
        {"consumer_groups": [gold], MEMBERS: [item]},
        {"consumer_groups": [{**gold, MEMBERS: [{"consumer": consumer}]}]},
        {"consumer_groups": [gold], "consumers": [{**ada, MEMBERS: [{"consumer_group": named}]}]},
    ]
    if isinstance(named, dict):
        written.append({"consumer_groups": [gold], "consumers": [{**ada, "groups": [named]}]})
    for more in written:
        (found,) = accepted(MEMBERS, **more)
        assert (found.consumer, found.consumer_group) == (USER, CA)


def test_a_consumer_group_has_its_id_of_its_name() -> None:
    """Kong does so where what is named is unique and nothing else is its key."""
    kind = uuid5(UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5"), "consumer_groups")
    (group,) = accepted("consumer_groups", consumer_groups=[GOLD])
    assert group.id == str(uuid5(kind, "gold"))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"consumer_groups": [{}]}, "this consumer group needs the field 'name'"),
        ({"consumer_groups": [{"name": ""}]}, "name must not be empty"),
        ({"consumer_groups": [{"name": 5}]}, "name must be a string, not a number"),
        ({"consumer_groups": [GOLD, GOLD]},
         "consumer_groups has two entities with the same name 'gold'"),
        ({"consumer_groups": [{**GOLD, "consumers": [{"username": "ada"}]}]},
         "consumer group 'gold' has no field 'consumers'"),
        ({"consumers": [{"username": "ada", "groups": [{"name": "gild"}]}]},
         "consumer_group names 'gild', but there is no such entity in consumer_groups"),
        ({"consumers": [{"username": "ada", "groups": [{"nmae": "gold"}]}]},
         "consumer_group must be a name or id, or a mapping with one of these, not a mapping"),
        ({"consumers": [{"username": "ada", "groups": ["gold"]}]},
         "each of groups must be a mapping, not a string"),
        ({"consumers": [{"username": "ada", "groups": "gold"}]},
         "groups must be a list, not a string"),
        ({"consumer_groups": [GOLD], "consumers": [{"username": "ada", "groups": [GOLD, GOLD]}]},
         f"{MEMBERS} has two entities with the same consumer and consumer_group"),
        ({MEMBERS: [{"consumer": "ada", "consumer_group": "gold"}]},
         "consumer_group names 'gold', but there is no such entity in consumer_groups"),
        ({"consumer_groups": [GOLD], MEMBERS: [{"consumer": "eve", "consumer_group": "gold"}]},
         "consumer names 'eve', but there is no such entity in consumers"),
        ({"consumer_groups": [GOLD], MEMBERS: [{"consumer_group": "gold"}]},
         "this consumer group consumer needs the field 'consumer'"),
        ({MEMBERS: [{"consumer": "ada"}]},
         "this consumer group consumer needs the field 'consumer_group'"),
        ({"consumer_groups": [GOLD],
          MEMBERS: [{"id": CA, "consumer": "ada", "consumer_group": "gold"}]},
         "this consumer group consumer has no field 'id'"),
        ({"consumer_groups": [{**GOLD, MEMBERS: [{"consumer": "ada", "consumer_group": "tin"}]},
                              {"name": "tin"}]},
         "consumer_group names 'tin', but the entity stands inside another one, which counts"),
    ],
)  # fmt: skip
def test_what_is_reported_of_consumer_groups(written: dict[str, Any], message: str) -> None:
    assert messages(**written) == [message]


def test_a_key_that_stands_for_a_group_is_not_shown() -> None:
    key = certificate("ec.key")
    for named in ([{"name": key}], [{"id": key}], key, [key]):
        found = messages(consumers=[{"username": "ada", "groups": named}])
        assert len(found) == 1
        assert key.splitlines()[1] not in found[0]


@pytest.mark.parametrize("included", [False, True])
def test_consumer_groups_are_counted_where_no_acl_looks_at_them(included: bool) -> None:  # noqa: FBT001
    acl = {"allow": ["gold"], "include_consumer_groups": included}
    member = {"username": "ada", "groups": [GOLD]}
    outcome = compile_texts(
        document(
            consumer_groups=[GOLD],
            consumers=[member],
            plugins=[
                {"name": "mtls-auth", "config": {"ca_certificates": [CA]}},
                {"name": "acl", "config": acl},
            ],
        ),
        "proxy_listen = 0.0.0.0:8000",
    )
    counted = [d.message.split(" read")[0] for d in outcome.report if d.rule.code == "K342"]
    assert counted == ([] if included else [f"1 {MEMBERS}", "1 consumer_groups"])


def test_what_no_plugin_uses_yet_is_counted() -> None:
    credentials = [{"subject_name": name} for name in "ab"]
    consumers = [
        {
            "username": "ada",
            "acls": [{"group": "g"}],
            "mtls_auth_credentials": credentials,
            "header_cert_auth_credentials": credentials[:1],
            "keyauth_credentials": [{"key": "k"}],
        }
    ]
    outcome = compile_texts(document(consumers=consumers), "proxy_listen = 0.0.0.0:8000")
    counted = [d.message.split(" read")[0] for d in outcome.report if d.rule.code == "K342"]
    assert sorted(counted) == [
        "1 acls",
        "1 consumers",
        "1 header_cert_auth_credentials",
        "1 keyauth_credentials",
        "2 mtls_auth_credentials",
    ]
