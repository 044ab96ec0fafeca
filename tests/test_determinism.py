"""The same input gives the same bytes, and a small change of it a small change of them."""

from __future__ import annotations

import difflib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import GOLDEN, certificate, compile_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
CONF = "ssl_cert = ec.crt\nssl_cert_key = ec.key\ndns_resolver = 192.0.2.53\n"
CERTIFICATES = ("ec", "other", "third", "chained", "client", "second-client")


def entities(numbers: range, *, seed: int | None = None) -> dict[str, Any]:
    """Return a gateway of services with a route, a certificate and an SNI each."""
    chosen = random.Random(seed)

    def mixed(items: list[Any]) -> list[Any]:
        return items if seed is None else chosen.sample(items, len(items))

    return {
        "_format_version": "3.0",
        "services": mixed([_service(number) for number in numbers]),
        "routes": mixed(
            [
                {"name": f"route-{n:03}", "service": f"service-{n:03}", **_match(n, mixed)}
                for n in numbers
            ]
        ),
        "upstreams": mixed([{"name": f"pool-{n:03}", "host_header": "p"} for n in numbers[::5]]),
        "targets": mixed(
            [
                {"upstream": f"pool-{n:03}", "target": f"192.0.2.{t}:80"}
                for n in numbers[::5]
                for t in (1, 2, 3)
            ]
        ),
        "certificates": mixed(
            [
                {
                    "id": f"00000000-0000-0000-0000-{n:012}",
                    "cert": certificate(f"{CERTIFICATES[n % 6]}.crt"),
                    "key": certificate(f"{CERTIFICATES[n % 6]}.key"),
                }
                for n in numbers
            ]
        ),
        "snis": mixed(
            [
                {"name": name, "certificate": f"00000000-0000-0000-0000-{n:012}"}
                for n in numbers
                for name in (f"h{n:03}.example.com", f"*.w{n:03}.example.com")
            ]
        ),
    }


def _service(number: int) -> dict[str, Any]:
    host = f"pool-{number:03}" if number % 5 == 0 else f"s{number:03}.internal"
    protocol = "https" if number % 3 == 0 and number % 5 else "http"
    return {"name": f"service-{number:03}", "host": host, "protocol": protocol, "port": 8080}


def _match(number: int, mixed: Any) -> dict[str, Any]:
    match number % 4:
        case 0:
            return {"hosts": mixed([f"h{number:03}.example.com", f"*.w{number:03}.example.com"])}
        case 1:
            return {"hosts": [f"h{number:03}.example.com"], "paths": mixed(["/a", "/b/c"])}
        case _:
            return {"paths": mixed([f"/p{number:03}", f"/p{number:03}/deeper"])}


def texts(given: dict[str, Any]) -> Mapping[str, str]:
    return compile_texts(given, CONF, nginx_version=(1, 31, 3)).texts


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_entities_does_not_matter(seed: int) -> None:
    assert texts(entities(range(40), seed=seed)) == texts(entities(range(40)))


