"""The layers: a stage knows the nouns and the rules, and never another stage.

`router` is a model of Kong's router and no stage: `plan` and the consumers use it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1] / "compiler"
NOUNS = {"model", "catalog"}
STAGES = ("read", "resolve", "validate", "plan", "lower", "emit", "write")
ALLOWED: dict[str, set[str]] = {
    "model": set(),
    "catalog": {"model"},
    "router": NOUNS,
    **dict.fromkeys(STAGES, NOUNS),
    "plan": NOUNS | {"router"},
}
EXCEPTIONS = {
    # Parses the pair that it finds in the tree or makes; what a pair is stands in resolve.
    ("write/self_signed.py", "compiler.resolve.pem"),
}
"""Imports that break the rule, each with its reason; a new one needs a better reason."""
CONSUMERS = ("explain", "diff")
"""Packages that look at what stages made: they may import stages, and no stage imports them."""


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def package_of(name: str) -> str:
    return name.partition(".")[2].partition(".")[0]


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_downwards(package: str) -> None:
    wrong = {
        (str(module.relative_to(ROOT)), name)
        for module in (ROOT / package).rglob("*.py")
        for name in imports(module)
        if name.split(".")[0] == "compiler"
        and package_of(name) not in ALLOWED[package] | {package, ""}
    }
    assert wrong <= EXCEPTIONS


def test_exceptions_are_still_needed() -> None:
    found = {
        (str(module.relative_to(ROOT)), name) for module in modules() for name in imports(module)
    }
    assert found >= EXCEPTIONS


def test_nothing_imports_the_command_line() -> None:
    for module in modules():
        if module.parent.name != "cli" and module.name != "__main__.py":
            assert not any(name.startswith("compiler.cli") for name in imports(module)), module


def test_only_the_command_line_and_consumers_import_the_pipeline() -> None:
    for module in modules():
        package = module.relative_to(ROOT).parts[0]
        if "compiler.pipeline" in imports(module):
            assert package in {"cli", "__init__.py", *CONSUMERS}, module


def test_every_package_is_known() -> None:
    found = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert found <= {*ALLOWED, *CONSUMERS, "cli"} | {"lint"}


@pytest.mark.parametrize("package", [*STAGES, "router"])
def test_a_stage_says_what_it_takes_and_gives(package: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))


def test_the_clock_and_the_environment_are_read_in_the_command_line_alone() -> None:
    forbidden = ("os.environ", "datetime.now", "time.time", "os.getenv")
    for module in modules():
        if module.parent.name != "cli":
            text = module.read_text()
            assert not any(word in text for word in forbidden), module
