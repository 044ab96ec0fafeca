from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support import pki
from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from conftest import Certs

CERT_ID = "11111111-1111-4111-8111-111111111111"
OTHER_ID = "22222222-2222-4222-8222-222222222222"
CA_ID = "33333333-3333-4333-8333-333333333333"
OTHER_CA_ID = "44444444-4444-4444-8444-444444444444"

OPTIONS = ("--no-env", "--nginx-version", "1.28.0", "--allow-uncompiled", "key-auth")


class Sides:
    """Two inputs in a folder, and the command line run on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        self.folder = folder

    def write(self, old: Any, new: Any, old_conf: str = "", new_conf: str | None = None) -> None:
        new_conf = old_conf if new_conf is None else new_conf
        for name, entities, conf in (("old", old, old_conf), ("new", new, new_conf)):
            side = self.folder / name
            side.mkdir(exist_ok=True)
            (side / "kong.conf").write_text("tls_certificate_verify = off\n" + conf)
            document = {"_format_version": "3.0", **entities}
            (side / "kong.json").write_text(json.dumps(document, indent=1))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["diff", *(words or ("old", "new")), *OPTIONS])

    def document(self, *, code: int = 0) -> dict[str, Any]:
        result = self.run("old", "new", "--format", "json")
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return the changes by kind, each kind but once."""
        listed = self.document()["changes"]
        found = {change["kind"]: change for change in listed}
        assert len(found) == len(listed), [change["message"] for change in listed]
        return found

    def messages(self) -> list[str]:
        return [change["message"] for change in self.document()["changes"]]


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sides:
    return Sides(tmp_path, monkeypatch)


def pair(cert: pki.Cert, *names: str, **more: str) -> dict[str, Any]:
    snis = [{"name": name} for name in names]
    return {"cert": cert.chain_pem, "key": cert.key_pem, "snis": snis, **more}


def service(name: str = "billing", **fields: Any) -> dict[str, Any]:
    route = {"name": f"{name}-api", "paths": [f"/{name}"], **fields.pop("route", {})}
    return {"name": name, "url": f"https://{name}.internal:8443", "routes": [route], **fields}


def services(**fields: Any) -> dict[str, Any]:
    return {"services": [service(**fields)]}


def test_equal_inputs_say_nothing(sides: Sides) -> None:
    sides.write(services(), services())
    for output_format in ("text", "markdown", "unified"):
        result = sides.run("old", "new", "--exit-code", "--format", output_format)
        assert (result.exit_code, result.output) == (0, "")
    assert sides.document() == {
        "changes": [],
        "nginx": {"added": 0, "removed": 0},
        "diagnostics": [],
    }


def test_differences_are_exit_code_1_when_asked_for(sides: Sides) -> None:
    sides.write(services(), services(retries=7))
    assert sides.run("old", "new").exit_code == 0
    assert sides.run("old", "new", "--exit-code").exit_code == 1


def test_a_changed_field(sides: Sides) -> None:
    sides.write(services(connect_timeout=1000), services(connect_timeout=2000))
    change = sides.changes()["service-changed"]
    assert (change["before"], change["after"]) == (
        {"connect_timeout": 1000},
        {"connect_timeout": 2000},
    )
    assert change["message"] == "service billing: connect_timeout 1000 → 2000"
    assert (change["risk"], change["entity"]["name"]) == ("neutral", "billing")
    assert sides.document()["nginx"]["added"] > 0


def test_added_and_removed(sides: Sides) -> None:
    sides.write({"services": [service("a")]}, {"services": [service("b")]})
    assert sides.messages() == [
        "route b-api: added, http, https /b to b",
        "route a-api: removed, http, https /a to a",
        "service b: added, https://b.internal:8443",
        "service a: removed, https://a.internal:8443",
    ]


def test_a_list_shows_what_comes_and_goes(sides: Sides) -> None:
    old, new = (
        {"route": {"hosts": hosts}} for hosts in (["a.test", "b.test"], ["b.test", "c.test"])
    )
    sides.write(services(**old), services(**new))
    assert sides.messages() == ["route billing-api: hosts -a.test +c.test"]


