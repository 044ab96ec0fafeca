"""kong.conf as Kong 3.10's own loader reads it: `data/conf_cases.json` holds its answers."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compiler.model.diagnostic import Report, Severity
from compiler.model.inputs import SourceText
from compiler.read.conf_file import read_conf
from compiler.resolve.settings import resolve_settings

if TYPE_CHECKING:
    from compiler.model.settings import Listener, Settings

DATA = Path(__file__).parent / "data"
FIXTURES = DATA / "fixtures"
CASES = json.loads((DATA / "conf_cases.json").read_text())
DEFAULTS = CASES[0]["expect"]

# What Kong computes from its settings for its own code: no setting, no counterpart.
INTERNAL = re.compile(
    r"loaded_(plugins|vaults)|enabled_headers(_upstream)?|host_ports|admin_gui_origin|\$refs"
    r"|.*_default(_ecdsa)?|.*_ssl_enabled|.*_sock|socket_path|lmdb_validation_tag|pluginservers"
    r"|lua_ssl_trusted_certificate_combined|cluster_ssl_tunnel"
    r"|kong_env|kong_process_secrets|nginx_pid|.*_logs|nginx(_.*)?_conf|nginx_wasm_.*_directives"
)
# Where Kong makes a relative path absolute; here it stays, so that output does not depend on
# where it is made.
WORKING_DIRECTORY = "${CWD}"
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# Whether a file exists, and what is in it, is found out by another stage.
ABOUT_FILES = re.compile(r"failed loading|no such file|does not exist|not a valid directory")
# Kong was asked for these without being started, when it leaves secrets unread.
NOT_STARTING = {c["name"] for c in CASES if c.get("opts", {}).get("starting") is False}


def substitute(text: str) -> str:
    def replacement(found: re.Match[str]) -> str:
        what, _, name = found[1].partition(":")
        if what == "FIX":
            return str(FIXTURES)
        if what not in {"PEM", "PEM-STRIPPED", "B64"}:
            return found[0]
        content = (FIXTURES / name).read_bytes()
        if what == "B64":
            return base64.b64encode(content).decode()
        return content.decode() if what == "PEM" else content.decode().strip()

    return re.sub(r"\$\{([A-Z0-9-]+(?::[^}]*)?)\}", replacement, text)


def resolve(case: dict[str, Any]) -> tuple[Settings, Report]:
    report = Report()
    data = substitute(case["kong_conf"]).encode("utf-8", "surrogateescape")
    conf = read_conf(SourceText("kong.conf", data), report)
    environment = {name: substitute(value) for name, value in case["env"].items()}
    settings = resolve_settings(conf, environment, kong_version=(3, 10, 0), report=report)
    return settings, report


def errors(report: Report) -> list[str]:
    return [d.message for d in report if d.severity is Severity.ERROR]


def plain(value: Any) -> Any:
    """Return *value* as the cases have it."""
    if isinstance(value, tuple):
        return [SYSTEM_BUNDLE if item == "system" else decoded(item) for item in value]
    return decoded(value) if isinstance(value, str) else value


def decoded(text: str) -> str:
    """Kong keeps what a base64 text stands for, if that is PEM."""
    if not text.startswith("LS0t"):
        return text
    return base64.b64decode(text).decode()


def listener_facts(listener: Listener) -> dict[str, Any]:
    flags = ("ssl", "http2", "proxy_protocol", "deferred", "bind", "reuseport", "udp")
    facts: dict[str, Any] = {flag: True for flag in flags if getattr(listener, flag)}
    facts |= {"ip": listener.ip, "port": listener.port}
    if listener.backlog is not None:
        facts[f"backlog={listener.backlog}"] = True
    if listener.ipv6only is not None:
        facts[f"ipv6only={'on' if listener.ipv6only else 'off'}"] = True
    if listener.so_keepalive is not None:
        facts[f"so_keepalive={listener.so_keepalive}"] = True
    return facts


def expected_listener(entry: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in entry.items() if key != "listener"}
    return facts | {"port": int(facts["port"])}


def expected_directives(entries: list[dict[str, str]]) -> list[tuple[str, str]]:
    """Return name and value; a predefined DH group is named, not the file Kong makes of it."""
    named = [
        (e["name"], re.sub(r"^.*/ssl/(ffdhe\d+)\.pem$", r"\1", substitute(e["value"])))
        for e in entries
    ]
    return sorted(named)


def found_for(name: str, settings: Settings) -> Any:
    block = re.fullmatch(r"nginx_(\w+)_directives", name)
    if block:
        return sorted((d.name, d.value) for d in settings.directives[block[1]])
    if name.endswith("_listeners"):
        return [listener_facts(e) for e in settings.listeners[name.removesuffix("_listeners")]]
    setting = settings.properties.get(name)
    return plain(setting.value) if setting else None


def expected_for(name: str, value: Any) -> Any:
    if name.endswith("_directives"):
        return expected_directives(value)
    if name.endswith("_listeners"):
        return [expected_listener(entry) for entry in value]
    if isinstance(value, list):
        return [substitute(item) for item in value]
    return substitute(value) if isinstance(value, str) else value


accepted = [c for c in CASES if "expect" in c and c["name"] not in NOT_STARTING]
refused = [
    c
    for c in CASES
    if "expect_error" in c
    and not all(ABOUT_FILES.search(e) for e in c.get("expect_errors", [c["expect_error"]]))
]


@pytest.mark.parametrize("case", accepted, ids=lambda case: case["name"])
def test_settings_are_those_of_kong(case: dict[str, Any]) -> None:
    settings, report = resolve(case)
    assert errors(report) == []
    expected = {**DEFAULTS, **case["expect"]}
    absent = case.get("expect_absent", [])
    found = {}
    wanted = {}
    for name, value in expected.items():
        if name in absent or INTERNAL.fullmatch(name) or WORKING_DIRECTORY in str(value):
            continue
        found[name] = found_for(name, settings)
        wanted[name] = expected_for(name, value)
    assert found == wanted
    for name in absent:
        assert INTERNAL.fullmatch(name) or found_for(name, settings) is None


@pytest.mark.parametrize("case", refused, ids=lambda case: case["name"])
def test_what_kong_refuses_is_refused(case: dict[str, Any]) -> None:
    _, report = resolve(case)
    subject = re.match(r"[a-z_]+", case["expect_error"])
    assert errors(report)
    named = " ".join(errors(report))
    if subject and subject[0] in DEFAULTS:
        assert subject[0] in named


def test_nothing_is_skipped_by_accident() -> None:
    assert len(accepted) + len(refused) >= len(CASES) - 6
