"""Which route, service and upstream answer a request, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compiler.explain.client import misdirected
from compiler.explain.nginx_path import PathRefusedError, is_passed_on_as_sent
from compiler.explain.policies import decided
from compiler.explain.service import explain_service, of_request
from compiler.explain.tried import routes_tried
from compiler.explain.trust import forwarded
from compiler.model.access import OPEN
from compiler.model.diagnostic import Report
from compiler.plan.access import AccessPlanner
from compiler.plan.routing import request_candidates
from compiler.router.match import is_unreadable, match_candidate
from compiler.router.regex_nodes import UnsupportedRegexError
from compiler.router.upstream import Outcome, outcome, upstream_host, upstream_uri
from compiler.router.uri import sent_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.explain.service import ServiceAnswer
    from compiler.explain.tried import Tried
    from compiler.model.access import Access
    from compiler.model.config import Config
    from compiler.model.entities import Route, Service
    from compiler.model.inputs import Inputs
    from compiler.model.plan import Plan
    from compiler.router.candidates import Candidate
    from compiler.router.match import Match
    from compiler.router.request import Request

_HOST_END = re.compile(r"\.?(:[0-9]+)?:?\Z")
_BAD_HOST = re.compile(r"\A[.]?(?::|\Z)|\.\.|[/\s]")


class UndecidedError(ValueError):
    """What a request meets cannot be told; the message names the route that it depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswer:
    """How a request is answered: `status` 200 stands for "is sent to the upstream".

    `path` is what routes are compared with, None where nginx refuses the request before that.
    `upstream` is the destination as it is for this request, and `uri` the path and query that it
    gets; None where the gateway itself answers. `access` is what its route asks of clients, `200`
    then meaning those who meet it. `tried` are the routes that come close, `more`
    counts those that are not among them.
    """

    request: Request
    status: int
    reason: str
    path: str | None = None
    location: str | None = None
    matched: Match | None = None
    service: Service | None = None
    upstream: ServiceAnswer | None = None
    uri: str | None = None
    access: Access = OPEN
    tried: tuple[Tried, ...] = ()
    more: int = 0

    @property
    def route(self) -> Route | None:
        """Return the route that matches, if any does."""
        return None if self.matched is None else self.matched.candidate.route


def served_schemes(config: Config) -> set[str]:
    """Return the schemes that the proxy listens for."""
    listeners = config.settings.listeners.get("proxy", ())
    return {"https" if listener.ssl else "http" for listener in listeners}


def explain_request(
    request: Request, config: Config, plan: Plan | None, inputs: Inputs, report: Report
) -> RequestAnswer:
    """Return how *request* is answered; without a plan, as Kong would.

    :raises UndecidedError: if that depends on a regular expression that cannot be evaluated here
    """
    refused = _refusal(request)
    if refused is not None:
        return refused
    try:
        as_sent = is_passed_on_as_sent(request.target, plan)
    except PathRefusedError as error:
        return RequestAnswer(request=request, status=400, reason=f"nginx refuses it: {error}")
    answer = _elsewhere(request, plan) or _routed(request, request_candidates(config, report))
    winner = answer.matched
    if winner is None:
        return answer
    route = winner.candidate.route
    access = AccessPlanner(config, inputs.target, Report()).of(route)
    answer = replace(answer, access=access)
    service = config.entities.services.get(route.service or "")
    told = _told(winner, request, config)
    if told is not None:
        return replace(
            answer,
            status=told.status,
            reason="its route is for https alone",
            location=told.location,
            service=service,
        )
    verdict = decided(request, route, answer.access, config)
    if verdict is not None:
        return replace(answer, status=verdict[0], reason=verdict[1], service=service)
    return _sent(answer, winner, as_sent=as_sent, config=config, inputs=inputs, report=report)


def _refusal(request: Request) -> RequestAnswer | None:
    """Return what nginx answers before it looks at the path; None where it does."""
    if request.method == "TRACE":
        return RequestAnswer(request=request, status=405, reason="nginx refuses the method TRACE")
    if request.host is None:
        return RequestAnswer(request=request, status=400, reason="nginx wants a Host header")
    if _BAD_HOST.search(request.host):
        reason = f"nginx refuses the Host {request.host!r}"
        return RequestAnswer(request=request, status=400, reason=reason)
    return None


def _elsewhere(request: Request, plan: Plan | None) -> RequestAnswer | None:
    """Return what nginx answers before any route, where the connection was made for another."""
    refused = None if plan is None else misdirected(request, plan.handshakes)
    if refused is None:
        return None
    return RequestAnswer(request=request, status=refused[0], reason=refused[1])


def _routed(request: Request, found: Sequence[Candidate]) -> RequestAnswer:
    """Return which route matches, if any does, before anything is known of its service."""
    # nginx takes a trailing dot and an empty port away before anything is compared.
    compared = replace(request, host=_HOST_END.sub(r"\1", request.host or ""))
    answer = RequestAnswer(
        request=request, status=404, reason="no route matches", path=compared.path
    )
    if is_unreadable(found, compared):
        return replace(answer, reason="no route matches: what routes compare is not UTF-8")
    try:
        # Not `match`: of what flavor traditional passes over nginx knows nothing (K343 says so).
        winner = next(filter(None, (match_candidate(c, compared) for c in found)), None)
        tried, more = routes_tried(found, compared, winner)
    except UnsupportedRegexError as error:
        raise UndecidedError(_culprit(found, compared, error)) from None
    return replace(answer, matched=winner, tried=tried, more=more)


def _culprit(found: Sequence[Candidate], request: Request, error: UnsupportedRegexError) -> str:
    """Name the first route whose conditions cannot be evaluated."""
    for candidate in found:
        try:
            match_candidate(candidate, request)
        except UnsupportedRegexError:
            route = candidate.route.label
            return f"a regular expression of route {route} {error}: what it matches is not known"
    return f"a regular expression {error}"


def _told(winner: Match, request: Request, config: Config) -> Outcome | None:
    """Return what the gateway answers a request that should have come over HTTPS."""
    scheme, host = forwarded(request, config.settings.items("trusted_ips"))
    told = outcome(winner, replace(request, scheme=scheme))
    if told is None or told.location is None or host is None:
        return told
    return Outcome(told.status, f"https://{host}{request.target}")


def _sent(
    answer: RequestAnswer,
    winner: Match,
    *,
    as_sent: bool,
    config: Config,
    inputs: Inputs,
    report: Report,
) -> RequestAnswer:
    """Return *answer* with the upstream of the winner's service, and what it is sent."""
    route, request = winner.candidate.route, answer.request
    if route.service is None:
        return replace(answer, status=503, reason=f"route {route.label} has no service")
    service = config.entities.services[route.service]
    general = explain_service(service, config, inputs, report)
    host = upstream_host(winner, service, request, general.destination.host_header)
    upstream = of_request(general, route, host)
    answer = replace(answer, service=service, upstream=upstream)
    if not upstream.destination.peers:
        return replace(answer, status=503, reason="its upstream has no target")
    uri = sent_target(upstream_uri(winner, service, request), request.target)
    if request.target.find("?") == len(request.target) - 1 and not as_sent:
        # nginx drops a question mark that nothing follows.
        uri = uri.removesuffix("?")
    reason = f"is sent to the upstream of service {service.label}"
    return replace(answer, status=200, reason=reason, uri=uri)