def test_a_renamed_service_does_not_touch_its_routes(sides: Sides) -> None:
    one, other = (
        {"services": [service(id=CERT_ID, name=name, url="http://x.test", routes=[])],
         "routes": [{"name": "r", "paths": ["/r"], "service": name}]}
        for name in ("old-name", "new-name")
    )  # fmt: skip
    sides.write(one, other)
    assert sides.messages() == ["service new-name: name old-name → new-name"]


def test_routes_without_a_name_are_found_again(sides: Sides) -> None:
    other = {"hosts": ["x.test"]}
    old, new = (
        {"services": [{"name": "s", "host": "h", "routes": [{"paths": paths}, other]}]}
        for paths in (["/a"], ["/a", "/b"])
    )
    sides.write(old, new)
    assert sides.messages() == ["route for /a, /b: paths +/b"]


# Upstream TLS


def test_verification_that_ends(sides: Sides) -> None:
    conf = "nginx_proxy_proxy_ssl_trusted_certificate = ca.crt\n"
    (sides.folder / "ca.crt").write_text(pki.ca().cert_pem)
    sides.write(services(tls_verify=True), services(tls_verify=False), conf)
    change = sides.changes()["upstream-verify-removed"]
    assert (change["risk"], change["before"], change["after"]) == ("weakens", True, False)
    assert change["message"].startswith(
        "billing: upstream no longer verified (services.billing.tls_verify (new/kong.json:"
    )


def test_a_global_setting_changes_every_service(sides: Sides) -> None:
    (sides.folder / "ca.crt").write_text(pki.ca().cert_pem)
    conf = "nginx_proxy_proxy_ssl_trusted_certificate = ca.crt\nnginx_proxy_proxy_ssl_verify = "
    both = {"services": [service("a"), service("b")]}
    sides.write(both, both, conf + "off\n", conf + "on\n")
    assert sides.messages() == [
        "nginx_proxy_proxy_ssl_verify: off → on (new/kong.conf:3:1)",
        "a: upstream now verified (nginx_proxy_proxy_ssl_verify (new/kong.conf:3:1))",
        "b: upstream now verified (nginx_proxy_proxy_ssl_verify (new/kong.conf:3:1))",
    ]
    assert {c["risk"] for c in sides.document()["changes"]} == {"strengthens"}


def test_the_ca_set_and_the_depth(sides: Sides) -> None:
    first, second = pki.ca("First"), pki.ca("Second")
    cas = [{"id": CA_ID, "cert": first.cert_pem}, {"id": OTHER_CA_ID, "cert": second.cert_pem}]
    old, new = (
        {"ca_certificates": cas, "services": [service(tls_verify=True, **fields)]}
        for fields in (
            {"ca_certificates": [CA_ID], "tls_verify_depth": 1},
            {"ca_certificates": [CA_ID, OTHER_CA_ID], "tls_verify_depth": 3},
        )
    )
    sides.write(old, new)
    changes = sides.changes()
    change = changes["upstream-ca-set-changed"]
    assert change["risk"] == "weakens"
    assert f"trusts CN=Second, sha256:{second.sha256[:16]}" in change["message"]
    assert changes["upstream-verify-depth-changed"]["after"] == 3
    sides.write(new, old)
    assert sides.changes()["upstream-ca-set-changed"]["risk"] == "strengthens"


def test_the_client_certificate(sides: Sides, certs: Certs) -> None:
    renewed = pki.leaf(certs.intermediate, "client.example", client=True)
    old, new = (
        {"certificates": [pair(cert, id=CERT_ID)], **services(client_certificate=CERT_ID)}
        for cert in (certs.client, renewed)
    )
    sides.write(old, new)
    change = sides.changes()["upstream-client-certificate-changed"]
    assert certs.client.sha256[:16] in change["before"]
    assert renewed.sha256[:16] in change["after"]
    sides.write(old, {"certificates": old["certificates"], **services()})
    assert sides.changes()["upstream-client-certificate-removed"]["risk"] == "weakens"


