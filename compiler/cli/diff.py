"""`kcompile diff`: what changes between two inputs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.diff_text import markdown_lines, text_lines
from compiler.cli.failures import FOUND, OK, UsageError
from compiler.cli.gather import SUFFIXES, gather
from compiler.cli.progress import Progress
from compiler.cli.show import as_json, check_format, print_json, printable, show_diagnostics
from compiler.diff.compare import Difference, Side, compare
from compiler.emit.tree import emit, emit_material
from compiler.lower.main import lower
from compiler.model.diagnostic import Report
from compiler.pipeline import plan_config, resolve_inputs
from compiler.write.self_signed import self_signed_pairs

if TYPE_CHECKING:
    from compiler.cli.gather import Options
    from compiler.diff.changes import Change
    from compiler.model.inputs import Inputs
    from compiler.model.x509 import KeyPair
    from compiler.pipeline import SelfSigned

    Given = tuple[str, Path | None]

FORMATS = ("text", "json", "markdown", "unified")
CONF = "kong.conf"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A side's name, what was said of it, and the side itself if it resolved."""

    name: str
    report: Report
    side: Side | None


def diff(options: Options, old: Given, new: Given, output_format: str, *, exit_code: bool) -> int:
    """Print what changes from *old* to *new* (a path, and a kong.conf). Return the exit code."""
    check_format(output_format, FORMATS)
    if old[0] == new[0] == "-":
        raise UsageError("standard input can be OLD or NEW, not both")

    @cache
    def self_signed() -> tuple[KeyPair, ...]:
        return self_signed_pairs(None, options.now)

    with Progress() as progress:
        reports = Report(), Report()
        # Both are read before either is compiled: what cannot be read is told at once.
        inputs = [
            gather(_side_options(options, given), report)[0]
            for given, report in zip((old, new), reports, strict=True)
        ]
        loaded = [
            _Loaded(name, report, _load(given, self_signed, report, progress))
            for name, given, report in zip(("OLD", "NEW"), inputs, reports, strict=True)
        ]
    before, after = (item.side for item in loaded)
    difference = None if before is None or after is None else compare(before, after)
    _show(difference, loaded, output_format)
    if any(item.report.has_errors for item in loaded):
        return FOUND
    return FOUND if exit_code and difference else OK


def _side_options(options: Options, given: Given) -> Options:
    """Return the options for one side; a directory may hold its kong.conf."""
    path, conf = given
    conf = conf or options.conf
    if path != "-" and Path(path).suffix == ".conf" and not Path(path).is_dir():
        return replace(options, conf=Path(path), entities=())
    own = Path(path) / CONF
    if path == "-" or conf is not None or not own.is_file():
        return replace(options, conf=conf, entities=(path,))
    # kong.conf may name the entities, or set all there is.
    holds = any(p.suffix in SUFFIXES and p.is_file() for p in Path(path).rglob("*"))
    return replace(options, conf=own, entities=(path,) if holds else ())


def _load(
    inputs: Inputs, self_signed: SelfSigned, report: Report, progress: Progress
) -> Side | None:
    config = resolve_inputs(inputs, report, progress)
    if config is None:
        return None
    plan = plan_config(config, inputs, self_signed, report, progress)
    return Side(inputs, config, None if plan is None else emit(lower(plan), emit_material(plan)))


def _show(difference: Difference | None, loaded: list[_Loaded], output_format: str) -> None:
    if output_format == "json":
        print_json(_document(difference, loaded))
        return
    if difference is not None:
        coloured = sys.stdout.isatty()
        for line in _lines(difference, output_format, coloured=coloured):
            print(line)
    for item in loaded:
        if item.report.has_errors:
            print(f"{item.name} has errors:", file=sys.stderr)
            show_diagnostics(d for d in item.report if d.severity == "error")
    if difference is not None and difference.lines is None:
        print("nginx.conf cannot be compared: both sides have to compile", file=sys.stderr)


def _lines(difference: Difference, output_format: str, *, coloured: bool) -> list[str]:
    match output_format:
        case "markdown":
            return markdown_lines(difference)
        case "unified":
            return [printable(line) for line in difference.lines or ()]
        case _:
            return text_lines(difference, coloured=coloured)


def _document(difference: Difference | None, loaded: list[_Loaded]) -> dict[str, Any]:
    lines = None if difference is None else difference.lines
    counts = None
    if difference is not None and lines is not None:
        counts = {"added": difference.added, "removed": difference.removed}
    return {
        "changes": [_change(change) for change in (difference.changes if difference else ())],
        "nginx": counts,
        "diagnostics": [
            {"side": item.name, **as_json(d)}
            for item in loaded
            for d in item.report
            if d.severity == "error"
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    entity = change.entity
    return {
        "kind": change.kind,
        "risk": change.risk,
        "entity": {"type": entity.type, "id": entity.id, "name": entity.name},
        "before": change.before,
        "after": change.after,
        "message": change.message,
    }
