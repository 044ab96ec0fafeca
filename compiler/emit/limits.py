"""Whether nginx can read what was written: its parser has limits that texts of users may exceed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.diagnostic import EntityRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.emit.marks import Span
    from compiler.emit.tree import Tree
    from compiler.model.diagnostic import Report
    from compiler.model.nginx import Main, Source
    from compiler.model.place import Place
    from compiler.model.plan import Features

_LONGEST_WORD = 4094
_LONGEST_LOCATION = 255
_BYTES_OF_CHARACTER = 4
_WORD = re.compile(r"""[^\s"';]+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_SHOWN = 30


def check_written(main: Main, tree: Tree, features: Features, report: Report) -> None:
    """Report each word that does not fit into nginx's buffer, or a location's into its tree."""
    if not features.long_locations:
        _check_locations(main, report)
    for path, file in tree.files.items():
        if path.endswith(".conf"):
            _check_text(path, file.text(), tree.spans.get(path, ()), report)


def _check_locations(main: Main, report: Report) -> None:
    """Report names that nginx would cut off, so that they were those of other requests."""
    for location in (location for server in main.servers for location in server.locations):
        length = len(location.path.encode("utf-8", "surrogateescape"))
        if length > _LONGEST_LOCATION:
            source = location.source
            report.add(
                rules.LOCATION_TOO_LONG,
                _place(source),
                entity=_entity(source),
                location=f"{location.path[:_SHOWN]}…",
                length=length,
            )


def _check_text(path: str, text: str, spans: Iterable[Span], report: Report) -> None:
    lines = text.split("\n")
    if max(map(len, lines)) * _BYTES_OF_CHARACTER <= _LONGEST_WORD:
        return
    for number, line in enumerate(lines, 1):
        if len(line) * _BYTES_OF_CHARACTER <= _LONGEST_WORD:
            continue
        for word, length in _long_words(line):
            _report_word(path, word, length, _source(spans, number), report)


def _report_word(path: str, word: str, length: int, source: Source | None, report: Report) -> None:
    start = word.strip("\"'")[:_SHOWN]
    if source is not None and source.type == "route":
        report.add(
            rules.ROUTE_TOO_LONG,
            _place(source),
            entity=_entity(source),
            route=source.name or source.id,
            path=path,
            start=start,
            length=length,
        )
        return
    report.add(
        rules.VALUE_TOO_LONG,
        _place(source),
        entity=_entity(source),
        what=_what(path, start, source),
        length=length,
    )


def _place(source: Source | None) -> Place | None:
    return None if source is None or source.node is None else source.node.place()


def _entity(source: Source | None) -> EntityRef | None:
    return None if source is None else EntityRef(source.type, source.id, source.name)


def _long_words(line: str) -> Iterator[tuple[str, int]]:
    for found in _WORD.finditer(line):
        word = found[0]
        length = len(word.encode("utf-8", "surrogateescape"))
        if length > _LONGEST_WORD:
            yield word, length


def _what(path: str, start: str, source: Source | None) -> str:
    if source is None:
        return f"what begins with {start} in {path}"
    return f"what {source.type} {source.name or source.id} makes of {path} ({start}…)"


def _source(spans: Iterable[Span], line: int) -> Source | None:
    """Return what the innermost lines around *line* come from."""
    found = [span for span in spans if span.first <= line <= span.last]
    return max(found, key=lambda span: span.first).source if found else None
