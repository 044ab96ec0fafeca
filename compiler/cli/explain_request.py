"""`kcompile explain request`: which route, service and upstream answer, and why."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.cli.explain_json import request_json
from compiler.cli.explaining import load, print_lines, show_concerned
from compiler.cli.failures import FOUND, OK
from compiler.cli.request_options import request_of
from compiler.cli.request_text import request_lines
from compiler.cli.show import as_json, check_format, print_json, printable
from compiler.explain.request import UndecidedError, explain_request, served_schemes
from compiler.model.diagnostic import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.cli.explaining import Loaded
    from compiler.cli.gather import Options
    from compiler.explain.request import RequestAnswer
    from compiler.router.request import Request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is given on the command line."""

    method: str
    url: str
    headers: Sequence[str] = ()
    sni: str | None = None
    client_ip: str | None = None


def explain_request_answer(options: Options, asked: Asked, output_format: str) -> int:
    """Print how a request is answered, and why. Return the exit code."""
    check_format(output_format)
    request = request_of(asked.method, asked.url, asked.headers, asked.sni, asked.client_ip)
    report = Report()
    loaded = load(options, report)
    failed = report.has_errors
    answer, problem = _answered(request, loaded, report)
    if output_format == "json":
        document = {**request_json(answer), "diagnostics": [as_json(d) for d in report]}
        print_json(document if problem is None else {**document, "problem": problem})
    else:
        if answer is not None:
            print_lines(request_lines(answer))
        show_concerned(report, set() if answer is None else _concerned(answer))
        if problem is not None:
            print(f"kcompile: {printable(problem)}", file=sys.stderr)
    return FOUND if failed or answer is None else OK


def _answered(
    request: Request, loaded: Loaded, report: Report
) -> tuple[RequestAnswer | None, str | None]:
    """Return the answer, or what keeps it from being known; neither where nothing resolves."""
    config = loaded.config
    if config is None:
        return None, None
    if request.scheme not in served_schemes(config):
        origin = config.settings.origin("proxy_listen")
        kind = "with" if request.is_tls else "without"
        return None, f"nothing answers: proxy_listen has no listener {kind} ssl ({origin})"
    try:
        return explain_request(request, config, loaded.plan, loaded.inputs, report), None
    except UndecidedError as error:
        return None, str(error)


def _concerned(answer: RequestAnswer) -> set[str]:
    entities = (
        answer.route,
        answer.service,
        None if answer.upstream is None else answer.upstream.destination.upstream,
    )
    return {entity.id for entity in entities if entity is not None}
