"""Lua's part of the tree: files that are always the same, and the data that they answer from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from compiler.emit.environment import environment
from compiler.emit.folders import project_folder
from compiler.emit.marks import Span
from compiler.model.nginx import OutputFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.lua import DataFile, Json, LuaTest


def emit_lua(data: Iterable[DataFile]) -> tuple[dict[str, OutputFile], dict[str, list[Span]]]:
    """Return the files by path, and which of their lines come from which entity."""
    files = _static_files()
    spans = {}
    for found in data:
        path = f"lua/data/{found.name}.json"
        text, spans[path] = _spell(found)
        files[path] = OutputFile(text)
    return files, {path: found for path, found in spans.items() if found}


def emit_test(test: LuaTest) -> str:
    """Return the configuration of an nginx that tests what Lua does at the start."""
    return environment().get_template("lua-test.conf.j2").render(main=test)


def _static_files() -> dict[str, OutputFile]:
    folder = project_folder("lua")
    return {
        f"lua/{path.relative_to(folder)}": OutputFile(path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.lua"))
    }


def _spell(file: DataFile) -> tuple[str, list[Span]]:
    """Spell the tables with a line for each row, so that one change is a change of its lines."""
    lines = ["{"]
    spans = []
    for number, table in enumerate(file.tables, 1):
        lines.append(f"{_json(table.name)}: {{")
        for place, ((key, value), source) in enumerate(
            zip(table.rows, table.sources, strict=True), 1
        ):
            comma = "," if place < len(table.rows) else ""
            lines.append(f"{_json(key)}: {_json(value)}{comma}")
            if source is not None:
                spans.append(Span(len(lines), len(lines), source))
        lines.append("}," if number < len(file.tables) else "}")
    return "\n".join([*lines, "}", ""]), spans


def _json(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
