"""Putting a tree in place: whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import engines
from support.compiling import GOLDEN, compile_folder

from compiler.emit.manifest import Made, manifest
from compiler.emit.tree import Tree
from compiler.model.nginx import OutputFile
from compiler.model.secret import Secret
from compiler.write import directory
from compiler.write.directory import MANIFEST, RefusedError, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
KCOMPILE = [sys.executable, "-m", "compiler"]
MADE = Made(program="test", target="nginx", nginx_version="1.28.0", kong_version="3.15", inputs={})


def tree(mark: str, count: int = 3, size: int = 100) -> dict[str, OutputFile]:
    files = {
        "nginx.conf": OutputFile(f"# {mark}\n"),
        "tls/keys/k.pem": OutputFile(Secret(f"key {mark}"), 0o600),
        **{f"conf/{n}.conf": OutputFile(f"# {mark} {n}\n" + "x" * size) for n in range(count)},
    }
    return {**files, MANIFEST: manifest(Tree(files=files, spans={}), MADE)}


def put(out: Path, files: dict[str, OutputFile]) -> None:
    write_tree(out, files, key_owner=None)


def read(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def data(files: dict[str, OutputFile]) -> dict[str, bytes]:
    return {path: file.data() for path, file in sorted(files.items())}


def modes(out: Path) -> dict[str, int]:
    return {str(p.relative_to(out)): stat.S_IMODE(p.stat().st_mode) for p in out.rglob("*")}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_tree_is_written(tmp_path: Path) -> None:
    put(tmp_path / "a" / "out", tree("one"))
    assert read(tmp_path / "a" / "out") == data(tree("one"))
    assert names(tmp_path / "a") == ["out"]


def test_a_tree_of_ours_is_replaced(tmp_path: Path) -> None:
    put(tmp_path / "out", tree("one", count=5))
    put(tmp_path / "out", tree("two", count=2))
    assert read(tmp_path / "out") == data(tree("two", count=2))
    assert names(tmp_path) == ["out"]


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    put(tmp_path / "out", tree("one"))
    assert read(tmp_path / "out") == data(tree("one"))


@pytest.mark.parametrize("kind", ["directory", "file", "link to a directory", "broken link"])
def test_what_is_not_ours_is_refused(tmp_path: Path, kind: str) -> None:
    out, theirs = tmp_path / "out", tmp_path / "theirs"
    if kind == "file":
        out.write_text("precious")
    elif kind == "broken link":
        out.symlink_to(theirs)
    else:
        folder = out if kind == "directory" else theirs
        folder.mkdir()
        (folder / "precious").write_text("precious")
        if folder is theirs:
            out.symlink_to(theirs)
    before = read(tmp_path)
    with pytest.raises(RefusedError):
        put(out, tree("one"))
    assert read(tmp_path) == before


def test_a_link_is_flipped(tmp_path: Path) -> None:
    put(tmp_path / "first", tree("one"))
    (tmp_path / "out").symlink_to("first")
    for mark in ("two", "three"):
        put(tmp_path / "out", tree(mark))
        assert (tmp_path / "out").is_symlink()
        assert read(tmp_path / "out") == data(tree(mark))
    assert read(tmp_path / "first") == data(tree("one")), "what the user named stays"
    assert len(names(tmp_path)) == 3, "trees that we made are removed"


def test_without_an_exchange_a_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "out", tree("one"))
    monkeypatch.setattr(directory, "exchange", lambda *_: False)
    with pytest.raises(OSError, match="symbolic link"):
        put(tmp_path / "out", tree("two"))
    assert read(tmp_path / "out") == data(tree("one"))
    assert names(tmp_path) == ["out"]


def test_a_refused_test_leaves_the_old_tree(tmp_path: Path) -> None:
    put(tmp_path / "out", tree("one"))

    def refuse(fresh: Path) -> None:
        assert read(fresh) == data(tree("two"))
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        write_tree(tmp_path / "out", tree("two"), key_owner=None, before=refuse)
    assert read(tmp_path / "out") == data(tree("one"))
    assert names(tmp_path) == ["out"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".out.kcompile-dead"
    (leftover / "tls").mkdir(parents=True)
    (tmp_path / ".out.kcompile-dead-link").symlink_to("nowhere")
    (tmp_path / ".other.kcompile-alive").mkdir()
    put(tmp_path / "out", tree("one"))
    assert names(tmp_path) == [".other.kcompile-alive", "out"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_mask_of_the_caller_changes_no_mode(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        put(tmp_path / "out", tree("one"))
    finally:
        os.umask(before)
    found = modes(tmp_path / "out")
    assert found.pop("tls/keys/k.pem") == 0o600
    assert {found.pop(name) for name in ("conf", "tls", "tls/keys", "logs", "logs/tmp")} == {0o755}
    assert set(found.values()) == {0o644}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_a_key_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = os.open

    def watched(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = original(path, flags, mode, dir_fd=dir_fd)
        if "/keys/" in str(path):
            seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    def no_key(descriptor: int, mode: int) -> None:
        assert "/keys/" not in str(Path(f"/proc/self/fd/{descriptor}").readlink()), mode

    monkeypatch.setattr(os, "open", watched)
    monkeypatch.setattr(os, "fchmod", no_key)
    before = os.umask(0)
    try:
        put(tmp_path / "out", tree("one"))
    finally:
        os.umask(before)
    assert seen == [0o600]


def test_logs_of_a_running_nginx_stay_the_same_files(tmp_path: Path) -> None:
    put(tmp_path / "out", tree("one"))
    log = tmp_path / "out" / "logs" / "access.log"
    with log.open("a") as held:
        put(tmp_path / "out", tree("two"))
        held.write("after\n")
    assert log.read_text() == "after\n"


def test_the_manifest_lists_every_file() -> None:
    outcome = compile_folder(GOLDEN / "compile" / "sni-exact" / "input")
    assert outcome.compiled is not None
    made = outcome.compiled.tree
    listed = json.loads(manifest(made, MADE).data())["files"]
    assert listed == {
        path: {"sha256": sha256(file.data()).hexdigest(), "mode": f"{file.mode:04o}"}
        for path, file in made.files.items()
    }
    assert "PRIVATE" not in manifest(made, MADE).data().decode()


def render(out: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    inputs = ["-c", "kong.conf", "-e", "kong.yml", "--no-env", "--nginx-version", "1.28.0"]
    return subprocess.run(
        [*KCOMPILE, "render", "-o", out, *inputs, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
    )


def test_the_tree_on_disk_is_what_the_manifest_says(tmp_path: Path) -> None:
    done = render(tmp_path / "out", GOLDEN / "compile" / "sni-exact" / "input")
    assert done.returncode == 0, done.stderr
    listed = json.loads((tmp_path / "out" / MANIFEST).read_text())["files"]
    found = read(tmp_path / "out")
    del found[MANIFEST]
    assert {path: sha256(text).hexdigest() for path, text in found.items()} == {
        path: file["sha256"] for path, file in listed.items()
    }
    on_disk = modes(tmp_path / "out")
    assert {path: f"{on_disk[path]:04o}" for path in listed} == {
        path: file["mode"] for path, file in listed.items()
    }


def test_a_tree_works_where_it_is_moved_to(tmp_path: Path, workdir: Path) -> None:
    engine = engines.find("embedded")
    done = render(tmp_path / "out", GOLDEN / "compile" / "sni-wildcards" / "input")
    assert done.returncode == 0, done.stderr
    moved = workdir / "some where" / "else"
    shutil.copytree(tmp_path / "out", moved)
    shutil.rmtree(tmp_path / "out")
    tested = engines.nginx_test(engine, moved)
    assert tested.returncode == 0, tested.stderr
    for text in read(moved).values():
        assert str(tmp_path).encode() not in text


# What follows runs writers as processes, and ends them at any moment.

WRITER = f"""
import sys; sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}]
from pathlib import Path
import test_write
from compiler.write import directory
directory.os.sync = lambda: None
out, trees = Path(sys.argv[1]), [test_write.tree(m, 25, 2000) for m in ("one", "two")]
for turn in range(int(sys.argv[2])):
    test_write.put(out, trees[turn % 2])
    print(turn, flush=True)
