"""The target openresty but for handshakes: which nginx, which directives, which files."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from support import engines
from support.compiling import GOLDEN, certificate, compile_folder
from support.gateway import check, write_files
from typer.testing import CliRunner

from compiler.cli.app import app
from compiler.cli.engine import find_lua_module, find_nginx, lua_module
from compiler.cli.failures import UsageError
from compiler.emit import folders
from compiler.emit.folders import project_folder

if TYPE_CHECKING:
    from pathlib import Path

ROOT = GOLDEN.parent
LUA = project_folder("lua")
FILES = sorted(str(path.relative_to(LUA)) for path in LUA.rglob("*.lua"))
DEBIAN = (
    "nginx version: nginx/1.22.1\nconfigure arguments: --prefix=/usr/share/nginx "
    "--modules-path={} --with-stream=dynamic --with-stream_ssl_module"
)
OPENRESTY = (
    "nginx version: openresty/1.27.1.2\nconfigure arguments: --prefix=/usr/local/openresty/nginx "
    "--add-module=../ngx_devel_kit-0.3.3 --add-module=../ngx_lua-0.10.28 "
    "--add-module=../ngx_stream_lua-0.0.16 --with-stream"
)
NDK, LUA_MODULE = "ndk_http_module.so", "ngx_http_lua_module.so"
EMPTY = {"kong.yml": {"_format_version": "3.0"}}
GLOBALS = {
    "collectgarbage", "error", "io", "ipairs", "math", "next", "ngx", "pairs", "pcall", "require",
    "select", "setmetatable", "string", "table", "tonumber", "tostring", "type", "unpack",
}  # fmt: skip


def call(*args: str) -> Any:
    return CliRunner().invoke(app, args)


def fake_nginx(folder: Path, said: str) -> str:
    path = folder / "fake-nginx"
    path.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    path.chmod(0o755)
    return str(path)


# --- which nginx


def test_openresty_has_the_module_built_in(tmp_path: Path) -> None:
    assert lua_module(OPENRESTY).present
    assert lua_module(OPENRESTY).files == ()
    elsewhere = OPENRESTY.replace("../ngx_lua-0.10.28", "/src/lua-nginx-module")
    assert lua_module(elsewhere).present
    streams_alone = OPENRESTY.replace("../ngx_lua-0.10.28", f"{tmp_path}/stream-lua-nginx-module")
    assert not lua_module(streams_alone).present


def test_modules_in_files_are_loaded_in_their_order(tmp_path: Path) -> None:
    assert not lua_module(DEBIAN.format(tmp_path)).present
    (tmp_path / NDK).touch()
    assert not lua_module(DEBIAN.format(tmp_path)).present
    (tmp_path / LUA_MODULE).touch()
    found = lua_module(DEBIAN.format(tmp_path))
    assert found.present
    assert found.files == (f"{tmp_path}/{NDK}", f"{tmp_path}/{LUA_MODULE}")


def test_an_nginx_without_lua_is_wrong_usage(tmp_path: Path) -> None:
    write_files(tmp_path, EMPTY)
    nginx = fake_nginx(tmp_path, DEBIAN.format(tmp_path))
    done = call(
        "check", "-e", str(tmp_path / "kong.yml"), "--target", "openresty", "--nginx", nginx
    )
    assert done.exit_code == 2
    assert f"{nginx} has no Lua module" in done.stderr
    assert "libnginx-mod-http-lua" in done.stderr


def test_nobody_is_asked_where_the_version_alone_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nginx(tmp_path, DEBIAN.format(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_lua_module(None, version_given=True).files == ()


def test_the_embedded_nginx_is_none_for_openresty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nginx", "openresty"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_nginx(None, "openresty") == str(tmp_path / "nginx")
    assert find_nginx(None) != str(tmp_path / "nginx")
    (tmp_path / "nginx").unlink()
    monkeypatch.setattr(
        "shutil.which", lambda name, path=str(tmp_path): _which(tmp_path, name, path)
    )
    assert find_nginx(None, "openresty") == str(tmp_path / "openresty")
    (tmp_path / "openresty").unlink()
    with pytest.raises(UsageError, match="OpenResty"):
        find_nginx(None, "openresty")


def _which(folder: Path, name: str, path: str) -> str | None:
    found = folder / name
    return str(found) if path == str(folder) and found.exists() else None


def test_other_targets_are_refused_by_name() -> None:
    done = call("check", "--target", "Openresty")
    assert done.exit_code == 2
    assert "--target Openresty: is none of nginx, openresty" in done.stderr


# --- which directives


def warned(folder: Path, conf: str, target: str) -> list[str]:
    found = check(folder, {**EMPTY, "kong.conf": conf}, target=target)[1]
    return [each["message"] for each in found if each["code"] == "K368"]


@pytest.mark.parametrize(
    ("setting", "nginx", "openresty"),
    [
        ("nginx_http_lua_socket_log_errors = off", "stock nginx", None),
        ("nginx_proxy_access_by_lua_file = /x.lua", "stock nginx", None),
        ("nginx_http_lua_package_path = /x/?.lua", "stock nginx", None),
        ("nginx_http_wasm_x = 1", "stock nginx", "OpenResty does not have"),
        ("stream_listen = 127.0.0.1:9\nnginx_stream_lua_x = 1", "stock nginx", "without Lua"),
    ],
)
def test_injected_directives_are_left_out_with_a_warning(
    tmp_path: Path, setting: str, nginx: str, openresty: str | None
) -> None:
    for target, reason in (("nginx", nginx), ("openresty", openresty)):
        found = warned(tmp_path, f"{setting}\n", target)
        assert len(found) == (reason is not None), target
        assert reason is None or reason in found[0]


def conf_of(folder: Path, conf: str) -> str:
    write_files(folder, {**EMPTY, "kong.conf": conf})
    (folder / "options").write_text("--target openresty\n--nginx-version 1.27.1\n--no-env\n")
    return compile_folder(folder).conf


def test_what_kong_has_by_default_for_its_own_lua_is_not_written(tmp_path: Path) -> None:
    text = conf_of(tmp_path, "nginx_http_lua_regex_match_limit = 5\n")
    assert re.findall(r"\b\w*lua_\w+(?= )", text) == [
        "lua_package_path",
        "init_by_lua_file",
        "lua_regex_match_limit",
    ]
    assert "load_module" not in text


@pytest.mark.parametrize("loaded", [NDK, LUA_MODULE])
def test_what_the_user_loads_is_not_loaded_again(tmp_path: Path, loaded: str) -> None:
    for name in (NDK, LUA_MODULE):
        (tmp_path / name).touch()
    nginx = fake_nginx(tmp_path, DEBIAN.format(tmp_path))
    write_files(tmp_path, {**EMPTY, "kong.conf": f"nginx_main_load_module = mine/{loaded}\n"})
    (tmp_path / "options").write_text(f"--target openresty\n--nginx {nginx}\n--no-env\n")
    text = compile_folder(tmp_path).conf
    assert text.count("load_module") == 2
    assert text.count(loaded) == 1
    assert f"load_module mine/{loaded};" in text


# --- which files


def test_static_files_are_those_of_the_project_and_data_holds_no_key() -> None:
    outcome = compile_folder(GOLDEN / "compile" / "sni-in-memory-of-two-key-types" / "input")
    assert outcome.compiled is not None
    files = outcome.compiled.tree.files
    for name in FILES:
        assert files[f"lua/{name}"].data() == (LUA / name).read_bytes()
    data = json.loads(outcome.data["lua/data/certificates.json"])
    assert list(data) == ["exact", "prefix", "suffix", "others"]
    for pairs in data["exact"].values():
        assert all(path in files for pair in pairs for path in pair)
    assert "PRIVATE" not in str(outcome.data)


def test_lines_of_data_lead_to_their_certificate() -> None:
    outcome = compile_folder(GOLDEN / "compile" / "sni-in-memory-with-wildcards" / "input")
    assert outcome.compiled is not None
    lines = outcome.data["lua/data/certificates.json"].splitlines()
    spans = outcome.compiled.tree.spans["lua/data/certificates.json"]
    assert {lines[span.first - 1].partition(":")[0] for span in spans} == {
        '"*.example.org"', '"example.*"', '"*"',
    }  # fmt: skip
    assert all(span.source.type == "certificate" for span in spans)


def test_a_changed_certificate_changes_its_line_alone(tmp_path: Path) -> None:
    snis = {"old": ("a", "b", "c"), "new": ("a", "b", "d")}
    for side, names in snis.items():
        certificates = [
            {"cert": certificate(f"{kind}.crt"), "key": certificate(f"{kind}.key"),
             "snis": [{"name": f"{name}.test"}]}
            for kind, name in zip(("ec", "rsa", "other"), names, strict=True)
        ]  # fmt: skip
        entities = {"_format_version": "3.0", "certificates": certificates}
        write_files(tmp_path / side, {"kong.yml": entities})
    sides = (str(tmp_path / side) for side in snis)
    done = call(
        "diff", *sides, "--no-env", "--format", "unified",
        "--target", "openresty", "--nginx-version", "1.27.1",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    changed = [line for line in done.stdout.splitlines() if line[:1] in "+-"]
    assert [line.partition(":")[0] for line in changed] == [
        "--- OLD/lua/data/certificates.json",
        "+++ NEW/lua/data/certificates.json",
        '-"c.test"',
        '+"d.test"',
    ]


def test_stock_nginx_gets_no_lua() -> None:
    outcome = compile_folder(GOLDEN / "compile" / "sni-wildcards" / "input")
    assert outcome.compiled is not None
    assert not [path for path in outcome.compiled.tree.files if path.startswith("lua/")]
    assert "lua" not in outcome.conf


def test_lua_is_packaged_where_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    inside = build["targets"]["wheel"]["force-include"]
    package = tmp_path / "compiler"
    for name in ("lua", "templates"):
        assert name in build["targets"]["sdist"]["include"]
        folder = tmp_path / inside[name]
        folder.mkdir(parents=True)
        monkeypatch.setattr(folders, "__file__", str(package / "emit" / "folders.py"))
        assert project_folder(name) == folder


@pytest.mark.debian
@pytest.mark.parametrize("name", FILES)
def test_lua_loads_and_has_no_globals_of_its_own(workdir: Path, name: str) -> None:
    """LuaJIT's listing of the code tells which globals are read and set."""
    engine = engines.find("openresty")
    modules = "".join(f"load_module {engine.modules}/{file};\n" for file in (NDK, LUA_MODULE))
    lint = (
        f"local code = assert(loadfile('{LUA / name}'))\n"
        f"local out = assert(io.open('{workdir}/listing', 'w'))\n"
        "require('jit.bc').dump(code, out, true)\nout:close()\nerror('done', 0)\n"
    )
    (workdir / "lint.lua").write_text(lint)
    (workdir / "logs").mkdir()
    (workdir / "nginx.conf").write_text(
        f"{modules}error_log stderr;\npid nginx.pid;\nevents {{}}\n"
        "http { access_log off; init_by_lua_file lint.lua; }\n"
    )
    with pytest.raises(AssertionError, match="init_by_lua_file error: done"):
        engines.start(engine, workdir).__enter__()
    listing = (workdir / "listing").read_text()
    assert not re.findall(r"\bGSET\b.*", listing)
    assert set(re.findall(r'\bGGET\b.*; "(\w+)"', listing)) <= GLOBALS