def test_an_upstream_that_loses_tls(sides: Sides) -> None:
    sides.write(services(), services(url="http://billing.internal:8443"))
    change = sides.changes()["upstream-tls-removed"]
    assert (change["risk"], change["before"], change["after"]) == ("weakens", "https", "http")


def test_the_name_that_is_verified(sides: Sides) -> None:
    sides.write(services(), services(url="https://other.internal:8443"))
    change = sides.changes()["upstream-name-changed"]
    assert (change["before"], change["after"]) == ("billing.internal", "other.internal")


# Server certificates


def test_a_replaced_certificate(sides: Sides, certs: Certs) -> None:
    renewed = pki.leaf(certs.intermediate, "example.com")
    # No id is written: the certificate is known by its SNIs.
    old, new = ({"certificates": [pair(c, "example.com")]} for c in (certs.ec, renewed))
    sides.write(old, new)
    changes = sides.changes()
    assert changes.keys() == {"certificate-changed", "server-certificate-changed"}
    change = changes["server-certificate-changed"]
    expiry = f"{renewed.certificate.not_valid_after_utc:%Y-%m-%d}"
    assert change["message"].startswith(
        "example.com: certificate replaced: CN=example.com, sha256:"
    )
    assert change["message"].endswith(f"sha256:{renewed.sha256[:16]}, expires {expiry}")
    assert changes["certificate-changed"]["before"].keys() >= {"cert", "key"}


def test_a_name_that_falls_back(sides: Sides, certs: Certs) -> None:
    wild = pki.leaf(certs.root, "*.example.com")
    both = [pair(certs.ec, "a.example.com"), pair(wild, "*.example.com")]
    sides.write({"certificates": both}, {"certificates": both[1:]})
    message = sides.changes()["server-certificate-changed"]["message"]
    assert message.startswith(
        "a.example.com: now answered by the wildcard *.example.com, was by its own SNI: "
    )
    for name, text in (("d.crt", certs.rsa.chain_pem), ("d.key", certs.rsa.key_pem)):
        (sides.folder / name).write_text(text)
    conf = "ssl_cert = d.crt\nssl_cert_key = d.key\n"
    sides.write({"certificates": both[:1]}, {}, conf)
    change = sides.changes()["server-certificate-changed"]
    assert change["risk"] == "weakens"
    assert "now answered by the default certificate" in change["message"]


def test_the_default_certificate(sides: Sides, certs: Certs) -> None:
    for name, text in (("d.crt", certs.ec.chain_pem), ("d.key", certs.ec.key_pem)):
        (sides.folder / name).write_text(text)
    sides.write({}, {}, "", "ssl_cert = d.crt\nssl_cert_key = d.key\n")
    change = next(
        c for c in sides.document()["changes"] if c["kind"] == "server-certificate-changed"
    )
    assert (change["risk"], change["entity"]["type"]) == ("strengthens", "default_certificate")
    assert change["message"].startswith("clients without SNI: certificate replaced: self-signed → ")


def test_the_rule_alone(sides: Sides, certs: Certs) -> None:
    old, new = ({"certificates": [pair(certs.ec, *names)]}
                for names in (["*.example.com", "a.example.com"], ["*.example.com"]))  # fmt: skip
    sides.write(old, new)
    change = sides.changes()["server-name-rule-changed"]
    assert "same certificate, now by the wildcard *.example.com" in change["message"]


# Settings, listeners, routes, plugins


@pytest.mark.parametrize(
    ("before", "after", "risk"),
    [
        ("ssl_cipher_suite = modern", "ssl_cipher_suite = old", "weakens"),
        ("ssl_cipher_suite = old", "ssl_cipher_suite = modern", "strengthens"),
        ("trusted_ips = 10.0.0.1", "trusted_ips = 10.0.0.1, 0.0.0.0/0", "weakens"),
        ("allow_debug_header = off", "allow_debug_header = on", "weakens"),
        ("log_level = info", "log_level = warn", "neutral"),
    ],
)
def test_settings(sides: Sides, before: str, after: str, risk: str) -> None:
    sides.write(services(), services(), before + "\n", after + "\n")
    change = sides.changes()["setting-changed"]
    name = before.partition(" ")[0]
    assert (change["entity"]["name"], change["risk"]) == (name, risk)
    assert change["message"].endswith("(new/kong.conf:2:1)")


