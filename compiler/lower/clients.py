"""Who may come in: what routes ask of clients' certificates, and what upstreams are told of them.

nginx has verified the certificate in the handshake (`$ssl_client_verify`); a route asks for what
came of it, and whether the handshake was for the host that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.access_data import asks_lua, rule_name
from compiler.lower.certificates import SESSIONS, Sessions
from compiler.lower.consumers import SUBJECT, ClientVariables, consumer_maps, name_maps
from compiler.lower.groups import AUTHENTICATED_GROUPS, CONSUMER_GROUPS, group_told
from compiler.lower.maps import expression_map as _map
from compiler.model.layout import bundle_file, lists_file
from compiler.model.nginx import If, Section, Simple
from compiler.model.words import Code, Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.access import Access, Handshake
    from compiler.model.nginx import Map
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer

MISSING, UNVERIFIED = 596, 595
"""Codes for the two ways to fail, told as 401."""

_MISDIRECTED = 421
_LONGEST_CHAIN = 100
"""OpenSSL's own limit, which is Kong's."""

_STATE = "$certificate_state"
_ANONYMOUS = "$anonymous_consumer"
_DN = "$client_cert_dn"

_HEADERS = {
    "X-Consumer-ID": "$consumer_id",
    "X-Consumer-Custom-ID": "$consumer_custom_id",
    "X-Consumer-Username": "$consumer_username",
    "X-Credential-Identifier": "$credential_identifier",
    "X-Anonymous-Consumer": _ANONYMOUS,
    "X-Client-Cert-Dn": _DN,
    "X-Client-Cert-San": "$client_cert_san",
    "X-Consumer-Groups": CONSUMER_GROUPS,
    "X-Authenticated-Groups": AUTHENTICATED_GROUPS,
}
"""What upstreams are told of a client. A client's own word for any of it never gets through."""

_LETS_IN = Code('require("kcompile.access").run(ngx.var.access_rule)')

GRANTED = "$access_granted"
"""The variable that names the location with which who is let in goes on, if there is one."""

_SET_BY_LUA = (
    "$access_rule",
    GRANTED,
    "$consumer_id",
    "$credential_identifier",
    "$consumer_username",
    "$consumer_custom_id",
    _ANONYMOUS,
    _DN,
    "$client_cert_san",
    "$authenticated_group",
)


def handshake_directives(handshake: Handshake, plan: Plan) -> tuple[Simple, ...]:
    """Return what a server says of clients' certificates.

    Where Lua verifies them nginx believes nobody: it refuses by itself, for all routes, whose chain
    ends with an authority that is trusted, but not as a root.
    """
    if not handshake.asks:
        return ()
    # Who is refused is the routes' business: a client without a certificate may ask for others.
    found = [Simple("ssl_verify_client", (Literal("optional_no_ca"),))]
    if handshake.trust is not None:
        # The one kind of list is told to clients, the other is not. nginx believes both: of the
        # other nothing may come from the blocks around, as one for OCSP stapling would.
        names = ("ssl_trusted_certificate", "ssl_client_certificate")
        told, other = reversed(names) if handshake.sends_names else names
        believed = bundle_file(handshake.trust.bundle) if plan.names_authorities(handshake) else ""
        found.append(Simple(told, (Literal(believed),)))
        found.append(Simple(other, (Literal(""),)))
        found.append(Simple("ssl_verify_depth", (_LONGEST_CHAIN,)))
        if handshake.trust.lists:
            found.append(Simple("ssl_crl", (Literal(lists_file(handshake.trust.lists)),)))
    return tuple(found)


def sessions_of(handshake: Handshake | None, plan: Plan) -> Sessions:
    """Return where a server's sessions are kept.

    With a session comes what its own handshake verified, and nginx lets it be taken up at servers
    that believe other authorities. So where there are several kinds of handshakes, those that
    verify leave no session: not in the memory, which is one for all servers of a socket, and not
    in a ticket.
    """
    asks = handshake is not None and handshake.asks
    if len(plan.handshakes) < 2:
        if handshake is None or handshake.trust is None:
            return SESSIONS
        if handshake.trust.lists:
            # Nobody looks at lists when a session is taken up, nor at whether they still hold.
            return Sessions(None, tickets=False)
        # A reload keeps a memory of the same name, and with it who was believed before.
        return Sessions(f"SSL_{handshake.trust.bundle.name[:8]}")
    return Sessions(None, tickets=plan.features.sessions_know_their_server and not asks)


def client_headers(plan: Plan) -> dict[str, str]:
    """Return the headers that tell upstreams who asks; an empty value takes a header away."""
    accesses = _accesses(plan)
    if not any(access.authentications for access, _ in accesses):
        return {}
    if any(asks_lua(access, plan) for access, _ in accesses):
        groups = {variable for access, _ in accesses for variable, _ in group_told(access)}
        said = groups.union(_SET_BY_LUA)
        return {name: value if value in said else "" for name, value in _HEADERS.items()}
    said = {variable for access, by_host in accesses for variable, _ in _told(access, by_host)}
    if "$consumer_id" in said:
        said |= {"$consumer_username", "$consumer_custom_id"}
    return {name: value if value in said else "" for name, value in _HEADERS.items()}


