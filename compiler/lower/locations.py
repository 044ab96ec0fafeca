"""Answers to `location` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower import grpc, websockets
from compiler.lower.answers import GRPC_UPSTREAM
from compiler.lower.balancing import captured
from compiler.lower.certificate_headers import remembered_certificate
from compiler.lower.clients import GRANTED, lua_access, remembered_client, remembered_groups
from compiler.lower.dispatch import route_source
from compiler.lower.origins import remembered_rules
from compiler.lower.paths import ENCODED_PATH
from compiler.lower.policies import ended, gate_ifs, later_ifs
from compiler.lower.termination import termination_type
from compiler.lower.upstream_tls import own_tls
from compiler.lower.urls import STRIPPED_PREFIX, as_it_came, behind_base, passed_on, rewrites
from compiler.model.nginx import If, Location, Simple
from compiler.model.protocols import GRPC, SECURE, WEBSOCKET
from compiler.model.routing import NoService, Proxied
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer

_DEFAULT_TIMEOUT = 60_000
_DEFAULT_RETRIES = 5
_GRPC_UPSTREAM = Expression(GRPC_UPSTREAM)
_SCHEMES = {"ws": "http", "wss": "https"}
"""Websockets begin as requests of HTTP."""


def lower_location(
    answer: Answer,
    path: Literal,
    plan: Plan,
    injected: tuple[Simple, ...],
    *,
    modifier: Literal | None,
    plain: bool,
    let_in: bool = False,
    base: str | None = None,
) -> Location:
    """Return the location named *path* that gives *answer*, with what is injected into all.

    *plain* tells whether requests may come without TLS, as far as the client is concerned. With
    *let_in* they have passed a gate (`lower_gate`). *base* is the name of the location that they
    go on with (`bases.py`), None where this one passes them on.
    """
    ifs: tuple[If, ...] = ()
    if not let_in:
        ifs = (*_refusals(answer, plan, plain=plain), *gate_ifs(answer, plan))
    ifs += later_ifs(answer, plan)
    typed = termination_type(answer)
    end = ended(answer, plan)
    if end or isinstance(answer, NoService):
        directives = (*typed, *(end or (Simple("return", (503,)),)))
    elif answer.destination.speaks_grpc:
        # What is injected into Kong's locations does not reach its one for gRPC.
        ifs += (If(variable=ENCODED_PATH, directives=(Simple("return", (400,)),)),)
        directives = (*typed, *_to_grpc(answer, plan))
    elif base is not None:
        directives = (*typed, *behind_base(answer, expression(base)))
    else:
        ifs += _encoded(answer)
        directives = with_injected((*typed, *_directives(answer, plan)), injected)
    if not let_in and base is None:
        directives = (*lua_access(answer, plan), *directives)
    return Location(
        comment=_comment(answer, ends=bool(end)),
        modifier=modifier,
        path=path,
        remembered=(
            *_debug(answer, plan),
            *remembered_rules(answer),
            # Also where nothing is passed on: nginx wants what headers name to be set somewhere.
            *(_remembered(answer, rewritten=not end) if isinstance(answer, Proxied) else ()),
            *(remembered_groups(answer) if let_in else remembered_client(answer, plan)),
            *remembered_certificate(answer.access),
        ),
        ifs=ifs,
        directives=directives,
        source=route_source(answer.route),
    )


def lower_gate(
    answer: Answer,
    path: Literal,
    plan: Plan,
    behind: str,
    *,
    modifier: Literal | None,
    plain: bool,
) -> Location:
    """Return the location named *path* that has Lua decide who goes on with the location *behind*.

    *plain* is that of `lower_location`.
    """
    return Location(
        comment=f"route {answer.route.label}: who is let in goes on with {behind}",
        modifier=modifier,
        path=path,
        remembered=(
            *_debug(answer, plan),
            *remembered_rules(answer),
            *remembered_client(answer, plan),
            Simple("set", (Expression(GRANTED), expression(behind))),
        ),
        ifs=(*_refusals(answer, plan, plain=plain), *gate_ifs(answer, plan)),
        directives=lua_access(answer, plan),
        source=route_source(answer.route),
    )


def with_injected(own: tuple[Simple, ...], injected: tuple[Simple, ...]) -> tuple[Simple, ...]:
    """Add what is injected; what the service itself says wins, as in Kong."""
    if not injected:
        return own
    names = {d.name for d in own if d.name.startswith("proxy_") or d.name == "default_type"}
    return (*own, *(directive for directive in injected if directive.name not in names))


def _comment(answer: Answer, *, ends: bool) -> str:
    route = f"route {answer.route.label}"
    if isinstance(answer, Proxied) and answer.reaches_nobody:
        return f"{route} -> service {answer.service.label}, whose upstream has no target"
    if ends:
        return f"{route} is answered here"
    if isinstance(answer, NoService):
        return f"{route} has no service"
    matched = answer.path if answer.regex is None else f"what matches {answer.regex}"
    way = f", without {matched}" if answer.strips and not answer.destination.speaks_grpc else ""
    return f"{route} -> service {answer.service.label}{way}"


def _remembered(answer: Proxied, *, rewritten: bool) -> tuple[Simple, ...]:
    """Remember what headers to the upstream say.

    Where the path is *rewritten*, a regular expression itself tells what it takes away.
    """
    preserve = answer.route.preserve_host
    host = Expression("$http_host") if preserve else expression(answer.destination.host_header)
    found = [Simple("set", (Expression("$upstream_host"), host))]
    if answer.strips and answer.regex is None:
        # The root alone is nothing: the slash stays.
        taken = "" if answer.path in {None, "/"} else answer.path
        found.append(Simple("set", (Expression(STRIPPED_PREFIX), expression(taken))))
    elif answer.strips and (not rewritten or answer.destination.speaks_grpc):
        found.append(Simple("set", (Expression(STRIPPED_PREFIX), Literal(""))))
    if answer.group is None and not answer.reaches_nobody:
        address = expression(answer.destination.peers[0].address)
        found.append(Simple("set", (Expression("$upstream_address"), address)))
    if _is_websocket(answer):
        found += websockets.remembered()
    if answer.destination.speaks_grpc:
        found.append(Simple("set", (_GRPC_UPSTREAM, Literal("1"))))
    return (*found, *captured(answer))


def _is_websocket(answer: Proxied) -> bool:
    return WEBSOCKET.issuperset(answer.route.protocols)


def target_of(answer: Proxied) -> str:
    """Return where requests go, as an expression."""
    name = "$upstream_address" if answer.group is None else expression(answer.group.name)
    scheme = answer.destination.scheme
    return f"{_SCHEMES.get(scheme, scheme)}://{name}"


def _encoded(answer: Proxied) -> tuple[If, ...]:
    """Return what passes on a path as it was sent: nginx would decode what Kong leaves alone."""
    target = Expression(target_of(answer) + passed_on(answer))
    directives = (*rewrites(answer, encoded=True), Simple("proxy_pass", (target,)))
    return (If(variable=ENCODED_PATH, directives=directives),)


def _directives(answer: Proxied, plan: Plan) -> tuple[Simple, ...]:
    return (
        *rewrites(answer, encoded=False),
        *passing(answer, plan),
        Simple("proxy_pass", (Expression(target_of(answer)),)),
    )


def passing(answer: Proxied, plan: Plan) -> tuple[Simple, ...]:
    """Return how a request is passed on."""
    return (
        *own_tls(answer, plan),
        *_tuning(answer, "proxy"),
        *_buffering(answer),
        *(websockets.untyped() if _is_websocket(answer) and not termination_type(answer) else ()),
    )


def _to_grpc(answer: Proxied, plan: Plan) -> tuple[Simple, ...]:
    """Return what passes a request on in gRPC, whose paths Kong never rewrites."""
    return (
        *as_it_came(),
        *own_tls(answer, plan),
        *_tuning(answer, "grpc"),
        Simple("grpc_pass", (Expression(target_of(answer)),)),
    )


def _debug(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Remember what matched, for the debug headers of whatever is answered."""
    if not plan.headers.debug:
        return ()
    values = {"route_id": answer.route.id, "route_name": answer.route.name or ""}
    if isinstance(answer, Proxied):
        values |= {"service_id": answer.service.id, "service_name": answer.service.name or ""}
    return tuple(
        Simple("set", (Expression(f"$kong_{name}"), expression(value)))
        for name, value in values.items()
    )


