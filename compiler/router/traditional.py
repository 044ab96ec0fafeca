"""What is peculiar to matching in flavor traditional: ports of hosts, and where it begins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from compiler.router.candidates import Candidate
    from compiler.router.patterns import HostPattern
    from compiler.router.request import Request

_PORT = re.compile(r"[0-9]{0,9}")


def host_matches(pattern: HostPattern, request: Request) -> bool:
    """Whether the Host header of *request* is what *pattern* means.

    A plain host with a port wants that port in the header. A wildcard is content with the
    scheme's default; the port of the connection never counts.
    """
    name, _, given = (request.host or "").lower().partition(":")
    if not name or not _PORT.fullmatch(given):
        return False
    if pattern.kind == "exact":
        return name == pattern.text and str(pattern.port or given) == given
    port = given or ("443" if request.scheme == "https" else "80")
    if pattern.port is not None and str(pattern.port) != port:
        return False
    if pattern.kind == "suffix":
        return name.endswith(pattern.text) and len(name) > len(pattern.text)
    # The asterisk covers at least one character, were it one of the port.
    return f"{name}:{port}".startswith(pattern.text)


def reachable(
    candidates: Sequence[Candidate],
    request: Request,
    checks: Mapping[str, Callable[[Candidate, Request], bool]],
) -> Sequence[Candidate]:
    """Return the candidates that are tried for *request*.

    Kong notes which kinds of attribute are met by any route, and begins with the routes that
    have just these; without such routes, with the first. So a plaintext request, which matches
    routes with SNIs without meeting one, passes over them where others have all that it meets.
    """
    if request.subsystem == "stream" or request.is_tls:
        return candidates
    met = sum(bit for kind, bit in _BITS.items() if _is_met(kind, candidates, request, checks))
    if not met:
        return ()
    beginning = next((i for i, c in enumerate(candidates) if _category(c) == met), 0)
    return candidates[beginning:]


_BITS = {"hosts": 64, "headers": 32, "paths": 16, "methods": 8}
"""The kinds that plaintext requests can meet, as Kong numbers them."""


def _category(candidate: Candidate) -> float:
    return candidate.priority.rank[1]


def _is_met(
    kind: str,
    candidates: Sequence[Candidate],
    request: Request,
    checks: Mapping[str, Callable[[Candidate, Request], bool]],
) -> bool:
    if kind == "headers":
        # Here the header need only be there.
        return any(request.header(h.name) for c in candidates for h in c.headers)
    return any(
        checks[kind](c, request)
        for c in candidates
        if c.subsystem == "http" and getattr(c.route, kind)
    )
