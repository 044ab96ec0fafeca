"""What was allowed to be left out (`--allow-uncompiled`) is said again at the end of a render."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import certificate
from support.diffing import CA_ID
from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

CONF = "proxy_listen = 127.0.0.1:8000\nadmin_listen = off\nadmin_gui_listen = off\n"
INPUTS = ("-c", "kong.conf", "-e", "kong.json", "--no-env", "--nginx-version", "1.28.0")
HEADER = {
    "ca_certificates": [CA_ID],
    "certificate_header_name": "X-Client-Cert",
    "certificate_header_format": "url_encoded",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of two services with two routes each, and one route of its own."""
    (tmp_path / "kong.conf").write_text(f"{CONF}status_listen = off\n")
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def write(folder: Path, *plugins: dict[str, Any]) -> None:
    services = [
        {"name": name, "url": "http://192.0.2.1", "routes": [
            {"name": f"{name}-{n}", "paths": [f"/{name}/{n}"]} for n in (1, 2)
        ]}
        for name in ("one", "two")
    ]  # fmt: skip
    document = {
        "_format_version": "3.0",
        "services": services,
        "routes": [{"name": "alone", "paths": ["/alone"]}],
        "consumers": [{"username": "ada"}],
        "ca_certificates": [{"id": CA_ID, "cert": certificate("ca.crt")}],
        "plugins": list(plugins),
    }
    (folder / "kong.json").write_text(json.dumps(document))


def call(command: str, *words: str) -> Result:
    return CliRunner().invoke(app, [command, *INPUTS, *words])


def allowing(*names: str) -> list[str]:
    return [word for name in names for word in ("--allow-uncompiled", name)]


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        ([{"name": "key-auth"}], "key-auth (5 routes)"),
        ([{"name": "key-auth", "service": "one"}], "key-auth (2 routes)"),
        ([{"name": "key-auth", "route": "alone"}], "key-auth (1 route)"),
        ([{"name": "key-auth", "service": "one"}, {"name": "key-auth", "route": "one-1"},
          {"name": "key-auth", "route": "two-2"}], "key-auth (3 routes)"),
        ([{"name": "jwt", "route": "alone"}, {"name": "key-auth", "service": "two"}],
         "jwt (1 route), key-auth (2 routes)"),
        ([{"name": "rate-limiting", "consumer": "ada"}], "rate-limiting (5 routes)"),
        ([{"name": "header-cert-auth", "service": "one", "config": HEADER}],
         "header-cert-auth (2 routes)"),
    ],
)  # fmt: skip
def test_it_is_said_in_the_last_line(
    folder: Path, plugins: list[dict[str, Any]], said: str
) -> None:
    write(folder, *plugins)
    names = {plugin["name"] for plugin in plugins}
    done = call("render", "-o", "out", *allowing(*names))
    assert done.exit_code == 0, done.output
    line = f"served without {said}: allowed by --allow-uncompiled"
    assert done.stderr.splitlines()[-1] == line
    assert done.stdout == ""
    # Whatever was rendered before, it is said again.
    assert call("render", "-o", "out", *allowing(*names)).stderr.splitlines()[-1] == line


def test_it_stands_behind_what_is_printed_to_standard_output(folder: Path) -> None:
    write(folder, {"name": "key-auth"})
    done = call("render", "--stdout", *allowing("key-auth"))
    assert done.stdout.startswith("# Made by kcompile")
    assert "served without" not in done.stdout
    assert done.stderr.splitlines()[-1].startswith("served without key-auth")


@pytest.mark.parametrize("command", ["render", "check"])
def test_programs_read_it_beside_the_diagnostics(folder: Path, command: str) -> None:
    write(folder, {"name": "key-auth", "service": "one"})
    where = ("-o", "out") if command == "render" else ()
    done = call(command, *where, "--format", "json", *allowing("key-auth"))
    document = json.loads(done.stdout)
    assert document["left_out"] == [{"plugin": "key-auth", "routes": 2}]
    assert [d["code"] for d in document["diagnostics"]] == ["K342", "K340"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    "plugins",
    [
        [],
        [{"name": "key-auth", "enabled": False}],
        [{"name": "prometheus"}],
        [{"name": "request-termination"}],
    ],
)
def test_nothing_is_said_where_nothing_is_less_protected(
    folder: Path, plugins: list[dict[str, Any]]
) -> None:
    write(folder, *plugins)
    names = allowing("key-auth", "prometheus", "request-termination")
    done = call("render", "-o", "out", *names)
    assert (done.exit_code, "served without" in done.output) == (0, False)
    document = json.loads(call("render", "-o", "out", "--format", "json", *names).stdout)
    assert document["left_out"] == []


def test_nothing_is_served_where_there_are_errors(folder: Path) -> None:
    write(folder, {"name": "key-auth"}, {"name": "jwt"})
    done = call("render", "-o", "out", *allowing("key-auth"))
    assert (done.exit_code, "served without" in done.output) == (1, False)
    document = json.loads(
        call("render", "-o", "out", "--format", "json", *allowing("key-auth")).stdout
    )
    assert (document["left_out"], document["output"]) == ([], None)


def test_a_plugin_that_the_target_has_is_not_left_out(folder: Path) -> None:
    write(folder, {"name": "header-cert-auth", "config": HEADER})
    words = ("--target", "openresty", *allowing("header-cert-auth"))
    assert "served without" not in call("render", "-o", "out", *words).output
