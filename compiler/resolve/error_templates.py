"""The files that `error_template_*` name: how the gateway's own answers are worded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import answer_rules as rules
from compiler.model.place import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.diagnostic import Report
    from compiler.model.inputs import FileReader
    from compiler.model.settings import Settings

FORMATS = ("json", "html", "plain", "xml")
LIMIT = 65_536
"""Bytes of a template: beyond, nginx would need very many words for it."""

_PERCENT = re.compile(r"%(.?)", re.DOTALL)
_PLACEHOLDERS = 2


def resolve_templates(settings: Settings, files: FileReader, report: Report) -> dict[str, str]:
    """Return the templates by format; report those that cannot be read or filled in."""
    found = {}
    for name in FORMATS:
        setting = f"error_template_{name}"
        path = settings.text(setting)
        if path is None:
            continue
        place = place_of(settings.origin(setting))
        try:
            data = files.read(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no file name"
            report.add(
                rules.ERROR_TEMPLATE_UNREADABLE, place, setting=setting, path=path, reason=reason
            )
            continue
        if len(data) > LIMIT:
            length = len(data)
            report.add(
                rules.ERROR_TEMPLATE_LONG,
                place,
                setting=setting,
                path=path,
                length=length,
                limit=LIMIT,
            )
            continue
        text = data.decode("utf-8", "surrogateescape")
        problem = next(_problems(text), None)
        if problem is not None:
            report.add(
                rules.ERROR_TEMPLATE_INVALID, place, setting=setting, path=path, problem=problem
            )
            continue
        found[name] = text
    return found


def _problems(text: str) -> Iterator[str]:
    """Yield what Kong could not fill in, or nginx could not hold."""
    if "\0" in text:
        yield "a NUL byte"
    marks = _PERCENT.findall(text)
    for mark in marks:
        if mark not in {"s", "%"}:
            yield f"%{mark}, which stands for nothing" if mark.strip() else "a single %"
    if marks.count("s") > _PLACEHOLDERS:
        yield f"{marks.count('s')} times %s, and there are two values"
