"""The command line: exit codes, what is printed where, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import GOLDEN
from typer.testing import CliRunner

from compiler.catalog.plan_rules import PROXY_OFF
from compiler.cli import build, show
from compiler.cli.app import app
from compiler.model.diagnostic import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.testing import Result

ROOT = Path(__file__).parents[1]
CONF = "proxy_listen = 127.0.0.1:8000\nadmin_listen = off\nadmin_gui_listen = off\n"
QUIET = f"{CONF}status_listen = off\n"
YML = """_format_version: "3.0"
services:
- name: hello
  url: http://192.0.2.10:8080
  routes:
  - {name: hello, paths: [/hello]}
"""
INPUTS = ("-c", "kong.conf", "-e", "kong.yml", "--no-env", "--nginx-version", "1.28.0")
DIAGNOSTIC_KEYS = {
    "code", "name", "severity", "message", "hint", "file", "line", "column", "variable", "entity",
    "related",
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a kong.conf and a kong.yml that are fine."""
    (tmp_path / "kong.conf").write_text(QUIET)
    (tmp_path / "kong.yml").write_text(YML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _own_signals() -> Any:
    """Keep what the command does to signals from the tests that follow."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def call(*args: str, stdin: str | bytes | None = None) -> Result:
    """Run a command in this process; a traceback is a failure of the test."""
    done = CliRunner().invoke(app, args, input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def start(*args: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "compiler", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})},
        **more,
    )


def test_done_is_0() -> None:
    done = call("render", "-o", "out", *INPUTS)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert Path("out/nginx.conf").exists()


def test_errors_in_the_input_are_1() -> None:
    Path("kong.yml").write_text(YML.replace("3.0", "9.0"))
    for command in (("render", "-o", "out"), ("check",)):
        done = call(*command, *INPUTS)
        assert done.exit_code == 1
        assert "kong.yml:1:1: error[K230]" in done.output
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("rander",), "rander"),
        (("render", "--conff", "x"), "--conff"),
        (("render", *INPUTS), "give either -o DIR or --stdout"),
        (("render", "--stdout", "-o", "out", *INPUTS), "give either"),
        (("render", "--stdout", "--test", *INPUTS), "--stdout prints"),
        (("render", "-o", "out", "--format", "xml", *INPUTS), "'xml' is none of text, json"),
        (("render", "-o", "out", "-c", "missing.conf"), "cannot read missing.conf: No such file"),
        (("render", "-o", "out", "-c", "."), "cannot read .: Is a directory"),
        (("render", "-o", "out", "-e", "missing.yml"), "cannot read missing.yml: No such file"),
        (("render", "-o", "out", "-e", "empty"), "empty holds no file that ends in"),
        (("render", "-o", "kong.yml", *INPUTS), "is not a directory"),
        (("render", "-o", ".", *INPUTS), "did not make"),
        (("render", "-o", "kong.yml/out", *INPUTS), "kong.yml"),
        (("render", "-o", "out", *INPUTS, "--kong-version", "2.8"), "--kong-version"),
        (("render", "-o", "out", *INPUTS, "--kong-version", "x"), "--kong-version"),
        (("render", "-o", "out", *INPUTS, "--nginx-version", "1.28"), "write X.Y.Z"),
        (("render", "-o", "out", *INPUTS, "--nginx", "/no/nginx", "--test"), "is not a program"),
        (("render", "-o", "out", *INPUTS, "--env-file", "missing"), "cannot read missing"),
        (("render", "-o", "out", *INPUTS, "--system-ca", "missing"), "--system-ca"),
        (("render", "-o", "out", *INPUTS, "--resolv-conf", "missing"), "--resolv-conf"),
        (("render", "-o", "out", *INPUTS, "--crl", "missing"), "cannot read missing: No such file"),
        (("diff", "kong.yml", "kong.yml", "--crl", "empty"), "cannot read empty: Is a directory"),
        (("render", "-o", "out", *INPUTS, "--target", "apache"), "--target apache"),
        (("check", *INPUTS, "--fail-on", "never"), "--fail-on"),
        (("settings", "log_leven", "-c", "kong.conf"), "did you mean log_level?"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_2(args: tuple[str, ...], said: str) -> None:
    Path("empty").mkdir()
    done = call(*args)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not Path("out").exists()
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_2() -> None:
    Path("kong.yml").chmod(0)
    assert call("check", *INPUTS).exit_code == 2


@pytest.mark.parametrize("command", ["render", "check", "settings"])
def test_a_bug_of_ours_is_70(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    for name in ("render.gather", "check.gather", "settings.gather"):
        monkeypatch.setattr(f"compiler.cli.{name}", broken)
    out = ("-o", "out") if command == "render" else ()
    done = call(command, *out, "-c", "kong.conf")
    assert done.exit_code == 70
    assert "a bug of ours (ZeroDivisionError)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(
            app, [command, *out, "-c", "kong.conf", "--debug"], catch_exceptions=False
        )


def test_check_writes_nothing_and_fails_on_what_it_is_told() -> None:
    Path("kong.conf").write_text(QUIET + "allow_debug_header = yes\n")
    for fail_on, code in (("error", 0), ("warning", 1), ("info", 1)):
        done = call("check", *INPUTS, "--fail-on", fail_on)
        assert done.exit_code == code
        assert "warning[K205]" in done.stdout
    assert sorted(os.listdir()) == ["kong.conf", "kong.yml"]  # noqa: PTH208


def test_entities_are_read_from_standard_input() -> None:
    done = call("render", "--stdout", "-c", "kong.conf", "--no-env", "-e", "-", stdin=YML)
    assert done.exit_code == 0
    assert "location */hello {" in done.stdout
    wrong = call("check", "-c", "kong.conf", "--no-env", "-e", "-", stdin="a: [")
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("-:2:1: error[K120]")


def test_a_directory_of_entities_is_merged() -> None:
    Path("entities/deeper").mkdir(parents=True)
    Path("entities/deeper/a.yaml").write_text(YML)
    Path("entities/b.json").write_text('{"_format_version": "3.0", "consumers": []}')
    Path("entities/README.md").write_text("not: [yaml")
    assert call("check", "-c", "kong.conf", "--no-env", "-e", "entities").exit_code == 0


def test_what_a_directory_lacks_is_not_passed_over() -> None:
    Path("entities").mkdir()
    Path("entities/a.yml").write_text(YML)
    Path("entities/b.yml").symlink_to("gone.yml")
    done = call("check", "-c", "kong.conf", "--no-env", "-e", "entities")
    assert done.exit_code == 2
    assert "entities/b.yml" in done.output


def test_a_directory_that_goes_away_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("entities/deeper").mkdir(parents=True)
    scan = os.scandir

    def gone(path: Any) -> Any:
        if str(path).endswith("deeper"):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert call("check", "-c", "kong.conf", "--no-env", "-e", "entities").exit_code == 2


def test_stdout_prints_nginx_conf_alone() -> None:
    call("render", "-o", "out", *INPUTS)
    Path("kong.conf").write_text(QUIET + "allow_debug_header = yes\n")
    done = call("render", "--stdout", *INPUTS)
    assert done.stdout == Path("out/nginx.conf").read_text()
    assert "K205" in done.stderr


def test_without_entities_those_of_the_conf_are_compiled() -> None:
    Path("kong.conf").write_text(QUIET + "declarative_config = kong.yml\n")
    done = call("render", "--stdout", "-c", "kong.conf", "--no-env")
    assert "location */hello {" in done.stdout


def test_the_environment_is_heeded_unless_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONG_PROXY_LISTEN", "127.0.0.1:9999")
    inputs = ("-c", "kong.conf", "-e", "kong.yml")
    assert "127.0.0.1:9999" in call("render", "--stdout", *inputs).stdout
    assert "127.0.0.1:9999" not in call("render", "--stdout", *inputs, "--no-env").stdout
    Path("env").write_text("KONG_PROXY_LISTEN=127.0.0.1:7777\n")
    assert "127.0.0.1:7777" in call("render", "--stdout", *inputs, "--env-file", "env").stdout


def test_json_of_render_and_check() -> None:
    done = call("render", "-o", "out", *INPUTS, "--format", "json")
    assert json.loads(done.stdout) == {"diagnostics": [], "left_out": [], "output": "out"}
    Path("kong.yml").write_text(YML.replace("/hello]", "~/a|/bcd]"))
    for command in (("render", "-o", "new"), ("check",)):
        done = call(*command, *INPUTS, "--format", "json")
        assert (done.exit_code, done.stderr) == (1, "")
        document = json.loads(done.stdout)
        assert document.keys() == {"diagnostics", "left_out", "output"}
        assert document["output"] is None
        (found,) = document["diagnostics"]
        assert found.keys() == DIAGNOSTIC_KEYS
        assert found["entity"].keys() == {"type", "id", "name"}
        assert (found["code"], found["severity"], found["line"]) == ("K344", "error", 6)


def test_json_of_settings() -> None:
    Path("kong.conf").write_text(QUIET + "log_level = warn\npg_password = hush-hush\n")
    done = call("settings", "-c", "kong.conf", "--no-env", "--format", "json")
    document = json.loads(done.stdout)
    assert document.keys() == {"settings", "directives", "listeners", "diagnostics"}
    assert document["settings"]["log_level"] == {
        "value": "warn",
        "origin": {"kind": "file", "file": "kong.conf", "line": 5},
        "overridden": [{"value": "notice", "origin": {"kind": "default"}}],
    }
    assert document["settings"]["pg_password"]["value"] == "[redacted]"
    assert document["listeners"].keys() == {
        "proxy", "admin", "admin_gui", "status", "stream", "cluster",
    }  # fmt: skip
    assert document["listeners"]["proxy"][0].keys() == {
        "ip", "port", "ssl", "http2", "proxy_protocol", "deferred", "bind", "reuseport", "backlog",
        "ipv6only", "so_keepalive", "udp",
    }  # fmt: skip
    assert "hush-hush" not in done.stdout


def test_no_secret_is_printed() -> None:
    Path("kong.yml").write_text((GOLDEN / "compile/sni-exact/input/kong.yml").read_text())
    for args in (("check",), ("render", "-o", "out"), ("render", "--stdout")):
        for form in ("text", "json"):
            if args[-1] == "--stdout" and form == "json":
                continue
            assert "PRIVATE" not in call(*args, *INPUTS, "--format", form).output


HOSTILE: Mapping[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)) * 50,
    "utf-16": YML.encode("utf-16"),
    "deep yaml": b"a: " + b"[" * 100_000,
    "deep json": b'{"a":' * 100_000,
    "closed deep json": b"[" * 100_000 + b"]" * 100_000,
    "huge number": b'_format_version: "3.0"\nservices: [{host: a, port: ' + b"9" * 5000 + b"}]",
    "huge json number": b'{"_format_version":"3.0","services":[{"host":"a","port":'
    + b"9" * 5000
    + b"}]}",
    "huge exponent": b'{"_format_version":"3.0","services":[{"host":"a","port":1e999999999}]}',
    "infinity": b'{"_format_version":"3.0","services":[{"host":"a","port":Infinity}]}',
    "not a number": b'_format_version: "3.0"\nservices: [{host: a, port: .nan}]',
    "lone surrogate": b'{"_format_version":"3.0","services":[{"host":"a","name":"\\ud800"}]}',
    "date": b'_format_version: "3.0"\nservices: [{host: 2001-01-01, name: 12:30:45}]',
    "null everywhere": b"_format_version: null\nservices: null\nroutes: [null]\n",
    "tag": b"!!python/object/apply:os.system ['true']",
    "self reference": b"a: &a [*a]",
    "merge of itself": b"a: &a {<<: *a}",
    "multiplying aliases": b"a: &a [x,x]\n"
    + b"".join(b"%c: &%c [*%c,*%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 121)),
    "list": b"- a\n- b\n",
    "scalar": b"hello",
    "long key": b"k" * 200_000 + b": 1\n",
    "nul": b'_format_version: "3.0"\0\n',
    "carriage returns": YML.replace("\n", "\r").encode(),
    "services text": b'_format_version: "3.0"\nservices: text\n',
    "routes number": b'_format_version: "3.0"\nroutes: 5\n',
    "tags mapping": b'_format_version: "3.0"\nservices: [{host: a, tags: {a: b}}]\n',
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", ["yml", "json"])
def test_hostile_entities_are_errors(name: str, suffix: str) -> None:
    Path(f"hostile.{suffix}").write_bytes(HOSTILE[name])
    done = call("check", "-c", "kong.conf", "--no-env", "-e", f"hostile.{suffix}")
    assert done.exit_code in {0, 1}, done.output
    assert (done.exit_code == 0) == ("error[" not in done.output)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_conf_is_no_bug(name: str) -> None:
    Path("kong.conf").write_bytes(HOSTILE[name])
    done = call("check", "-c", "kong.conf", "-e", "kong.yml", "--no-env")
    assert done.exit_code in {0, 1}, done.output


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_environment_file_is_no_bug(name: str) -> None:
    Path("env").write_bytes(HOSTILE[name])
    done = call("check", "-c", "kong.conf", "-e", "kong.yml", "--env-file", "env")
    assert done.exit_code in {0, 1}, done.output


@pytest.mark.parametrize(
    "line",
    [
        "upstream_keepalive_pool_size = " + "9" * 400,
        "upstream_keepalive_pool_size = 1e400",
        "upstream_keepalive_idle_timeout = 0.5",
        "upstream_keepalive_idle_timeout = nan",
        "upstream_keepalive_max_requests = -1",
        "proxy_listen = 0.0.0.0:99999",
        "proxy_listen = [::1",
        "proxy_listen = 127.0.0.1:8000 backlog=" + "9" * 400,
        "ssl_cert = " + "a" * 5000,
        "ssl_cert = /",
        "ssl_dhparam = /",
        "lua_ssl_trusted_certificate = /",
        "trusted_ips = " + "1.2.3.4," * 5000,
        "declarative_config = /",
        "proxy_access_log =",
        "proxy_access_log = ,",
        "proxy_access_log = " + "x" * 5000,
        "nginx_http_ = x",
        "nginx_main_user = ",
        "nginx_http_evil = a;b}{",
        "nginx_http_Upper = x",
        "nginx_proxy_a-b = x",
        "nginx_http_é = x",
    ],
    ids=lambda line: line[:50],
)
@pytest.mark.parametrize("listen", ["127.0.0.1:8000", "127.0.0.1:8443 ssl"])
def test_a_hostile_setting_is_no_bug(line: str, listen: str) -> None:
    Path("kong.conf").write_text(f"{QUIET}proxy_listen = {listen}\n{line}\n")
    Path("kong.yml").write_text(YML.replace("http://", "https://"))
    done = call("check", *INPUTS)
    assert done.exit_code in {0, 1}, done.output


def test_a_file_of_200_megabytes_is_refused() -> None:
    with Path("kong.yml").open("wb") as file:
        file.truncate(200_000_000)
    done = call("check", *INPUTS)
    assert done.exit_code == 1
    assert "K124" in done.output


def test_files_that_are_directories_are_2_or_an_error() -> None:
    Path("kong.conf").write_text(QUIET + "ssl_cert = .\nssl_cert_key = .\n")
    assert call("check", *INPUTS, "-e", ".").exit_code in {0, 1, 2}
    Path("env").mkdir()
    assert call("check", "-e", "kong.yml", "--env-file", "env").exit_code == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_terminal_is_not_obeyed(form: str) -> None:
    Path("kong.conf").write_text(QUIET + "\x1b[31mred\x07 = 1\n")
    Path("kong.yml").write_text(YML.replace("/hello]", '"~/a|/\\e]0;title\\a\\u009b2J"]'))
    done = call("check", *INPUTS, "--format", form)
    assert done.exit_code == 1
    assert {"K200", "K344"} <= set(re.findall(r"K\d{3}", done.output))
    assert not re.search("[\x1b\x07\x9b]", done.output)


def coloured(monkeypatch: pytest.MonkeyPatch, no_color: str | None) -> str:
    """Return what is said to a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    report, terminal = Report(), Terminal()
    report.add(PROXY_OFF, None)
    show.show_diagnostics(report, terminal)
    return terminal.getvalue()


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in coloured(monkeypatch, None)
    assert "\x1b[" in coloured(monkeypatch, "")
    assert "\x1b[" not in coloured(monkeypatch, "1")


def test_the_version_is_told() -> None:
    assert call("--version").stdout.startswith("kcompile 0.")


@pytest.mark.parametrize("command", ["render", "run", "check", "settings", "explain"])
def test_every_command_has_help(command: str) -> None:
    done = call(command, "--help")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 5


# What follows needs a process of its own.


def test_a_closed_pipe_is_no_error() -> None:
    routes = "".join(f"  - {{name: r{n}, paths: [/{n}]}}\n" for n in range(2000))
    Path("kong.yml").write_text(YML + routes)
    process = start("render", "--stdout", *INPUTS)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("# Made by kcompile")
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == ""
    assert process.wait(20) == 0


def test_a_closed_pipe_for_diagnostics_is_no_error() -> None:
    names = "".join(f"wrong_{n} = 1\n" for n in range(3000))
    Path("kong.conf").write_text(QUIET + names)
    process = start("check", *INPUTS)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with process.stderr as stderr:
        assert "Traceback" not in stderr.read()
    assert process.wait(20) in {0, 1}


def test_a_full_standard_output_is_2() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "compiler", "render", "--stdout", *INPUTS],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(number: int) -> None:
    # Standard input that never ends holds it up where it reads.
    process = start("render", "-o", "out", "-e", "-", "--no-env", stdin=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode in {130, 143, -number}
    assert "Traceback" not in said
    assert "bug" not in said
    assert not Path("out").exists()


def test_the_writer_is_told_why_it_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "write_tree", full)
    done = call("render", "-o", "out", *INPUTS)
    assert done.exit_code == 2
    assert done.stderr == "kcompile: cannot write out: No space left on device\n"
