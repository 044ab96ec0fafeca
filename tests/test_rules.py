"""The catalog of diagnostics: codes, names and texts that people and programs rely on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.compiling import CATALOGS

from compiler.model.diagnostic import Report, Rule, Severity

RULES = [rule for catalog in CATALOGS for rule in catalog.RULES]
ROOT = Path(__file__).parents[1] / "compiler"
SOURCES = "\n".join(
    path.read_text() for path in sorted(ROOT.rglob("*.py")) if path.parent.name != "catalog"
)
WITHOUT_HINT = {"K342", "K350", "K361"}
"""Rules whose message leaves nothing to be done that it does not say."""


def test_codes_are_unique() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)


def test_names_are_unique() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("catalog", CATALOGS)
def test_every_rule_of_a_file_is_listed(catalog: object) -> None:
    declared = {rule.code for rule in vars(catalog).values() if isinstance(rule, Rule)}
    assert declared == {rule.code for rule in catalog.RULES}  # type: ignore[attr-defined]


def test_every_file_of_rules_is_a_catalog() -> None:
    files = {path.stem for path in (ROOT / "catalog").glob("*_rules.py")}
    assert files == {catalog.__name__.rpartition(".")[2] for catalog in CATALOGS}


@pytest.mark.parametrize("catalog", CATALOGS)
def test_every_rule_is_used(catalog: object) -> None:
    names = {name for name, rule in vars(catalog).items() if isinstance(rule, Rule)}
    assert {name for name in names if not re.search(rf"\b{name}\b", SOURCES)} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_reads_well(rule: Rule) -> None:
    assert re.fullmatch(r"K[1-5]\d\d", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert isinstance(rule.severity, Severity)
    for text in (rule.message, rule.hint or "x"):
        assert text == text.strip()
        assert not text.endswith((".", "!"))
        assert "\n" not in text
    assert (rule.hint is None) == (rule.code in WITHOUT_HINT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_wants_exactly_its_fields(rule: Rule) -> None:
    with pytest.raises(TypeError, match=rule.code):
        Report().add(rule, None, **dict.fromkeys([*rule.fields(), "surplus"], "x"))
    report = Report()
    report.add(rule, None, **dict.fromkeys(rule.fields(), "x"))
    assert "{" not in next(iter(report)).message


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_what_is_only_not_compiled_can_be_told_from_a_mistake(rule: Rule) -> None:
    if "not compiled" in rule.message:
        assert "not-compiled" in rule.name