def test_the_order_of_a_set_is_no_difference(sides: Sides) -> None:
    sides.write({}, {}, "trusted_ips = 10.0.0.1,10.0.0.2\n", "trusted_ips = 10.0.0.2, 10.0.0.1\n")
    assert sides.messages() == []


@pytest.mark.parametrize(
    ("after", "message", "risk"),
    [
        ("0.0.0.0:8443 ssl, 0.0.0.0:80", "proxy 0.0.0.0:80: added, without TLS", "weakens"),
        ("0.0.0.0:8443", "proxy 0.0.0.0:8443: ssl on → off", "weakens"),
        ("0.0.0.0:8443 ssl http2", "proxy 0.0.0.0:8443: http2 off → on", "neutral"),
    ],
)
def test_listeners(sides: Sides, after: str, message: str, risk: str) -> None:
    sides.write({}, {}, "proxy_listen = 0.0.0.0:8443 ssl\n", f"proxy_listen = {after}\n")
    change = next(c for c in sides.document()["changes"] if c["kind"].startswith("listener"))
    assert (change["message"], change["risk"]) == (f"listener {message}", risk)


def test_a_route_that_opens_to_plain_http(sides: Sides) -> None:
    sides.write(services(route={"protocols": ["https"]}), services())
    change = sides.changes()["route-plain-http-opened"]
    assert (change["risk"], change["entity"]["name"]) == ("weakens", "billing-api")
    # Without a listener for plain HTTP nothing opens.
    sides.write(
        services(route={"protocols": ["https"]}), services(), "proxy_listen = 0.0.0.0:8443 ssl\n"
    )
    assert sides.changes().keys() == {"route-changed"}


def test_a_guard_that_leaves(sides: Sides) -> None:
    guarded = services(plugins=[{"name": "key-auth", "config": {"hide_credentials": True}}])
    sides.write(guarded, services())
    assert sides.changes()["plugin-removed"]["risk"] == "weakens"
    off = services(
        plugins=[{"name": "key-auth", "config": {"hide_credentials": True}, "enabled": False}]
    )
    sides.write(guarded, off)
    assert sides.changes()["plugin-changed"]["risk"] == "weakens"


def test_what_weakens_comes_first(sides: Sides) -> None:
    old = services(route={"protocols": ["https"]}, url="http://billing.internal")
    sides.write(old, services(retries=9), "", "tls_certificate_verify = off\nlog_level = warn\n")
    risks = [change["risk"] for change in sides.document()["changes"]]
    assert risks == sorted(risks, key=["weakens", "strengthens", "neutral"].index)
    assert risks[0] == "weakens"
    assert len(set(risks)) == 3


# What is no difference


def test_yaml_and_json_are_the_same(sides: Sides, certs: Certs) -> None:
    document = {"certificates": [pair(certs.ec, "example.com")], **services()}
    sides.write(document, {})
    (sides.folder / "new" / "kong.json").unlink()
    text = yaml.safe_dump({"_format_version": "3.0", **document}, sort_keys=True)
    (sides.folder / "new" / "kong.yaml").write_text("# a comment\n\n" + text)
    assert sides.run("old", "new", "--exit-code").output == ""


def test_a_written_id_is_no_difference(sides: Sides, certs: Certs) -> None:
    sides.write(
        {"certificates": [pair(certs.ec, "example.com")], **services()},
        {"certificates": [pair(certs.ec, "example.com", id=CERT_ID)], **services(id=OTHER_ID)},
    )
    assert sides.run("old", "new", "--exit-code").output == ""


def test_a_written_id_of_what_has_no_name_is_no_difference(sides: Sides) -> None:
    # nginx.conf names these by their ids.
    old, new = (
        {"services": [{"host": "h.test", "routes": [{"paths": ["/a"], **route}], **service}]}
        for service, route in (({}, {}), ({"id": CERT_ID}, {"id": OTHER_ID}))
    )
    sides.write(old, new)
    assert sides.run("old", "new", "--exit-code").output == ""


