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
    from compiler.model.nginx import Source

_LONGEST_WORD = 4094
_BYTES_OF_CHARACTER = 4
_WORD = re.compile(r"""[^\s"';]+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_SHOWN = 30


def check_written(tree: Tree, report: Report) -> None:
    """Report each word that does not fit into nginx's buffer."""
    for path, file in tree.files.items():
        if path.endswith(".conf"):
            _check_text(path, file.text(), tree.spans.get(path, ()), report)


def _check_text(path: str, text: str, spans: Iterable[Span], report: Report) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) * _BYTES_OF_CHARACTER <= _LONGEST_WORD:
            continue
        for word, length in _long_words(line):
            source = _source(spans, number)
            report.add(
                rules.VALUE_TOO_LONG,
                None if source is None or source.node is None else source.node.place(),
                entity=None if source is None else EntityRef(source.type, source.id, source.name),
                what=_what(path, word, source),
                length=length,
            )


def _long_words(line: str) -> Iterator[tuple[str, int]]:
    for found in _WORD.finditer(line):
        word = found[0]
        length = len(word.encode("utf-8", "surrogateescape"))
        if length > _LONGEST_WORD:
            yield word, length


def _what(path: str, word: str, source: Source | None) -> str:
    start = word.strip("\"'")[:_SHOWN]
    if source is None:
        return f"what begins with {start} in {path}"
    return f"what {source.type} {source.name or source.id} makes of {path} ({start}…)"


def _source(spans: Iterable[Span], line: int) -> Source | None:
    """Return what the innermost lines around *line* come from."""
    found = [span for span in spans if span.first <= line <= span.last]
    return max(found, key=lambda span: span.first).source if found else None