def _refusals(answer: Answer, plan: Plan, *, plain: bool) -> tuple[If, ...]:
    """Return what requests are told that came in another protocol than the route's."""
    protocols = answer.route.protocols
    if GRPC.issuperset(protocols):
        return grpc.refusals(wants_tls=plain and "grpc" not in protocols)
    found: tuple[If, ...] = ()
    if plain and SECURE.issuperset(protocols):
        away = send_away(answer.route.https_redirect_status_code, plan)
        found = (If(variable="$needs_https", directives=away),)
    if isinstance(answer, Proxied) and _is_websocket(answer):
        found += websockets.refusals(plan)
    return found


def send_away(status: int, plan: Plan) -> tuple[Simple, ...]:
    """Return the answer to a plain request that should have come over HTTPS."""
    if status == 426:
        return (Simple("return", (426,)),)
    host = "$forwarded_host" if plan.trusted_ips else "$host"
    return (Simple("return", (status, Expression(f"https://{host}$request_uri"))),)


def _tuning(answer: Proxied, prefix: str) -> tuple[Simple, ...]:
    service = answer.service
    found = []
    for name, value in (
        ("connect_timeout", service.connect_timeout),
        ("send_timeout", service.write_timeout),
        ("read_timeout", service.read_timeout),
    ):
        if value != _DEFAULT_TIMEOUT:
            found.append(Simple(f"{prefix}_{name}", (Literal(f"{value}ms"),)))
    if service.retries != _DEFAULT_RETRIES:
        found.append(Simple(f"{prefix}_next_upstream_tries", (service.retries + 1,)))
    return tuple(found)


def _buffering(answer: Proxied) -> tuple[Simple, ...]:
    found = []
    if not answer.route.request_buffering:
        found.append(Simple("proxy_request_buffering", (False,)))
    if not answer.route.response_buffering:
        found.append(Simple("proxy_buffering", (False,)))
    return tuple(found)