def client_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps behind all that."""
    found: dict[str, Map] = {}
    accesses = _accesses(plan)
    asked = [(a.certificate, by_host) for a, by_host in accesses if a.certificate]
    if any(asks_lua(access, plan) for access, _ in accesses):
        return (_misdirected(),)
    lookups = [ClientVariables(auth, by_host=by_host) for auth, by_host in asked]
    for variables in sorted(lookups, key=lambda made: made.name):
        found |= {made.variable: made for made in variables.maps()}
    if not asked:
        return ()
    looked_up = any(auth.lookup for auth, _ in asked)
    return (
        *_states(),
        *(name_maps() if looked_up else ()),
        *found.values(),
        *(consumer_maps(plan.consumers) if "$consumer_id" in client_headers(plan).values() else ()),
    )


def _states() -> tuple[Map, ...]:
    return (
        _map(
            "what became of the client's certificate",
            "$ssl_client_verify",
            _STATE,
            {"SUCCESS": "verified", "": "missing", "NONE": "missing"},
            default="unverified",
        ),
        _map("whether none was sent", _STATE, "$certificate_missing", {"missing": "1"}),
        _map(
            "whether one was sent that is not believed",
            _STATE,
            "$certificate_refused",
            {"unverified": "1"},
        ),
        _misdirected(),
    )


def _misdirected() -> Map:
    return _map(
        "whether TLS was meant for another host: its certificate counts for that one alone",
        "$https:$ssl_server_name:$host",
        "$misdirected",
        {"~^:": "", r"~*^on:(?<name_meant>[^:]+?)\.?:\k<name_meant>$": ""},
        default="1",
    )


def client_texts(plan: Plan) -> Iterator[str]:
    """Yield users' texts that stand in expressions."""
    for consumer in plan.consumers:
        yield from filter(None, (consumer.username, consumer.custom_id))
    for matches in plan.credentials.values():
        yield from (match.name for match in matches)


def lua_variables(plan: Plan) -> tuple[Section, ...]:
    """Return the variables by which Lua says who asks: nobody, until it does."""
    if not any(asks_lua(access, plan) for access, _ in _accesses(plan)):
        return ()
    return (
        Section(
            comment="who asks: nobody, until Lua says so",
            directives=tuple(
                Simple("set", (Expression(name), Literal(""))) for name in _SET_BY_LUA
            ),
        ),
    )


def lua_access(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Return what has Lua decide who is let in."""
    if not asks_lua(answer.access, plan):
        return ()
    return (Simple("access_by_lua_block", (_LETS_IN,)),)


def remembered_client(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Remember who asks, for the headers to the upstream."""
    if asks_lua(answer.access, plan):
        name = rule_name(answer.access, by_host=not answer.route.snis)
        return (Simple("set", (Expression("$access_rule"), Literal(name))),)
    return tuple(
        Simple("set", (Expression(variable), Expression(value)))
        for variable, value in _told(answer.access, not answer.route.snis)
    )


def remembered_groups(answer: Answer) -> tuple[Simple, ...]:
    """Remember the groups of who was let in, for the headers to the upstream."""
    return tuple(
        Simple("set", (Expression(variable), Expression(value)))
        for variable, value in group_told(answer.access)
    )


def client_refusals(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return whom the route of *answer* refuses, and how."""
    auth = answer.access.certificate
    # Where anybody is let in, who is not believed comes in as that.
    if auth is None or auth.anonymous is not None:
        return ()
    by_host = not answer.route.snis
    found = [_refuse("$misdirected", _MISDIRECTED)] if by_host else []
    if asks_lua(answer.access, plan):
        return tuple(found)
    found.append(_refuse("$certificate_missing", MISSING))
    found.append(_refuse("$certificate_refused", UNVERIFIED))
    if auth.lookup is not None:
        found.append(_refuse(ClientVariables(auth, by_host=by_host).unknown, UNVERIFIED))
    return tuple(found)


def _refuse(variable: str, code: int) -> If:
    return If(variable=variable, directives=(Simple("return", (code,)),))


def _accesses(plan: Plan) -> tuple[tuple[Access, bool], ...]:
    """Return what routes ask, and whether certificates count for the host asked for alone."""
    found = ((a.access, not a.route.snis) for a in plan.answers if a.access.asks_who)
    return tuple(dict.fromkeys(found))


def _told(access: Access, by_host: bool) -> Iterator[tuple[str, str]]:  # noqa: FBT001
    """Yield the variables that a route with *access* sets, with their values."""
    auth = access.certificate
    if auth is None:
        return
    variables = ClientVariables(auth, by_host=by_host)
    if auth.lookup is None:
        yield _DN, SUBJECT if auth.anonymous is None else variables.subject
    if auth.lookup is not None or auth.anonymous is not None:
        yield "$consumer_id", variables.consumer
    if variables.has_credentials:
        yield "$credential_identifier", variables.credential
    if auth.anonymous is not None:
        yield _ANONYMOUS, variables.anonymous
    yield from group_told(access)
