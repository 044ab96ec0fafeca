"""What the commands below `kcompile explain` share: they load, and say what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.cli.gather import gather
from compiler.cli.progress import Progress
from compiler.cli.show import printable, show_diagnostics
from compiler.model.diagnostic import Severity
from compiler.pipeline import plan_config, resolve_inputs

if TYPE_CHECKING:
    from collections.abc import Collection

    from compiler.cli.gather import Options
    from compiler.explain.service import ServiceAnswer
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.inputs import Inputs
    from compiler.model.plan import Plan
    from compiler.model.x509 import KeyPair


@dataclass(frozen=True, slots=True)
class Loaded:
    """The inputs, the configuration if it resolves, and the plan if nothing is wrong with it."""

    inputs: Inputs
    config: Config | None
    plan: Plan | None


def load(options: Options, report: Report) -> Loaded:
    """Resolve and plan what the options name; *report* has what is found."""
    inputs, _ = gather(options, report)
    plan = None
    with Progress() as progress:
        config = resolve_inputs(inputs, report, progress)
        if config is not None:
            plan = plan_config(config, inputs, _no_pairs, report, progress)
    return Loaded(inputs, config, plan)


def _no_pairs() -> tuple[KeyPair, ...]:
    """Make no self-signed pair: nothing is written."""
    return ()


def print_lines(lines: list[str]) -> None:
    """Print lines to standard output."""
    for line in lines:
        print(printable(line))


def show_concerned(report: Report, concerned: Collection[str]) -> None:
    """Print the errors, and what else is said about the entities *concerned*."""
    show_diagnostics(
        d
        for d in report
        if d.severity is Severity.ERROR or (d.entity is not None and d.entity.id in concerned)
    )


def concerned_by(answer: ServiceAnswer) -> set[str]:
    """Return the ids of a service, its routes and its upstream."""
    upstream = answer.destination.upstream
    found = {answer.service.id, *(route.id for route in answer.routes)}
    return found if upstream is None else found | {upstream.id}