def changed(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def matched_by(kind: str, number: int) -> dict[str, Any]:
    names = [f"h{number:03}.example.com", f"*.w{number:03}.example.com"]
    return {"hosts": names} if kind == "hosts" else {"paths": [f"/p{number:03}"]}


@pytest.mark.parametrize("number", [0, 29, 30, 59])
@pytest.mark.parametrize(("kind", "blocks"), [("hosts", 3), ("paths", 2)])
def test_one_more_service_changes_only_its_own_lines(kind: str, blocks: int, number: int) -> None:
    with_it, without = entities(range(60)), entities(range(60))
    mark = f"{number:03}"
    for given in (with_it, without):
        for route in given["routes"]:
            route.pop("hosts", None)
            route.pop("paths", None)
            route.update(matched_by(kind, int(route["name"][-3:])))
    for entity in ("services", "routes", "snis"):
        without[entity] = [e for e in without[entity] if mark not in e["name"]]
    kept = [e for e in without["certificates"] if not e["id"].endswith(mark)]
    without["certificates"] = kept
    assert len(without["services"]) == 59
    old, new = texts(without), texts(with_it)
    assert old.keys() == new.keys()
    found = {path: changed(old[path], new[path]) for path in new}
    assert not any(line.startswith("-") for lines in found.values() for line in lines)
    certificates = found.pop("conf/certificates.conf")
    assert [line for line in certificates if mark in line] == certificates
    assert len(certificates) == 2
    keys = found.pop("conf/routing.conf")
    assert [line for line in keys if mark in line] == keys
    assert len(keys) == (2 if kind == "hosts" else 0)
    lines = found.pop("nginx.conf")
    assert not any(found.values())
    text = "\n".join(lines)
    opened = ("    upstream ", "        location ")
    assert sum(line[1:].startswith(opened) for line in lines) == blocks
    assert text.count(mark) >= blocks
    assert len(lines) < 50


def run(folder: Path, out: Path, changes: Mapping[str, str], umask: int = 0o022) -> dict[str, Any]:
    """Render in a process of its own; return the bytes and modes of what it wrote."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SOURCE_DATE_EPOCH": "1790000000"}
    options = ["--no-env", "--nginx-version", "1.28.0", "--resolv-conf", "resolv.conf"]
    options += ["-c", "kong.conf", "-e", "kong.yml"]
    done = subprocess.run(
        [sys.executable, "-m", "compiler", "render", "-o", out, *options],
        cwd=folder,
        env={**environment, **changes},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        str(path.relative_to(out)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with inputs: sets of hosts, plugins and names invite orders that vary."""
    folder = tmp_path_factory.mktemp("inputs")
    case = GOLDEN / "compile" / "sni-wildcards" / "input"
    for name in ("kong.conf", "kong.yml"):
        text = (case / name).read_text().replace("../../../certs", str(GOLDEN / "certs"))
        (folder / name).write_text(text)
    shutil.copy(GOLDEN / "certs" / "resolv.conf", folder)
    with (folder / "kong.yml").open("a") as file:
        file.write("consumers:\n- username: é\n- username: b\n")
    return folder


@pytest.fixture(scope="module")
def reference(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(inputs, tmp_path_factory.mktemp("reference") / "out", {"PYTHONHASHSEED": "0"})


@pytest.mark.parametrize(
    "changes",
    [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "4294967295"},
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C"},
        {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"},
        {"HOME": "/nonexistent", "USER": "nobody", "COLUMNS": "20"},
    ],
    ids=lambda changes: " ".join(f"{k}={v}" for k, v in changes.items()),
)
def test_the_surroundings_do_not_matter(
    inputs: Path, reference: dict[str, Any], tmp_path: Path, changes: dict[str, str]
) -> None:
    assert run(inputs, tmp_path / "out", changes) == reference


def test_the_working_directory_does_not_matter(
    inputs: Path, reference: dict[str, Any], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "else where"
    shutil.copytree(inputs, elsewhere)
    assert run(elsewhere, tmp_path / "out", {}) == reference


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mask_does_not_matter(
    inputs: Path, reference: dict[str, Any], tmp_path: Path, umask: int
) -> None:
    assert run(inputs, tmp_path / "out", {}, umask) == reference


def test_a_second_render_changes_nothing(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "kong.conf").write_text("proxy_listen = 127.0.0.1:8443 ssl\n")
    (tmp_path / "kong.yml").write_text((inputs / "kong.yml").read_text())
    shutil.copy(inputs / "resolv.conf", tmp_path)
    first = run(tmp_path, tmp_path / "out", {})
    assert any("self-signed" in path for path in first)
    assert run(tmp_path, tmp_path / "out", {}) == first


def test_the_output_tells_nothing_of_the_machine(reference: dict[str, Any], inputs: Path) -> None:
    told = {str(ROOT).encode(), str(inputs).encode(), os.uname().nodename.encode(), b"2026-"}
    for path, (_, text) in reference.items():
        for word in told if path.endswith(".conf") else ():
            assert word not in text, (path, word)
