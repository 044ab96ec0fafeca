"""`kcompile explain sni` and `explain service`: what a configuration means, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compiler.cli.explain_json import service_json, sni_json
from compiler.cli.explain_text import service_lines, sni_lines, tls_missing
from compiler.cli.explaining import concerned_by, load, print_lines, show_concerned
from compiler.cli.failures import FOUND, OK, UsageError
from compiler.cli.request_options import as_sent
from compiler.cli.show import as_json, check_format, print_json, printable
from compiler.explain.service import explain_service, find_service, near_services
from compiler.explain.sni import SniExplainer, has_tls
from compiler.model.diagnostic import Report

if TYPE_CHECKING:
    from compiler.cli.gather import Options


def explain_sni(options: Options, name: str | None, output_format: str) -> int:
    """Print which certificate a client that sends *name* gets. Return the exit code."""
    check_format(output_format)
    if name is not None and not name.strip():
        raise UsageError("NAME is empty: leave it out for a client that sends no server name")
    report = Report()
    loaded = load(options, report)
    config, plan = loaded.config, loaded.plan
    answer, problem = None, None
    if config is not None and has_tls(config):
        handshakes = None if plan is None else plan.handshakes
        answer = SniExplainer(config, handshakes).explain(None if name is None else as_sent(name))
    elif config is not None:
        problem = tls_missing(config)
    if output_format == "json":
        document = {
            "server_name": name,
            **sni_json(answer),
            "diagnostics": [as_json(d) for d in report],
        }
        print_json(document if problem is None else {**document, "problem": problem})
    else:
        if answer is not None and config is not None:
            print_lines(sni_lines(answer, config))
        show_concerned(
            report, () if answer is None or answer.certificate is None else (answer.certificate.id,)
        )
        if problem is not None:
            print(f"kcompile: {printable(problem)}", file=sys.stderr)
    return FOUND if answer is None or report.has_errors else OK


def explain_service_tls(options: Options, name: str, output_format: str) -> int:
    """Print where a service's requests go, with which TLS, and why. Return the exit code."""
    check_format(output_format)
    report = Report()
    loaded = load(options, report)
    config = loaded.config
    failed = report.has_errors  # what is said of a service without routes stops nothing
    answer = None
    if config is not None:
        services = config.entities.services
        service = find_service(services, name)
        if service is None:
            near = near_services(services, name)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(printable(f"there is no service {name!r}{hint}"))
        answer = explain_service(service, config, loaded.inputs, report)
    if output_format == "json":
        print_json({**service_json(answer), "diagnostics": [as_json(d) for d in report]})
    else:
        if answer is not None:
            print_lines(service_lines(answer))
        show_concerned(report, () if answer is None else concerned_by(answer))
    return FOUND if failed else OK
