"""Which candidate a request matches: the first one, in order, whose conditions all hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compiler.router import path_regex, traditional
from compiler.router.path_regex import PathMatch
from compiler.router.patterns import ascii_lower

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from compiler.router.candidates import Candidate
    from compiler.router.patterns import Flavor, HeaderCondition, HostPattern, SniPattern
    from compiler.router.request import Request


@dataclass(frozen=True, slots=True)
class Match:
    """The candidate that won, and how.

    *path* is what of the request's path matched (None if the candidate has no path), *captures*
    what groups of a regular expression hold, by number and by name.
    """

    candidate: Candidate
    path: str | None
    captures: Mapping[str, str] = field(default_factory=dict)


def match(candidates: Sequence[Candidate], request: Request) -> Match | None:
    """Return the first match among *candidates* (best first), or None."""
    if is_unreadable(candidates, request):
        return None
    if candidates and candidates[0].flavor == "traditional":
        candidates = traditional.reachable(candidates, request, CHECKS)
    for candidate in candidates:
        found = match_candidate(candidate, request)
        if found is not None:
            return found
    return None


def match_candidate(candidate: Candidate, request: Request) -> Match | None:
    """Return how *candidate* matches *request*, or None."""
    if candidate.subsystem != request.subsystem:
        return None
    if not all(check(candidate, request) for check in CHECKS.values()):
        return None
    found = _match_path(candidate, request)
    return None if found is None else Match(candidate, found.text, found.captures)


def _matches_path(candidate: Candidate, request: Request) -> bool:
    return _match_path(candidate, request) is not None


def _match_path(candidate: Candidate, request: Request) -> PathMatch | None:
    path = request.path
    if candidate.regex is not None:
        return path_regex.match(candidate.regex, path, candidate.flavor)
    if candidate.path is None:
        return PathMatch(None, {})
    return PathMatch(candidate.path, {}) if path.startswith(candidate.path) else None


def _matches_host(candidate: Candidate, request: Request) -> bool:
    if not candidate.hosts:
        return True
    if candidate.flavor == "traditional":
        return any(traditional.host_matches(pattern, request) for pattern in candidate.hosts)
    return any(_host_matches(pattern, request) for pattern in candidate.hosts)


def _host_matches(pattern: HostPattern, request: Request) -> bool:
    name = request.host_name
    if name is None or (pattern.port is not None and pattern.port != request.host_port):
        return False
    return name_matches(pattern, name)


def name_matches(pattern: HostPattern | SniPattern, name: str) -> bool:
    """Whether *name*, lower-cased, is what *pattern* means; wildcards cover any depth."""
    if pattern.kind == "prefix":
        return name.startswith(pattern.text)
    if pattern.kind == "suffix":
        return name.endswith(pattern.text)
    return name == pattern.text


def _matches_method(candidate: Candidate, request: Request) -> bool:
    return not candidate.methods or request.method in candidate.methods


def _matches_headers(candidate: Candidate, request: Request) -> bool:
    flavor = candidate.flavor
    return all(header_matches(condition, request, flavor) for condition in candidate.headers)


def header_matches(condition: HeaderCondition, request: Request, flavor: Flavor) -> bool:
    """Whether the header of *request* is what *condition* wants."""
    traditional = flavor == "traditional"
    values = request.header(condition.name)
    if not condition.case_matters:
        values = tuple(map(ascii_lower if traditional else str.lower, values))
    found = [_value_matches(condition, value, traditional) for value in values]
    return bool(found) and (all(found) if condition.every else any(found))


def _value_matches(condition: HeaderCondition, value: str, traditional: bool) -> bool:  # noqa: FBT001
    return value in condition.values or any(
        path_regex.finds(regex, value, traditional=traditional) for regex in condition.regexes
    )


def _matches_sni(candidate: Candidate, request: Request) -> bool:
    if not candidate.snis:
        return True
    # Without TLS there is no SNI; such requests match all the same.
    if not request.is_tls and not (candidate.flavor == "traditional" and request.scheme != "http"):
        return True
    name = request.sni
    return name is not None and any(name_matches(sni, name.lower()) for sni in candidate.snis)


def _matches_source(candidate: Candidate, request: Request) -> bool:
    return not candidate.sources or any(
        _compares_peers(candidate, request) and peer.matches(request.source, request.source_port)
        for peer in candidate.sources
    )


def _matches_destination(candidate: Candidate, request: Request) -> bool:
    # The port of a destination is for HTTP the one that the Host header names, if it does.
    return not candidate.destinations or any(
        _compares_peers(candidate, request) and peer.matches(request.destination, request.host_port)
        for peer in candidate.destinations
    )


def _compares_peers(candidate: Candidate, request: Request) -> bool:
    """Whether the router is told the ends of the connection: for HTTP, traditional is not."""
    return candidate.flavor != "traditional" or request.subsystem == "stream"


def _matches_scheme(candidate: Candidate, request: Request) -> bool:
    return not candidate.schemes or request.scheme in candidate.schemes


CHECKS = {
    "schemes": _matches_scheme,
    "paths": _matches_path,
    "hosts": _matches_host,
    "headers": _matches_headers,
    "methods": _matches_method,
    "snis": _matches_sni,
    "sources": _matches_source,
    "destinations": _matches_destination,
}
"""Whether a candidate's conditions of each kind hold."""


def is_unreadable(candidates: Iterable[Candidate], request: Request) -> bool:
    """Whether the router refuses the request: a value that it has to compare is no UTF-8."""
    compared: set[str | None] = set()
    for candidate in candidates:
        if candidate.flavor == "traditional":
            return False
        if candidate.path is not None or candidate.regex is not None:
            compared.add(request.path)
        if candidate.hosts:
            compared.add(request.host)
        if candidate.snis:
            compared.add(request.sni)
        for condition in candidate.headers:
            compared.update(request.header(condition.name))
    return any(value is not None and not _is_utf8(value) for value in compared)


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
