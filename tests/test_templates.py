"""Templates read as nginx: they print, loop and ask what is there; they decide nothing."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from jinja2 import nodes

from compiler.emit.environment import environment
from compiler.emit.folders import project_folder
from compiler.model import nginx

FOLDER = project_folder("templates")
TEMPLATES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.j2"))
FILTERS = {"begin", "end", "words", "comment", "name", "lines", "rows", "block"}
ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.Macro,
    nodes.FromImport,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.Call,
    nodes.Test,
    nodes.Not,
    nodes.Const,
)
MAX_LINES = 40


def parsed(name: str) -> nodes.Template:
    return environment().parse((FOLDER / name).read_text())


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_construct_decides(name: str) -> None:
    for node in parsed(name).find_all(nodes.Node):
        assert isinstance(node, ALLOWED), f"{name}:{node.lineno}: {type(node).__name__}"


@pytest.mark.parametrize("name", TEMPLATES)
def test_filters_spell_and_tests_ask_for_none(name: str) -> None:
    tree = parsed(name)
    assert {found.name for found in tree.find_all(nodes.Filter)} <= FILTERS
    assert {found.name for found in tree.find_all(nodes.Test)} <= {"none"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_only_macros_are_called(name: str) -> None:
    tree = parsed(name)
    macros = {alias for found in tree.find_all(nodes.FromImport) for alias in found.names}
    macros |= {found.name for found in tree.find_all(nodes.Macro)}
    for call in tree.find_all(nodes.Call):
        assert isinstance(call.node, nodes.Name)
        assert call.node.name in macros


@pytest.mark.parametrize("name", TEMPLATES)
def test_constants_are_indents_alone(name: str) -> None:
    tree = parsed(name)
    indents = {
        id(argument)
        for found in tree.find_all(nodes.Filter)
        if found.name == "lines"
        for argument in found.args
    }
    imported = {id(found.template) for found in tree.find_all(nodes.FromImport)}
    for constant in tree.find_all(nodes.Const):
        assert id(constant) in indents | imported, f"{name}:{constant.lineno}: {constant.value!r}"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_short(name: str) -> None:
    assert len((FOLDER / name).read_text().splitlines()) <= MAX_LINES


def test_every_block_has_a_macro() -> None:
    macros = {macro.name for name in TEMPLATES for macro in parsed(name).find_all(nodes.Macro)}
    # A location and its conditions are printed inside its server and a peer inside its upstream, a
    # simple directive by a filter; the others are no blocks.
    inside = {"Location", "If", "UpstreamServer", "Simple", "Main", "Source", "OutputFile"}
    names = {
        name
        for name, member in inspect.getmembers(nginx, inspect.isclass)
        if member.__module__ == nginx.__name__ and name not in inside
    }
    assert {name.lower().removesuffix("block") for name in names} <= macros


def test_plain_text_cannot_be_printed() -> None:
    with pytest.raises(TypeError):
        environment().from_string("{{ text }}").render(text="a;b")


def test_an_unknown_field_fails() -> None:
    with pytest.raises(AttributeError):
        environment().from_string("{{ main.nothing }}").render(main=Path())
