"""Whole compilations, compared with what `golden/` says: each case is an example and a promise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from typing import TYPE_CHECKING

import pytest
from nginx_syntax import parse
from support import engines
from support.compiling import CATALOGS, GOLDEN, Outcome, compile_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMPILE = sorted(path for path in (GOLDEN / "compile").iterdir() if path.is_dir())
DIAGNOSTICS = sorted(path for path in (GOLDEN / "diagnostics").iterdir() if path.is_dir())
MAX_LINES = 60
RULES = {rule.code: rule for catalog in CATALOGS for rule in catalog.RULES}

WITHOUT_CASE = {
    "K124": "a file larger than the limit does not belong in a repository",
    "K358": "takes thousands of locations",
    "K354": "takes hundreds of thousands of rows",
    "K355": "takes hundreds of thousands of locations",
    "K364": "depends on who runs the tests",
    "K422": "a template larger than the limit does not belong in a repository",
    "K391": "takes routes that cross in tens of thousands of ways",
    "K392": "depends on the nginx that is found",
    "K219": "an environment file that is not text is refused before",
}
"""Rules that no small input can fire, and why; tests of their own fire them."""


@dataclass(frozen=True)
class Golden:
    """Compares what a test produced with a folder of files, or rewrites the folder."""

    update: bool

    def check_file(self, file: Path, produced: str) -> None:
        """Fail on a file that differs; with `--update-golden`, rewrite it."""
        if self.update:
            file.write_text(produced)
        assert produced.splitlines() == file.read_text().splitlines()

    def check(self, folder: Path, produced: Mapping[str, str]) -> None:
        """Fail on files that differ, are missing or stale; with `--update-golden`, rewrite."""
        if self.update:
            for path in read_tree(folder).keys() - produced.keys():
                (folder / path).unlink()
            for path, text in produced.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
        expected = read_tree(folder)
        assert sorted(expected) == sorted(produced), "files are missing or stale (make golden)"
        for path, text in produced.items():
            assert text.splitlines() == expected[path].splitlines(), path


def read_tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(update=request.config.getoption("--update-golden"))


@cache
def compiled(case: Path) -> Outcome:
    return compile_folder(case / "input")


def by_name(path: Path) -> str:
    return path.name


def produced(outcome: Outcome) -> dict[str, str]:
    """Return what is compared: texts, and of everything else the names and modes."""
    assert outcome.compiled is not None, outcome.diagnostics
    tree = outcome.compiled.tree.files
    shown = {**outcome.texts, **outcome.data}
    others = [f"{file.mode:04o} {path}\n" for path, file in tree.items() if path not in shown]
    return {
        **shown,
        "other-files.txt": "".join(others),
        "diagnostics.txt": outcome.diagnostics,
    }


@pytest.mark.parametrize("case", COMPILE, ids=by_name)
def test_compile(case: Path, golden: Golden) -> None:
    golden.check(case / "expected", produced(compiled(case)))


@pytest.mark.parametrize("case", COMPILE, ids=by_name)
def test_compile_with_lua(case: Path, golden: Golden) -> None:
    """What is different for the other target, and nothing else is."""
    usual = compiled(case)
    assert usual.compiled is not None
    if usual.compiled.plan.lua is not None:
        return
    other = compile_folder(case / "input", target="openresty")
    golden.check_file(case / "openresty.diff", differences(usual, other))


def differences(usual: Outcome, other: Outcome) -> str:
    """Return how two outcomes differ; files that are always the same for a target do not count."""
    if other.compiled is None:
        return other.diagnostics
    before, after = (
        {path: text for path, text in produced(outcome).items() if path != "other-files.txt"}
        for outcome in (usual, other)
    )
    return "".join(
        f"{line.rstrip()}\n"
        for path in sorted(before | after)
        for line in unified_diff(
            before.get(path, "").splitlines(),
            after.get(path, "").splitlines(),
            path if path in before else "/dev/null",
            path if path in after else "/dev/null",
            n=0,
        )
    )


@pytest.mark.parametrize("case", COMPILE, ids=by_name)
def test_output_is_well_formed(case: Path) -> None:
    for text in compiled(case).texts.values():
        assert parse(text)


def engine_for(case: Path) -> engines.Engine:
    """Return the engine that reads the output of a case: Debian's is an older nginx."""
    outcome = compiled(case)
    assert outcome.compiled is not None
    plan = outcome.compiled.plan
    if plan.lua is not None:
        return engines.find("openresty")
    return engines.find("embedded" if plan.features.http2_directive else "debian")


@pytest.mark.parametrize("case", COMPILE, ids=by_name)
def test_nginx_takes_the_output(case: Path, workdir: Path) -> None:
    engine = engine_for(case)
    outcome = compiled(case)
    assert outcome.compiled is not None
    (workdir / "logs" / "tmp").mkdir(parents=True)
    for path, file in outcome.compiled.tree.files.items():
        place = workdir / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.data())
    done = engines.nginx_test(engine, workdir)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr, done.stderr


@pytest.mark.parametrize("case", COMPILE, ids=by_name)
def test_input_is_short_and_says_its_point(case: Path) -> None:
    texts = read_tree(case / "input")
    first = next(texts[n] for n in ("kong.yml", "entities/services.yml", "kong.conf") if n in texts)
    assert re.match(r"# [A-Za-z_-].*[.:a-z0-9]\n", first)
    for text in texts.values():
        without_pem = re.sub(r"-----BEGIN.*?-----END [A-Z ]*-----", "", text, flags=re.DOTALL)
        assert without_pem.count("\n") <= MAX_LINES


def half(case: Path, name: str) -> Outcome:
    return compile_folder(case / name)


def code_of(case: Path) -> str:
    return case.name.partition("-")[0]


@pytest.mark.parametrize("case", DIAGNOSTICS, ids=by_name)
def test_rule_fires(case: Path, golden: Golden) -> None:
    outcome = half(case, "bad")
    assert code_of(case) in outcome.codes, outcome.diagnostics
    golden.check(case / "expected", {"diagnostics.txt": outcome.diagnostics})


@pytest.mark.parametrize("case", DIAGNOSTICS, ids=by_name)
def test_rule_is_silent(case: Path) -> None:
    outcome = half(case, "ok")
    assert code_of(case) not in outcome.codes, outcome.diagnostics
    assert outcome.compiled is not None, outcome.diagnostics


@pytest.mark.parametrize("case", DIAGNOSTICS, ids=by_name)
def test_case_is_named_after_its_rule(case: Path) -> None:
    rule = RULES[code_of(case)]
    assert case.name == f"{rule.code}-{rule.name}"


def test_every_rule_has_a_case() -> None:
    with_case = {code_of(case) for case in DIAGNOSTICS}
    assert with_case | WITHOUT_CASE.keys() == RULES.keys()
    assert not with_case & WITHOUT_CASE.keys()


def test_a_stale_file_fails(tmp_path: Path) -> None:
    (tmp_path / "stale.txt").write_text("old\n")
    with pytest.raises(AssertionError, match="stale"):
        Golden(update=False).check(tmp_path, {})
    with pytest.raises(AssertionError, match=r"stale"):
        Golden(update=False).check(tmp_path, {"missing.txt": ""})
    Golden(update=True).check(tmp_path, {"new/one.txt": "new\n"})
    assert read_tree(tmp_path) == {"new/one.txt": "new\n"}


def test_no_key_stands_in_what_is_expected() -> None:
    for path in GOLDEN.rglob("expected/**/*"):
        if path.is_file():
            assert "PRIVATE KEY" not in path.read_text(), path
