"""Large inputs are compiled by two processes: what comes out is what one alone gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pki
from support.compiling import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
COUNT = 600
CONF = """\
proxy_listen = 127.0.0.1:8443 ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
ssl_cert = rsa.crt
ssl_cert_key = rsa.key
"""
BAD = {
    3: ("ec.crt", "rsa.key"),
    4: ("ec.key", "ec.key"),
    5: ("ec.crt", "ec.crt"),
    6: ("expired.crt", "expired.key"),
    7: ("swapped.crt", "chained.key"),
    8: ("ec.crt", None),
}
"""Pairs with something wrong, by their number."""

PROGRAM = """
import os, signal, sys, time
sys.path[:0] = [{root!r}]
from compiler import ahead, second_process
from compiler.write import directory

first = os.getpid()
start = second_process.SecondProcess.start
ahead.can_start = lambda: {processes} == 2

def told(self, *job):
    print("second", flush=True)
    return start(self, *job)

second_process.SecondProcess.start = told

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

{changes}
from compiler.cli.app import main
sys.argv = ["kcompile", *sys.argv[1:]]
main()
"""


@cache
def pairs() -> list[tuple[str, str | None]]:
    made = [pki.leaf(pki.ca(), f"n{n}.example.org") for n in range(COUNT)]
    return [(found.cert_pem, found.key_pem) for found in made]


def bad_pairs() -> list[tuple[str, str | None]]:
    found = pairs().copy()
    for number, (cert, key) in BAD.items():
        found[number] = certificate(cert), key and certificate(key)
    return found


def entity(number: int, cert: str, key: str | None) -> str:
    fields = [
        f"  {field}: |\n{textwrap.indent(text, '    ')}"
        for field, text in (("cert", cert), ("key", key))
        if text is not None
    ]
    identifier = f"00000000-0000-4000-8000-{number:012}"
    sni = f"  snis: [{{name: n{number}.example.org}}]\n"
    return f"- id: {identifier}\n{''.join(fields)}{sni}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the input of many services and certificates."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "kong.conf").write_text(CONF)
    for name in ("rsa.crt", "rsa.key"):
        (work / name).write_text(certificate(name))
    write(work, bad=False)
    return work


def write(folder: Path, *, bad: bool) -> None:
    services = "".join(
        f"- name: s{n}\n  host: h{n}.internal\n  routes:\n  - {{name: r{n}, paths: [/{n}]}}\n"
        for n in range(COUNT)
    )
    found = bad_pairs() if bad else pairs()
    certificates = "".join(entity(n, *texts) for n, texts in enumerate(found))
    (folder / "kong.yml").write_text(
        f'_format_version: "3.0"\nservices:\n{services}certificates:\n{certificates}'
    )


def start(folder: Path, out: Path, processes: int = 2, changes: str = "") -> subprocess.Popen[str]:
    program = PROGRAM.format(root=str(ROOT), processes=processes, changes=changes)
    inputs = ["-c", "kong.conf", "-e", "kong.yml", "--no-env", "--nginx-version", "1.28.0"]
    return subprocess.Popen(
        [sys.executable, "-c", program, "render", "-o", out, *inputs],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, out: Path, processes: int = 2, changes: str = "") -> tuple[int, str]:
    """Return the exit code and the diagnostics; make sure of how many processes worked."""
    process = start(folder, out, processes, changes)
    said, complained = process.communicate(timeout=60)
    assert (said == "second\n") == (processes == 2), complained
    assert "Traceback" not in complained
    return process.returncode, complained


def tree(out: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(out)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_two_write_what_one_writes(folder: Path, tmp_path: Path) -> None:
    one, two = (run(folder, tmp_path / f"out{count}", count) for count in (1, 2))
    assert one == two
    assert one[0] == 0
    assert tree(tmp_path / "out1") == tree(tmp_path / "out2")


def test_two_report_what_one_reports(folder: Path, tmp_path: Path) -> None:
    write(folder, bad=True)
    one, two = (run(folder, tmp_path / f"out{count}", count) for count in (1, 2))
    assert one == two
    assert one[0] == 1
    for code in ("K301", "K302", "K303", "K304"):
        assert code in one[1]


def test_few_certificates_are_not_worth_it(folder: Path, tmp_path: Path) -> None:
    text = (folder / "kong.yml").read_text()
    (folder / "kong.yml").write_text(text[: text.index(f"- id: 00000000-0000-4000-8000-{50:012}")])
    process = start(folder, tmp_path / "out")
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


READING_DIES = "ahead.read_yaml = die"
MATCHING_DIES = "ahead.match_row = die"


@pytest.mark.parametrize("changes", [READING_DIES, MATCHING_DIES])
def test_what_a_dead_one_does_not_give_is_worked_out_here(
    folder: Path, tmp_path: Path, changes: str
) -> None:
    assert run(folder, tmp_path / "out1", 1)[0] == 0
    assert run(folder, tmp_path / "out2", 2, changes)[0] == 0
    assert tree(tmp_path / "out1") == tree(tmp_path / "out2")
    write(folder, bad=True)
    assert run(folder, tmp_path / "out3", 2, changes) == run(folder, tmp_path / "out3", 1)


WRITE = """
written = directory._write_file
def write_file(*args):
    written(*args)
    if os.getpid() != first:
        {then}
directory._write_file = write_file
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_dead_one_did_not_write_is_written_here(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "out1", 1)[0] == 0
    assert run(folder, tmp_path / "out2", 2, WRITE.format(then="die()"))[0] == 0
    assert tree(tmp_path / "out1") == tree(tmp_path / "out2")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk that is too small for all certificates; only root can."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "kcompile-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can't be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)  # noqa: S607


def test_a_disk_that_is_full_for_the_second_one(folder: Path, small_disk: Path) -> None:
    code, said = run(folder, small_disk / "out")
    assert (code, said) == (
        2, f"kcompile: cannot write {small_disk}/out: No space left on device\n"
    )  # fmt: skip
    assert names(small_disk) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_second_one_writes(folder: Path, tmp_path: Path, number: int) -> None:
    target = tmp_path / "target"
    then = "print(os.getpid(), flush=True); time.sleep(20)"
    process = start(folder, target / "out", changes=WRITE.format(then=then))
    assert process.stdout is not None
    assert process.stdout.readline() == "second\n"
    second = int(process.stdout.readline())
    process.send_signal(number)
    _, complained = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in complained
    assert names(target) == []
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_a_killed_first_one_takes_the_second_along(folder: Path, tmp_path: Path) -> None:
    then = "print(os.getpid(), flush=True); time.sleep(20)"
    process = start(folder, tmp_path / "target" / "out", changes=WRITE.format(then=then))
    assert process.stdout is not None
    assert process.stdout.readline() == "second\n"
    second = int(process.stdout.readline())
    process.kill()
    # The second one holds the other end of standard output: it ends when both are gone.
    assert process.communicate(timeout=10)[0] == ""
    assert not Path(f"/proc/{second}/exe").exists()
    assert run(folder, tmp_path / "target" / "out")[0] == 0
    assert names(tmp_path / "target") == ["out"]
