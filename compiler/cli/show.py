"""Diagnostics as people and programs read them."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from compiler.cli.failures import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.diagnostic import Diagnostic, Related

_COLOURS = {"error": "31", "warning": "33", "info": "36"}


def check_format(chosen: str, known: tuple[str, ...] = ("text", "json")) -> None:
    """Raise UsageError unless *chosen* is a format that the command has."""
    if chosen not in known:
        raise UsageError(f"--format: {chosen!r} is none of {', '.join(known)}")


def show_diagnostics(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Print diagnostics for people, with a last line that counts them."""
    stream = stream or sys.stderr
    coloured = stream.isatty() and not os.environ.get("NO_COLOR")
    counts = {"error": 0, "warning": 0}
    for diagnostic in diagnostics:
        severity = str(diagnostic.severity)
        if severity in counts:
            counts[severity] += 1
        print(_text(diagnostic, coloured=coloured), file=stream)
    said = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items() if n]
    if said:
        print(", ".join(said), file=stream)


def _text(diagnostic: Diagnostic, *, coloured: bool) -> str:
    severity = str(diagnostic.severity)
    label = f"{severity}[{diagnostic.rule.code}]"
    if coloured:
        label = f"\x1b[1;{_COLOURS[severity]}m{label}\x1b[0m"
    place = "" if diagnostic.place is None else f"{diagnostic.place}: "
    text = printable(f"{diagnostic.rule.name}: {diagnostic.message}")
    lines = [f"{printable(place)}{label} {text}"]
    for related in diagnostic.related:
        where = "" if related.place is None else f"{related.place}: "
        lines.append(printable(f"  {where}{related.message}"))
    if diagnostic.hint is not None:
        lines.append(printable(f"  hint: {diagnostic.hint}"))
    return "\n".join(lines)


def printable(text: str) -> str:
    """Keep a terminal from obeying text of the input."""
    return "".join(c if c.isprintable() else "?" for c in text)


def as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic with the keys that programs rely on."""
    place, entity = diagnostic.place, diagnostic.entity
    return {
        "code": diagnostic.rule.code,
        "name": diagnostic.rule.name,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "variable": None if place is None else place.variable,
        "entity": None
        if entity is None
        else {"type": entity.type, "id": entity.id, "name": entity.name},
        "related": [_related(item) for item in diagnostic.related],
    }


def _related(item: Related) -> dict[str, Any]:
    place = item.place
    return {
        "message": item.message,
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "variable": None if place is None else place.variable,
    }


def print_json(document: Any) -> None:
    """Print one JSON document to standard output."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # JSON lets these stand as they are, and terminals obey them.
    text = re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)
    sys.stdout.write(text.encode("utf-8", "replace").decode() + "\n")
