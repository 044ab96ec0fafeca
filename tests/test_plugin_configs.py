"""The configuration of plugins: which fields, which values, which defaults in which version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.compiling import certificate, compile_texts

from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS
from compiler.catalog.plugins import COMPILED
from compiler.model.diagnostic import Diagnostic, Report
from compiler.model.inputs import SourceText
from compiler.read.documents import read_documents
from compiler.resolve.entities import resolve_entities

CA = "33333333-3333-4333-8333-333333333333"
OTHER_CA = "44444444-4444-4444-8444-444444444444"
USER = "55555555-5555-4555-8555-555555555555"
TRUSTED = {"ca_certificates": [CA]}
HEADER = {**TRUSTED, "certificate_header_name": "X-C", "certificate_header_format": "url_encoded"}
NEEDED: dict[str, dict[str, Any]] = {
    "mtls-auth": TRUSTED,
    "header-cert-auth": HEADER,
    "acl": {"allow": ["a"]},
    "ip-restriction": {"allow": ["10.0.0.0/8"]},
}
"""The smallest config of each plugin that needs any."""


def resolve(
    plugin: dict[str, Any], version: tuple[int, ...] = (3, 15, 0, 1), **more: Any
) -> tuple[Any, list[Diagnostic]]:
    """Resolve a file with *plugin*; its errors are those of a file with one key on each line."""
    document = {
        "_format_version": "3.0",
        "ca_certificates": [{"id": CA, "cert": certificate("ca.crt")}],
        "consumers": [{"id": USER, "username": "ada"}, {"username": "bob"}],
        **more,
        "plugins": [plugin],
    }
    report = Report()
    text = json.dumps(document, indent=1)
    documents = read_documents([SourceText("kong.json", text.encode())], report)
    entities = resolve_entities(
        documents, kong_version=version, router_flavor="traditional_compatible", report=report
    )
    return entities, list(report)


def config(name: str, written: dict[str, Any], *version: int, **more: Any) -> dict[str, Any]:
    """Return the resolved config of a plugin without faults."""
    chosen = {"version": version} if version else {}
    entities, diagnostics = resolve({"name": name, "config": written, **more}, **chosen)
    assert diagnostics == []
    (plugin,) = entities.plugins.values()
    found: dict[str, Any] = plugin.config
    return found


def said(name: str, written: Any, *version: int, **more: Any) -> list[tuple[str, str]]:
    """Return the rule and message of every diagnostic."""
    chosen = {"version": version} if version else {}
    _, diagnostics = resolve({"name": name, "config": written, **more}, **chosen)
    return [(d.rule.name, d.message) for d in diagnostics]


def test_mtls_auth_has_every_field() -> None:
    assert config("mtls-auth", TRUSTED) == {
        "ca_certificates": (CA,),
        "skip_consumer_lookup": False,
        "authenticated_group_by": "CN",
        "consumer_by": ("custom_id", "username"),
        "default_consumer": None,
        "anonymous": None,
        "allow_partial_chain": False,
        "revocation_check_mode": "IGNORE_CA_ERROR",
        "cert_cache_ttl": 60000,
        "cache_ttl": 60,
        "http_timeout": 30000,
        "http_proxy_host": None,
        "http_proxy_port": None,
        "https_proxy_host": None,
        "https_proxy_port": None,
        "ssl_verify": True,
        "send_ca_dn": False,
        "san_dirname_matcher": (),
    }


def test_header_cert_auth_has_fields_of_its_own() -> None:
    found = config("header-cert-auth", HEADER)
    shared = config("mtls-auth", TRUSTED).keys() - {"send_ca_dn", "san_dirname_matcher"}
    assert found.keys() - shared == {
        "certificate_header_name",
        "certificate_header_format",
        "secure_source",
    }
    assert found["secure_source"] is True


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        (
            "tls-metadata-headers",
            {"client_cert_header_name": "X-Mine"},
            {
                "inject_client_cert_details": False,
                "client_cert_header_name": "X-Mine",
                "client_serial_header_name": "X-Client-Cert-Serial",
                "client_cert_issuer_dn_header_name": "X-Client-Cert-Issuer-DN",
                "client_cert_subject_dn_header_name": "X-Client-Cert-Subject-DN",
                "client_cert_fingerprint_header_name": "X-Client-Cert-Fingerprint",
            },
        ),
        ("tls-handshake-modifier", {}, {"tls_client_certificate": "REQUEST"}),
        (
            "acl",
            {"deny": ["a", "b"]},
            {
                "allow": None,
                "deny": ("a", "b"),
                "hide_groups_header": False,
                "include_consumer_groups": False,
                "always_use_authenticated_groups": False,
            },
        ),
        (
            "ip-restriction",
            {"allow": ["10.0.0.1", "::/0"], "status": 404},
            {"allow": ("10.0.0.1", "::/0"), "deny": None, "status": 404, "message": None},
        ),
    ],
)
def test_fields_and_defaults(name: str, written: dict[str, Any], expected: dict[str, Any]) -> None:
    assert config(name, written) == expected


@pytest.mark.parametrize(
    ("name", "field", "version", "default"),
    [
        ("mtls-auth", "ssl_verify", (3, 13, 0, 7), None),
        ("mtls-auth", "ssl_verify", (3, 14), True),
        ("mtls-auth", "default_consumer", (3, 4, 3, 5), None),
        ("mtls-auth", "default_consumer", (3, 5, 0, 7), None),
        ("mtls-auth", "san_dirname_matcher", (3, 14), ()),
        ("header-cert-auth", "ssl_verify", (3, 14), True),
        ("acl", "include_consumer_groups", (3, 6), False),
        ("acl", "always_use_authenticated_groups", (3, 8), False),
        ("cors", "private_network", (3, 5), False),
        ("cors", "allow_origin_absent", (3, 10), True),
    ],
)
def test_a_default_of_a_version(
    name: str, field: str, version: tuple[int, ...], default: object
) -> None:
    found = config(name, NEEDED.get(name, {}), *version)
    assert field in found
    assert found[field] == default


@pytest.mark.parametrize(
    ("name", "field", "value", "version"),
    [
        ("mtls-auth", "ssl_verify", True, (3, 12, 0, 9)),
        ("mtls-auth", "default_consumer", "ada", (3, 4, 3, 4)),
        ("mtls-auth", "default_consumer", "ada", (3, 6, 1, 3)),
        ("mtls-auth", "san_dirname_matcher", [], (3, 13, 0, 7)),
        ("acl", "include_consumer_groups", True, (3, 5)),
        ("acl", "always_use_authenticated_groups", True, (3, 7)),
        ("cors", "allow_origin_absent", True, (3, 9)),
        ("header-cert-auth", "send_ca_dn", True, (3, 15)),
    ],
)
def test_a_field_that_a_version_lacks(
    name: str, field: str, value: object, version: tuple[int, ...]
) -> None:
    found = said(name, {**NEEDED.get(name, {}), field: value}, *version)
    assert found == [("unknown-field", f"plugin {name!r} has no field 'config.{field}'")]


def test_a_plugin_that_a_version_lacks() -> None:
    assert said("header-cert-auth", HEADER, 3, 7) == [
        ("unknown-value", "name can't be 'header-cert-auth'")
    ]


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("mtls-auth", {}, "plugin 'mtls-auth' needs the field 'config.ca_certificates'"),
        ("mtls-auth", {"ca_certificates": []}, "config.ca_certificates must not be empty"),
        ("mtls-auth", {"ca_certificates": ["x"]}, "config.ca_certificates: 'x' is not a UUID"),
        ("mtls-auth", {**TRUSTED, "anonymous": 5},
         "config.anonymous must be a string, not a number"),
        ("mtls-auth", {**TRUSTED, "consumer_by": ["id"]}, "config.consumer_by can't be 'id'"),
        ("mtls-auth", {**TRUSTED, "http_proxy_port": 70000, "http_proxy_host": "h"},
         "config.http_proxy_port is 70000, but must be between 0 and 65535"),
        ("mtls-auth", {**TRUSTED, "https_proxy_host": "h"},
         "plugin 'mtls-auth' sets config.https_proxy_host without config.https_proxy_port"),
        ("mtls-auth", {**TRUSTED, "revocation_check_mode": "strict"},
         "config.revocation_check_mode can't be 'strict'"),
        ("header-cert-auth", {**HEADER, "certificate_header_format": "pem"},
         "config.certificate_header_format can't be 'pem'"),
        ("tls-handshake-modifier", {"tls_client_certificate": "REQUIRE"},
         "config.tls_client_certificate can't be 'REQUIRE'"),
        ("acl", {"allow": ["a"], "deny": ["b"]},
         "config.deny can't be set together with config.allow"),
        ("acl", {}, ("plugin 'acl' must set at least one of config.allow, config.deny to restrict"
         " anything")),
        ("acl", {"allow": []}, ("plugin 'acl' must set at least one of config.allow, config.deny"
         " to restrict anything")),
        ("acl", {"whitelist": ["a"]}, "plugin 'acl' has no field 'config.whitelist'"),
        ("acl", {"allow": "a"}, "config.allow must be a list, not a string"),
        ("ip-restriction", {}, ("plugin 'ip-restriction' must set at least one of config.allow,"
         " config.deny to restrict anything")),
        ("ip-restriction", {"deny": ["10.0.0.0/33"]},
         "config.deny: '10.0.0.0/33' is neither an IP address nor a CIDR range"),
        ("ip-restriction", {"blacklist": ["10.0.0.1"]},
         "plugin 'ip-restriction' has no field 'config.blacklist'"),
        ("request-termination", {"status_code": 600},
         "config.status_code is 600, but must be between 100 and 599"),
        ("request-termination", {"message": "m", "body": "b"},
         "config.message can't be set together with config.body"),
        ("request-termination", {"content_type": "text/plain"},
         "plugin 'request-termination' sets config.content_type without config.body"),
        ("request-termination", {"echo": True, "body": "b"},
         "config.echo can't be set together with config.body"),
        ("request-termination", {"trigger": "a b"},
         "config.trigger: 'a b' is not a header name (letters, digits, '-' and '_')"),
        ("cors", {"methods": ["get"]}, "config.methods can't be 'get'"),
        ("cors", {"origins": ["("]},
         "config.origins: the regular expression '(' has a '(' that is never closed"),
        ("cors", {"max_age": "1"}, "config.max_age must be a number, not a string"),
        ("cors", {"credentials": True}, ("config.credentials is on for every origin: any site may"
         " use what its visitors can")),
        ("cors", {"credentials": True, "origins": ["https://a.test", "*"]},
         "config.credentials is on for every origin: any site may use what its visitors can"),
    ],
)  # fmt: skip
def test_what_is_reported(name: str, written: dict[str, Any], expected: str) -> None:
    assert [message for _, message in said(name, written)] == [expected]


@pytest.mark.parametrize("old", ["whitelist", "blacklist"])
def test_an_old_name_is_told_the_new_one(old: str) -> None:
    _, (diagnostic,) = resolve({"name": "acl", "config": {old: ["a"]}})
    now = {"whitelist": "allow", "blacklist": "deny"}[old]
    assert diagnostic.hint == f"it is called {now} since Kong 3.0"


def test_a_misspelt_field_suggests_the_nearest() -> None:
    _, (diagnostic,) = resolve({"name": "acl", "config": {"alow": ["a"], "deny": ["b"]}})
    assert diagnostic.hint == "did you mean 'allow'?"


def test_all_faults_are_reported_at_once_and_where_they_are() -> None:
    text = """\
