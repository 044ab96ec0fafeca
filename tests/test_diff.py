from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from support.diffing import CERT_ID, OTHER_ID, pair, service, services

if TYPE_CHECKING:
    from conftest import Certs
    from support.diffing import Sides


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
