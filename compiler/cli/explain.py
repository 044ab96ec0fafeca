"""`kcompile explain sni` and `explain service`: what a configuration means, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from compiler.cli.explain_text import service_lines, sni_lines, tls_missing
from compiler.cli.failures import FOUND, OK, UsageError
from compiler.cli.gather import gather
from compiler.cli.progress import Progress
from compiler.cli.show import as_json, check_format, print_json, printable, show_diagnostics
from compiler.explain.service import explain_service, find_service, near_services
from compiler.explain.sni import SniExplainer, has_tls
from compiler.model.diagnostic import Report, Severity
from compiler.pipeline import plan_config, resolve_inputs

if TYPE_CHECKING:
    from collections.abc import Collection

    from compiler.cli.gather import Options
    from compiler.explain.service import ServiceAnswer
    from compiler.explain.sni import SniAnswer
    from compiler.model.config import Config
    from compiler.model.inputs import Inputs
    from compiler.model.x509 import KeyPair


def explain_sni(options: Options, name: str | None, output_format: str) -> int:
    """Print which certificate a client that sends *name* gets. Return the exit code."""
    check_format(output_format)
    if name is not None and not name.strip():
        raise UsageError("NAME is empty: leave it out for a client that sends no server name")
    report = Report()
    config, _ = _load(options, report)
    answer, problem = None, None
    if config is not None and has_tls(config):
        answer = SniExplainer(config).explain(_as_sent(name))
    elif config is not None:
        problem = tls_missing(config)
    if output_format == "json":
        document = {
            "server_name": name,
            **_sni(answer),
            "diagnostics": [as_json(d) for d in report],
        }
        print_json(document if problem is None else {**document, "problem": problem})
    else:
        if answer is not None and config is not None:
            _print(sni_lines(answer, config))
        _show(
            report, () if answer is None or answer.certificate is None else (answer.certificate.id,)
        )
        if problem is not None:
            print(f"kcompile: {printable(problem)}", file=sys.stderr)
    return FOUND if answer is None or report.has_errors else OK


def explain_service_tls(options: Options, name: str, output_format: str) -> int:
    """Print where a service's requests go, with which TLS, and why. Return the exit code."""
    check_format(output_format)
    report = Report()
    config, inputs = _load(options, report)
    failed = report.has_errors  # what is said of a service without routes stops nothing
    answer = None
    if config is not None:
        services = config.entities.services
        service = find_service(services, name)
        if service is None:
            near = near_services(services, name)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(printable(f"there is no service {name!r}{hint}"))
        answer = explain_service(service, config, inputs, report)
    if output_format == "json":
        print_json({**_service(answer), "diagnostics": [as_json(d) for d in report]})
    else:
        if answer is not None:
            _print(service_lines(answer))
        _show(report, () if answer is None else _concerned(answer))
    return FOUND if failed else OK


def _load(options: Options, report: Report) -> tuple[Config | None, Inputs]:
    """Return the configuration if it resolves; *report* also has what planning it finds."""
    inputs, _ = gather(options, report)
    with Progress() as progress:
        config = resolve_inputs(inputs, report, progress)
        if config is not None:
            plan_config(config, inputs, _no_pairs, report, progress)
    return config, inputs


def _no_pairs() -> tuple[KeyPair, ...]:
    """Make no self-signed pair: nothing is written."""
    return ()


def _as_sent(name: str | None) -> str | None:
    """Return a name as clients send it: international ones in their ASCII form."""
    if name is None or name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _print(lines: list[str]) -> None:
    for line in lines:
        print(printable(line))


def _show(report: Report, concerned: Collection[str]) -> None:
    """Print the errors, and what else is said about the entities *concerned*."""
    show_diagnostics(
        d
        for d in report
        if d.severity is Severity.ERROR or (d.entity is not None and d.entity.id in concerned)
    )


def _concerned(answer: ServiceAnswer) -> set[str]:
    upstream = answer.destination.upstream
    found = {answer.service.id, *(route.id for route in answer.routes)}
    return found if upstream is None else found | {upstream.id}


def _sni(answer: SniAnswer | None) -> dict[str, Any]:
    if answer is None:
        return {
            "rule": None, "sni": None, "certificate": None, "tried": [], "client_certificate": None
        }  # fmt: skip
    main = answer.pairs[0] if answer.pairs else None
    return {
        "rule": answer.rule,
        "sni": None if answer.sni is None else answer.sni.name,
        "certificate": {
            "id": None if answer.certificate is None else answer.certificate.id,
            "source": answer.source,
            **_pair(main),
        },
        "alternatives": [_pair(pair) for pair in answer.pairs[1:]],
        "covers_server_name": answer.covered,
        "tried": [name for _, name in answer.tried],
        "client_certificate": "not-requested" if answer.requested_by is None else "requested",
    }


def _pair(pair: KeyPair | None) -> dict[str, Any]:
    if pair is None:
        return {"sha256": None, "subject": None, "not_after": None, "key_type": None}
    leaf = pair.leaf
    return {
        "sha256": leaf.sha256,
        "subject": leaf.subject,
        "not_after": f"{leaf.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "key_type": leaf.key_type,
    }


def _service(answer: ServiceAnswer | None) -> dict[str, Any]:
    if answer is None:
        return {"service": None, "upstream": None, "because": {}}
    service, destination = answer.service, answer.destination
    only = destination.peers[0] if len(destination.peers) == 1 else None
    return {
        "service": {"id": service.id, "name": service.name, "enabled": service.enabled},
        "routes": [{"id": route.id, "name": route.name} for route in answer.routes],
        "preserve_host": [{"id": route.id, "name": route.name} for route in answer.renaming],
        "upstream": {
            "scheme": destination.scheme,
            "host": service.host if only is None else only.host,
            "port": service.port if only is None else only.port,
            "host_header": destination.host_header,
            "upstream": None if destination.upstream is None else destination.upstream.name,
            "targets": [
                {"host": peer.host, "port": peer.port, "weight": peer.weight}
                for peer in destination.peers
            ],
            "tls": _tls(answer),
        },
        "because": {key: [str(item) for item in found] for key, found in answer.because.items()},
    }


def _tls(answer: ServiceAnswer) -> dict[str, Any] | None:
    tls = answer.destination.tls
    if tls is None:
        return None
    policy = tls.policy
    trusted = () if policy.trusted is None else policy.trusted.certificates
    return {
        "verify": policy.verify,
        "depth": policy.depth,
        "trusted_certificates": [certificate.sha256 for certificate in trusted],
        "name": tls.name,
        "server_name": tls.server_name,
        "client_certificate": None if policy.client is None else policy.client.leaf.sha256,
    }