_format_version: "3.0"
plugins:
- name: mtls-auth
  config:
    ca_certificates:
    - 33333333-3333-4333-8333-333333333333
    skip_consumer_lokup: true
    cache_ttl: "60"
    send_ca_dn: 1
"""
    report = Report()
    resolve_entities(
        read_documents([SourceText("kong.yml", text.encode())], report),
        kong_version=(3, 15, 0, 1),
        router_flavor="traditional_compatible",
        report=report,
    )
    assert [(d.rule.name, str(d.place)) for d in report] == [
        ("unknown-reference", "kong.yml:6:7"),
        ("unknown-field", "kong.yml:7:5"),
        ("field-type", "kong.yml:8:5"),
        ("field-type", "kong.yml:9:5"),
    ]


def test_a_missing_authority_is_named_with_what_to_do() -> None:
    _, (diagnostic,) = resolve({"name": "mtls-auth", "config": {"ca_certificates": [CA, OTHER_CA]}})
    assert diagnostic.message == (
        f"config.ca_certificates names {OTHER_CA!r}, but there is no such entity in ca_certificates"
    )
    assert "add a CA certificate with this id" in (diagnostic.hint or "")


@pytest.mark.parametrize("field", ["anonymous", "default_consumer"])
@pytest.mark.parametrize("named", ["ada", USER])
def test_a_consumer_is_named_by_username_or_id(field: str, named: str) -> None:
    assert config("mtls-auth", {**TRUSTED, field: named})[field] == USER


@pytest.mark.parametrize("unset", ["", None])
def test_no_consumer(unset: str | None) -> None:
    assert config("mtls-auth", {**TRUSTED, "anonymous": unset})["anonymous"] is None


def test_an_id_is_tried_before_a_username_that_looks_like_one() -> None:
    consumers = [{"id": USER, "username": "ada"}, {"id": CA, "username": USER}]
    plugin = {"name": "mtls-auth", "config": {**TRUSTED, "anonymous": USER}}
    entities, diagnostics = resolve(plugin, consumers=consumers)
    assert diagnostics == []
    assert [found.config["anonymous"] for found in entities.plugins.values()] == [USER]


def test_an_unknown_consumer_suggests_the_nearest() -> None:
    _, (diagnostic,) = resolve({"name": "mtls-auth", "config": {**TRUSTED, "anonymous": "adda"}})
    assert (diagnostic.rule.name, diagnostic.hint) == ("unknown-reference", "did you mean 'ada'?")


def test_a_shared_config_lies_under_the_own_one() -> None:
    plugin = {"name": "mtls-auth", "_config": "s", "config": {"cache_ttl": 7}}
    shared = {"s": {**TRUSTED, "cache_ttl": 5, "http_timeout": 1}}
    entities, diagnostics = resolve(plugin, _plugin_configs=shared)
    assert diagnostics == []
    (found,) = entities.plugins.values()
    chosen = {name: found.config[name] for name in ("ca_certificates", "cache_ttl", "http_timeout")}
    assert chosen == {"ca_certificates": (CA,), "cache_ttl": 7, "http_timeout": 1}


def test_a_fault_in_a_shared_config_is_reported_there() -> None:
    shared = {"s": {"alow": ["a"], "deny": ["b"]}}
    _, (diagnostic,) = resolve({"name": "acl", "_config": "s"}, _plugin_configs=shared)
    assert diagnostic.rule.name == "unknown-field"
    assert diagnostic.place is not None
    text = json.dumps({"_plugin_configs": shared}, indent=1)
    indent = text.splitlines()[3].index('"alow"') + 1
    assert diagnostic.place.column == indent


@pytest.mark.parametrize("name", sorted(PLUGIN_SCHEMAS))
def test_no_config_is_an_empty_one(name: str) -> None:
    bare, empty = (resolve({"name": name, **more})[1] for more in ({}, {"config": {}}))
    assert [d.message for d in bare] == [d.message for d in empty]
    assert (bare == []) == (name not in NEEDED)


def test_other_plugins_keep_what_is_written() -> None:
    written = {"minute": 5, "nested": {"any": [1]}}
    entities, diagnostics = resolve({"name": "rate-limiting", "config": written})
    assert diagnostics == []
    assert [plugin.config for plugin in entities.plugins.values()] == [written]


@pytest.mark.parametrize("name", sorted(PLUGIN_SCHEMAS))
def test_scopes_of_consumers(name: str) -> None:
    plugin = {"name": name, "config": NEEDED.get(name, {}), "consumer": "ada"}
    refused = [] if name in {"ip-restriction", "request-termination"} else ["field-not-allowed"]
    assert [d.rule.name for d in resolve(plugin)[1]] == refused


@pytest.mark.parametrize(
    ("name", "version", "protocols"),
    [
        ("mtls-auth", (3, 15), ("grpc", "grpcs", "http", "https")),
        ("acl", (3, 13), ("grpc", "grpcs", "http", "https")),
        ("acl", (3, 14), ("grpc", "grpcs", "http", "https", "ws", "wss")),
        ("ip-restriction", (3, 15), ("http", "https", "tcp", "tls", "grpc", "grpcs")),
        ("tls-handshake-modifier", (3, 15), ("https", "grpcs")),
        ("tls-metadata-headers", (3, 15), ("https", "grpcs")),
    ],
)
def test_default_protocols(name: str, version: tuple[int, ...], protocols: tuple[str, ...]) -> None:
    entities, _ = resolve({"name": name, "config": NEEDED.get(name, {})}, version)
    assert [plugin.protocols for plugin in entities.plugins.values()] == [protocols]


@pytest.mark.parametrize(
    ("name", "protocol", "fits"),
    [
        ("mtls-auth", "tcp", False),
        ("mtls-auth", "https", True),
        ("header-cert-auth", "tls", False),
        ("tls-handshake-modifier", "tls", True),
        ("tls-handshake-modifier", "http", False),
        ("tls-metadata-headers", "grpc", False),
        ("ip-restriction", "udp", True),
    ],
)
def test_protocols(name: str, protocol: str, fits: bool) -> None:  # noqa: FBT001
    found = said(name, NEEDED.get(name, {}), protocols=[protocol])
    assert [rule for rule, _ in found] == ([] if fits else ["unknown-value"])


def compiled(plugin: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    """Compile a service with *plugin*; return the errors and warnings about entities."""
    document = {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": "http://127.0.0.1:1", "routes": [{"paths": ["/"]}]}],
        "ca_certificates": [{"id": CA, "cert": certificate("ca.crt")}],
        "plugins": [plugin],
        **more,
    }
    report = compile_texts(document, {"proxy_listen": "0.0.0.0:8000", "admin_listen": "off"}).report
    return [(d.rule.name, d.message) for d in report]


@pytest.mark.parametrize("name", sorted(PLUGIN_SCHEMAS.keys() - COMPILED))
def test_a_plugin_that_is_only_checked_is_refused(name: str) -> None:
    found = compiled({"name": name, "config": NEEDED.get(name, {})})
    refused = {"plugin-not-compiled", "plugin-not-compiled-for-nginx"}
    assert refused & {rule for rule, _ in found}


def test_verification_may_not_be_switched_off() -> None:
    found = compiled({"name": "mtls-auth", "config": {**TRUSTED, "ssl_verify": False}})
    disabled = [message for rule, message in found if rule == "upstream-verify-disabled"]
    assert len(disabled) == 1
    assert "config.ssl_verify" in disabled[0]
    default = compiled({"name": "mtls-auth", "config": TRUSTED})
    assert "upstream-verify-disabled" not in [rule for rule, _ in default]


def test_verification_may_not_be_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    field = PLUGIN_SCHEMAS["mtls-auth"]["ssl_verify"]
    off = type(field)(type="boolean", default=False)
    schema = {**PLUGIN_SCHEMAS["mtls-auth"], "ssl_verify": off}
    schemas = {**PLUGIN_SCHEMAS, "mtls-auth": schema}
    monkeypatch.setattr("compiler.resolve.plugin_configs.PLUGIN_SCHEMAS", schemas)
    found = compiled({"name": "mtls-auth", "config": TRUSTED})
    assert "upstream-verify-disabled" in [rule for rule, _ in found]
