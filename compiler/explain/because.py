"""Which condition of a candidate a request does not meet, in the user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.router.match import CHECKS, header_matches
from compiler.router.patterns import fold_header_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from compiler.router.candidates import Candidate
    from compiler.router.patterns import HeaderCondition, HostPattern, PeerPattern, SniPattern
    from compiler.router.request import Request

_MANY = 5


def unmet(candidate: Candidate, request: Request) -> str | None:
    """Return the kind of the first condition that does not hold, None where all do."""
    return next((kind for kind in _WORDS if not CHECKS[kind](candidate, request)), None)


def because(kind: str, candidate: Candidate, request: Request) -> str:
    """Say why *candidate*, whose condition of *kind* does not hold, does not match."""
    return _WORDS[kind](candidate, request)


def met(candidate: Candidate, request: Request) -> str:
    """Say what *candidate*, which matches, asked for and found."""
    path = route_path(candidate)
    found = [_given_host(request)] if candidate.hosts else []
    if path is not None:
        verb = "matches" if path.startswith("~") else "begins with"
        found.append(f"the path {verb} {path}")
    found += [_method(candidate, request)] if candidate.methods else []
    found += [_given_header(header, candidate, request) for header in candidate.headers]
    if candidate.snis:
        found.append(_given_sni(request) if request.is_tls else "server names are for TLS alone")
    return "; ".join(found) or "it takes any request"


def path_words(candidates: Iterable[Candidate]) -> str:
    """Say that none of the paths of *candidates*, ways to match one route, match."""
    paths = list(dict.fromkeys(path for path in map(route_path, candidates) if path is not None))
    regexes = sum(path.startswith("~") for path in paths)
    verb = "match" if regexes == len(paths) else "match or begin with" if regexes else "begin with"
    return f"the path does not {verb} {_either(paths)}"


def route_path(candidate: Candidate) -> str | None:
    """Return the path of a route that *candidate* stands for, as it is written there."""
    return candidate.path if candidate.regex is None else f"~{candidate.regex}"


def _host(candidate: Candidate, request: Request) -> str:
    return f"{_given_host(request)}, wants {_either(list(map(_host_text, candidate.hosts)))}"


def _given_host(request: Request) -> str:
    return "no host is given" if request.host is None else f"host is {request.host}"


def _path(candidate: Candidate, _request: Request) -> str:
    return path_words((candidate,))


def _scheme(candidate: Candidate, request: Request) -> str:
    return f"scheme is {request.scheme}, wants {_either(sorted(candidate.schemes))}"


def _method(_candidate: Candidate, request: Request) -> str:
    return f"method is {request.method}"


def _header(candidate: Candidate, request: Request) -> str:
    condition = next(
        c for c in candidate.headers if not header_matches(c, request, candidate.flavor)
    )
    wanted = _written(condition, candidate)[1]
    return f"{_given_header(condition, candidate, request)}, wants {_either(wanted)}"


def _given_header(condition: HeaderCondition, candidate: Candidate, request: Request) -> str:
    name = _written(condition, candidate)[0].lower()
    values = request.header(condition.name)
    return f"header {name} {f'is {_both(values)}' if values else 'is missing'}"


def _written(condition: HeaderCondition, candidate: Candidate) -> tuple[str, list[str]]:
    """Return the name and the values of a condition, as the route has them if it does."""
    for name, values in candidate.route.headers.items():
        if fold_header_name(name) == fold_header_name(condition.name):
            return name, [_header_value(value) for value in values]
    regexes = [f"a match of {regex}" for regex in condition.regexes]
    return condition.name.replace("_", "-"), [*map(_quoted, condition.values), *regexes]


def _header_value(value: str) -> str:
    return f"a match of {value[2:]}" if value.startswith("~*") else _quoted(value)


def _sni(candidate: Candidate, request: Request) -> str:
    return f"{_given_sni(request)}, wants {_either(list(map(_name_text, candidate.snis)))}"


def _given_sni(request: Request) -> str:
    return "no server name is sent" if request.sni is None else f"server name is {request.sni}"


def _source(candidate: Candidate, request: Request) -> str:
    wanted = _either(list(map(_peer_text, candidate.sources)))
    return f"the client's address is {request.source or 'not known'}, wants {wanted}"


def _destination(candidate: Candidate, request: Request) -> str:
    wanted = _either(list(map(_peer_text, candidate.destinations)))
    return f"the port is {request.host_port}, wants {wanted}"


def _host_text(pattern: HostPattern) -> str:
    return _name_text(pattern) + ("" if pattern.port is None else f":{pattern.port}")


def _name_text(pattern: HostPattern | SniPattern) -> str:
    return {"suffix": f"*{pattern.text}", "prefix": f"{pattern.text}*"}.get(
        pattern.kind, pattern.text
    )


def _peer_text(peer: PeerPattern) -> str:
    address = "" if peer.network is None else str(peer.network)
    return address if peer.port is None else f"{address}:{peer.port}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _both(values: Iterable[str]) -> str:
    return " and ".join(map(_quoted, values))


def _either(items: Sequence[str]) -> str:
    if len(items) > _MANY:
        return f"{', '.join(items[:_MANY])} or one of {len(items) - _MANY} more"
    return " or ".join(items)


_WORDS: dict[str, Callable[[Candidate, Request], str]] = {
    "hosts": _host,
    "paths": _path,
    "schemes": _scheme,
    "methods": _method,
    "headers": _header,
    "snis": _sni,
    "sources": _source,
    "destinations": _destination,
}
"""What is said of each kind of condition, in the order in which they are looked at."""