"""

WATCHER = """
import hashlib, json, os, sys
out, looks = sys.argv[1], 0
def read(name, folder):
    descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
    with open(descriptor, "rb") as file:
        return file.read()
print("ready", flush=True)
while not os.path.exists(sys.argv[2]):
    for _ in range(200):
        for name in ("nginx.conf", "kcompile.json"):
            os.close(os.open(f"{out}/{name}", os.O_RDONLY))
    folder = os.open(out, os.O_RDONLY)
    try:
        listed = json.loads(read("kcompile.json", folder))["files"]
        for path, file in listed.items():
            assert hashlib.sha256(read(path, folder)).hexdigest() == file["sha256"], path
        looks += 1
    except FileNotFoundError:
        # The tree was replaced and is being removed; one that is in place must be whole.
        if os.stat(out).st_ino == os.fstat(folder).st_ino:
            raise
    finally:
        os.close(folder)
print(looks)
"""


@pytest.fixture(params=["directory", "link"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a path that holds a tree already."""
    if request.param == "directory":
        put(tmp_path / "out", tree("one", 25, 2000))
    else:
        put(tmp_path / "first", tree("one", 25, 2000))
        (tmp_path / "out").symlink_to("first")
    return tmp_path / "out"


@pytest.fixture
def watcher(place: Path, tmp_path: Path) -> Iterator[None]:
    """Look at the tree all the time; fail when it is ever missing or not whole."""
    stop = tmp_path / "stop"
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHER, place, stop],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield
    stop.touch()
    said, complained = process.communicate(timeout=20)
    assert process.returncode == 0, complained
    assert int(said) > 10


