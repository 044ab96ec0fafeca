"""What `diff` says of plugins whose configuration is known, and of credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import certificate
from support.diffing import CA_ID, CERT_ID, OTHER_CA_ID

from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS

if TYPE_CHECKING:
    from support.diffing import Sides

CAS = [
    {"id": CA_ID, "cert": certificate("ca.crt")},
    {"id": OTHER_CA_ID, "cert": certificate("old-ca.crt")},
]
MTLS = {"ca_certificates": [CA_ID]}


def side(name: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "ca_certificates": CAS,
        "consumers": [{"username": "ada"}, {"username": "bob"}],
        "plugins": [{"name": name, "config": config}],
        **more,
    }


def credentials(**held: Any) -> dict[str, Any]:
    return {"ca_certificates": CAS, "consumers": [{"username": "ada", **held}]}


def changes(sides: Sides) -> list[tuple[str, str]]:
    """Return the risk and message of each change, whether the plugins are compiled or not."""
    allowed = [word for name in sorted(PLUGIN_SCHEMAS) for word in ("--allow-uncompiled", name)]
    result = sides.run("old", "new", "--format", "json", *allowed)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    return [(change["risk"], change["message"]) for change in document["changes"]]


@pytest.mark.parametrize(
    ("name", "config", "defaults"),
    [
        ("mtls-auth", MTLS, {"cache_ttl": 60, "ssl_verify": True, "consumer_by":
         ["custom_id", "username"], "anonymous": "", "default_consumer": None,
         "san_dirname_matcher": []}),
        ("acl", {"allow": ["a"]}, {"hide_groups_header": False, "deny": None}),
        ("ip-restriction", {"deny": ["10.0.0.1"]}, {"allow": []}),
        ("request-termination", {}, {"status_code": 503, "echo": False}),
        ("cors", {}, {"origins": [], "credentials": False, "allow_origin_absent": True}),
        ("tls-handshake-modifier", {}, {"tls_client_certificate": "REQUEST"}),
    ],
)  # fmt: skip
def test_writing_a_default_is_no_change(
    sides: Sides, name: str, config: dict[str, Any], defaults: dict[str, Any]
) -> None:
    sides.write(side(name, config), side(name, {**config, **defaults}))
    assert changes(sides) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("mtls-auth", {}, {"ca_certificates": [OTHER_CA_ID, CA_ID]},
         ("weakens", "config.ca_certificates +CN=Old Root")),
        ("mtls-auth", {"ca_certificates": [CA_ID, OTHER_CA_ID]}, {},
         ("strengthens", "config.ca_certificates -CN=Old Root")),
        ("mtls-auth", {}, {"anonymous": "ada"}, ("weakens", "config.anonymous unset → ada")),
        ("mtls-auth", {"anonymous": "ada"}, {"anonymous": "bob"},
         ("neutral", "config.anonymous ada → bob")),
        ("mtls-auth", {}, {"skip_consumer_lookup": True},
         ("weakens", "config.skip_consumer_lookup false → true")),
        ("mtls-auth", {"ssl_verify": False}, {},
         ("strengthens", "config.ssl_verify false → true")),
        ("mtls-auth", {}, {"revocation_check_mode": "SKIP"},
         ("weakens", "config.revocation_check_mode IGNORE_CA_ERROR → SKIP")),
        ("mtls-auth", {"consumer_by": []}, {},
         ("neutral", "config.consumer_by +custom_id +username")),
        ("mtls-auth", {}, {"cache_ttl": 5}, ("neutral", "config.cache_ttl 60 → 5")),
        ("acl", {"allow": ["b", "a"]}, {"allow": ["a", "c", "b"]},
         ("weakens", "config.allow +c")),
        ("acl", {"allow": ["a", "b"]}, {"allow": ["b", "c"]},
         ("neutral", "config.allow -a +c")),
        ("acl", {"deny": ["a", "b"]}, {"deny": ["b"]}, ("weakens", "config.deny -a")),
        ("acl", {"allow": ["a"]}, {"allow": ["a"], "include_consumer_groups": True},
         ("weakens", "config.include_consumer_groups false → true")),
        ("acl", {"deny": ["a"]}, {"deny": ["a"], "include_consumer_groups": True},
         ("strengthens", "config.include_consumer_groups false → true")),
        ("acl", {"deny": ["a"], "include_consumer_groups": True}, {"deny": ["a"]},
         ("weakens", "config.include_consumer_groups true → false")),
        ("ip-restriction", {"allow": ["10.0.0.1"]}, {"deny": ["10.0.0.1"]},
         ("neutral", "config.deny unset → [10.0.0.1]; config.allow [10.0.0.1] → unset")),
        ("ip-restriction", {"deny": ["::1"]}, {"deny": ["::1"], "allow": ["10.0.0.1"]},
         ("strengthens", "config.allow unset → [10.0.0.1]")),
        ("request-termination", {}, {"status_code": 404},
         ("neutral", "config.status_code 503 → 404")),
    ],
)  # fmt: skip
def test_a_changed_config(
    sides: Sides, name: str, old: dict[str, Any], new: dict[str, Any], said: tuple[str, str]
) -> None:
    needed = MTLS if name == "mtls-auth" else {}
    sides.write(side(name, {**needed, **old}), side(name, {**needed, **new}))
    risk, message = said
    assert changes(sides) == [(risk, f"plugin {name} (global): {message}")]


def test_a_plugin_that_is_off_keeps_nobody_out(sides: Sides) -> None:
    old, new = (side("acl", {"allow": allow}) for allow in (["a"], ["a", "b"]))
    for one in (old, new):
        one["plugins"][0]["enabled"] = False
    sides.write(old, new)
    assert [risk for risk, _ in changes(sides)] == ["neutral"]


def test_order_is_no_change(sides: Sides) -> None:
    old, new = (
        side("acl", {"allow": allow, "hide_groups_header": True})
        for allow in (["a", "b"], ["b", "a", "b"])
    )
    sides.write(old, new)
    assert changes(sides) == []


def test_another_id_of_an_authority_is_no_change(sides: Sides) -> None:
    held = {"mtls_auth_credentials": [{"subject_name": "a", "ca_certificate": CA_ID}]}
    old = {**side("mtls-auth", MTLS), **credentials(**held)}
    new = {**old, "ca_certificates": [{**CAS[0], "id": CERT_ID}, CAS[1]]}
    new["plugins"] = [{"name": "mtls-auth", "config": {"ca_certificates": [CERT_ID]}}]
    new["consumers"] = credentials(
        mtls_auth_credentials=[{"subject_name": "a", "ca_certificate": CERT_ID}]
    )["consumers"]
    sides.write(old, new)
    assert changes(sides) == []


@pytest.mark.parametrize(
    ("kind", "name", "held"),
    [
        ("acls", "acl", {"group": "a"}),
        ("mtls_auth_credentials", "mtls auth credential", {"subject_name": "a"}),
        ("header_cert_auth_credentials", "header cert auth credential", {"subject_name": "a"}),
    ],
)
def test_credentials_come_and_go(sides: Sides, kind: str, name: str, held: dict[str, Any]) -> None:
    sides.write(credentials(), credentials(**{kind: [held]}))
    assert changes(sides) == [("neutral", f"{name} a of ada: added")]
    assert sides.document()["changes"][0]["after"] == {"consumer": "ada", **held}
    sides.write(credentials(**{kind: [held]}), credentials())
    assert changes(sides) == [("neutral", f"{name} a of ada: removed")]


def test_members_of_consumer_groups_come_and_go(sides: Sides) -> None:
    groups = {"consumer_groups": [{"name": "gold"}, {"name": "tin"}]}
    without = {**credentials(), **groups}
    gold, tin = ({**credentials(groups=[{"name": name}]), **groups} for name in ("gold", "tin"))
    added = ("neutral", "consumer group consumer ada in gold: added")
    sides.write(without, gold)
    assert changes(sides) == [added]
    assert sides.document()["changes"][0]["after"] == {"consumer": "ada", "consumer_group": "gold"}
    sides.write(tin, gold)
    assert changes(sides) == [added, ("neutral", "consumer group consumer ada in tin: removed")]
    sides.write(gold, without)
    assert changes(sides) == [("neutral", "consumer group consumer ada in gold: removed")]


def test_a_consumer_group_with_another_name_or_id(sides: Sides) -> None:
    old, new = (
        {**credentials(groups=[{"id": CERT_ID}]), "consumer_groups": [{"id": CERT_ID, "name": n}]}
        for n in ("gold", "tin")
    )
    sides.write(old, new)
    assert changes(sides) == [("neutral", "consumer group tin: name gold → tin")]
    before, after = {"name": "tin", "id": CERT_ID}, {"name": "tin", "tags": ["x"]}
    sides.write({"consumer_groups": [before]}, {"consumer_groups": [after]})
    assert changes(sides) == [("neutral", "consumer group tin: tags unset → [x]")]


def test_how_a_member_is_written_is_no_change(sides: Sides) -> None:
    gold = {"name": "gold", "id": CERT_ID}
    old = {**credentials(groups=[{"name": "gold"}]), "consumer_groups": [gold]}
    member = {"consumer": {"username": "ada"}, "consumer_group": CERT_ID}
    for new in (
        {**credentials(), "consumer_groups": [gold], "consumer_group_consumers": [member]},
        {**credentials(groups=[{"name": "gold"}]), "consumer_groups": [{"name": "gold"}]},
    ):
        sides.write(old, new)
        assert changes(sides) == []


def test_the_consumer_group_of_a_plugin(sides: Sides) -> None:
    inside = {"name": "ip-restriction", "config": {"deny": ["::1"]}}
    gold, tin = {"name": "gold"}, {"name": "tin"}
    old = {"consumer_groups": [{**gold, "plugins": [inside]}, tin]}
    new = {"consumer_groups": [gold, tin], "plugins": [{**inside, "consumer_group": "gold"}]}
    sides.write(old, new)
    assert changes(sides) == []
    sides.write(old, {**new, "plugins": [{**inside, "consumer_group": "tin"}]})
    assert [message for _, message in changes(sides)] == [
        "plugin ip-restriction of consumer group gold: removed",
        "plugin ip-restriction of consumer group tin: added",
    ]


def test_a_changed_credential(sides: Sides) -> None:
    old, new = (
        credentials(mtls_auth_credentials=[{"subject_name": "a", "ca_certificate": ca}])
        for ca in (CA_ID, certificate("old-ca.crt"))
    )
    sides.write(old, new)
    assert changes(sides) == [
        (
            "neutral",
            "mtls auth credential a of ada: ca_certificate CN=Example Root → CN=Old Root",
        )
    ]


def test_how_an_authority_is_written_is_no_change(sides: Sides) -> None:
    old, new = (
        credentials(mtls_auth_credentials=[{"subject_name": "a", "ca_certificate": ca}])
        for ca in (CA_ID, certificate("ca.crt"))
    )
    sides.write(old, new)
    assert changes(sides) == []