def test_written_defaults_and_nulls_are_no_difference(sides: Sides) -> None:
    written = services(retries=5, read_timeout=60000, tls_verify=None, tags=[], enabled=True)
    sides.write(services(), written)
    assert sides.run("old", "new", "--exit-code").output == ""


def test_other_line_ends_of_a_certificate_are_no_difference(sides: Sides, certs: Certs) -> None:
    reformatted = pair(certs.ec, "example.com")
    for field in ("cert", "key"):
        reformatted[field] = reformatted[field].replace("\n", "\r\n")
    sides.write({"certificates": [pair(certs.ec, "example.com")]}, {"certificates": [reformatted]})
    assert sides.run("old", "new", "--exit-code").output == ""


def test_timestamps_are_no_difference(sides: Sides) -> None:
    sides.write(
        services(created_at=1, route={"created_at": 1}),
        services(created_at=2, updated_at=3, route={"created_at": 4}),
    )
    assert sides.messages() == []


def test_letter_case_of_hosts_is_no_difference(sides: Sides) -> None:
    sides.write(services(route={"hosts": ["A.test"]}), services(route={"hosts": ["a.TEST"]}))
    assert sides.messages() == []


# Inputs


def test_files_and_their_own_conf(sides: Sides) -> None:
    sides.write(services(), services(), "", "log_level = warn\n")
    files = ("old/kong.json", "new/kong.json")
    plain = sides.run(*files)
    assert plain.exit_code == 0
    given = sides.run(*files, "--conf-old", "old/kong.conf", "--conf-new", "new/kong.conf")
    assert "log_level: notice → warn (new/kong.conf:2:1)" in given.output
    assert "log_level" in sides.run("old/kong.conf", "new/kong.conf").output


def test_errors_say_which_side(sides: Sides) -> None:
    sides.write(services(), {"services": [{"name": "x"}]})
    result = sides.run()
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("NEW has errors:\nnew/kong.json:4:")
    found = sides.document(code=1)
    assert (found["changes"], found["nginx"]) == ([], None)
    assert {d["side"] for d in found["diagnostics"]} == {"NEW"}


def test_what_is_not_compiled_is_still_compared(sides: Sides) -> None:
    sides.write(services(), services(plugins=[{"name": "jwt"}]))
    found = sides.document(code=1)
    assert [change["kind"] for change in found["changes"]] == ["plugin-added"]
    assert found["nginx"] is None
    result = sides.run()
    assert "plugin jwt of service billing: added" in result.stdout
    assert "nginx.conf cannot be compared" in result.stderr


def test_wrong_usage(sides: Sides) -> None:
    sides.write({}, {})
    assert sides.run("old", "nowhere").exit_code == 2
    assert sides.run("-", "-").exit_code == 2
    assert sides.run("old", "new", "--format", "xml").exit_code == 2


# Formats


def test_text_and_markdown(sides: Sides) -> None:
    sides.write(services(), services(route={"paths": ["/new_*path"]}))
    lines = sides.run().stdout.splitlines()
    assert lines[:4] == [
        "neutral",
        "  route billing-api: paths -/billing +/new_*path",
        "",
        lines[3],
    ]
    assert lines[3].startswith("nginx.conf: ")
    assert lines[4:6] == ["--- OLD/nginx.conf", "+++ NEW/nginx.conf"]
    assert sides.run("old", "new", "--format", "unified").stdout.splitlines() == lines[4:]
    markdown = sides.run("old", "new", "--format", "markdown").stdout
    assert "- route billing-api: paths -/billing +/new\\_\\*path" in markdown
    assert "```diff\n--- OLD/nginx.conf" in markdown


def test_control_characters_do_not_reach_the_terminal(sides: Sides) -> None:
    sides.write(services(), services(tags=["\x1b[31mred"]))
    assert "\x1b" not in sides.run().stdout
