"""What differs, as people read it."""

from __future__ import annotations

import os
from itertools import groupby
from typing import TYPE_CHECKING

from compiler.cli.show import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.diff.compare import Difference

_RISK_COLOURS = {"weakens": "1;31", "strengthens": "1;32", "neutral": "1"}
_LINE_COLOURS = {"+": "32", "-": "31", "@": "36"}


def text_lines(difference: Difference, *, coloured: bool) -> list[str]:
    """Return the changes under what they do to security, then the lines of nginx's files."""
    coloured = coloured and not os.environ.get("NO_COLOR")
    lines: list[str] = []
    for risk, messages in _grouped(difference):
        lines.append(_painted(risk, _RISK_COLOURS[risk], coloured=coloured))
        lines += [f"  {message}" for message in messages]
    if difference.lines:
        lines += ["", _counts(difference)] if lines else [_counts(difference)]
        for line in map(printable, difference.lines):
            lines.append(_painted(line, _LINE_COLOURS.get(line[:1], ""), coloured=coloured))
    return lines


def markdown_lines(difference: Difference) -> list[str]:
    """Return the same for a comment on a change."""
    lines: list[str] = []
    for risk, messages in _grouped(difference):
        lines += [f"### {risk.capitalize()}", "", *(f"- {_escaped(m)}" for m in messages), ""]
    if difference.lines:
        fence = "`" * (3 + max(line.count("`") for line in difference.lines))
        lines += ["<details>", f"<summary>{_counts(difference)}</summary>", ""]
        lines += [f"{fence}diff", *map(printable, difference.lines), fence, "", "</details>"]
    return lines


def _grouped(difference: Difference) -> Iterator[tuple[str, list[str]]]:
    for risk, changes in groupby(difference.changes, key=lambda change: change.risk):
        yield risk, [printable(change.message) for change in changes]


def _counts(difference: Difference) -> str:
    return f"nginx.conf: {difference.added} lines added, {difference.removed} removed"


def _painted(text: str, colour: str, *, coloured: bool) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if coloured and colour else text


def _escaped(text: str) -> str:
    """Keep Markdown from reading text of the input as markup."""
    for character in "\\`*_<>[]|#":
        text = text.replace(character, f"\\{character}")
    return text