def start_writer(place: Path, turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, place, str(turns)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.usefixtures("watcher")
def test_a_tree_is_never_missing_or_partial(place: Path) -> None:
    said, _ = start_writer(place, 30).communicate(timeout=60)
    assert said.endswith("29\n")


@pytest.mark.usefixtures("watcher")
def test_a_kill_at_any_moment_leaves_a_whole_tree(place: Path) -> None:
    chosen = random.Random(3)
    for _ in range(4):
        writer = start_writer(place, 100_000)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chosen.uniform(0, 0.05))
        writer.kill()
        writer.communicate()
        assert read(place) in [data(tree(m, 25, 2000)) for m in ("one", "two")]
    put(place, tree("three"))
    assert not [name for name in names(place.parent) if ".kcompile-" in name]


def test_two_writers_take_turns(place: Path) -> None:
    writers = [start_writer(place, 8) for _ in range(2)]
    assert [writer.communicate(timeout=60)[0][-3:] for writer in writers] == ["\n7\n", "\n7\n"]
    assert read(place) == data(tree("two", 25, 2000))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte; only root can."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "kcompile-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can't be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)  # noqa: S607


def test_a_full_disk_leaves_the_old_tree(small_disk: Path, tmp_path: Path) -> None:
    out = small_disk / "out"
    case = GOLDEN / "compile" / "sni-exact" / "input"
    assert render(out, case).returncode == 0
    before = read(out)
    big = tmp_path / "big"
    shutil.copytree(GOLDEN / "certs", tmp_path / "certs")
    big.mkdir()
    conf = (case / "kong.conf").read_text().replace("../../../certs", str(GOLDEN / "certs"))
    (big / "kong.conf").write_text(conf)
    routes = "".join(f"  - {{name: r{n}, paths: [/{n}]}}\n" for n in range(2000))
    (big / "kong.yml").write_text(
        '_format_version: "3.0"\nservices:\n- name: s\n  url: http://192.0.2.1/\n  routes:\n'
        + routes
    )
    done = render(out, big)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert read(out) == before
    assert names(small_disk) == ["out"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_writing_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    out = tmp_path / "out"
    program = f"""
import os, sys, time
sys.path[:0] = [{str(TESTS.parent)!r}]
from compiler.write import directory
original = directory._write_file
def slow(*args):
    original(*args)
    print("writing", flush=True)
    time.sleep(5)
directory._write_file = slow
from compiler.cli.app import main
inputs = ["-c", "kong.conf", "-e", "kong.yml", "--no-env"]
sys.argv = ["kcompile", "render", "-o", {str(out)!r}, *inputs]
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=GOLDEN / "compile" / "path-priorities" / "input",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(number)
    _, complained = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in complained
    assert names(tmp_path) == []
