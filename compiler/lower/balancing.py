"""How requests are spread: the method of an `upstream` block, and the maps behind its key."""

from __future__ import annotations

import re
from hashlib import sha256
from math import gcd
from typing import TYPE_CHECKING

from compiler.model.nginx import Map, Simple
from compiler.model.routing import Proxied
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compiler.model.balancing import Capture, HashInput
    from compiler.model.destinations import Destination, Peer
    from compiler.model.plan import Plan

Inputs = tuple["HashInput", ...]

METHODS = frozenset({"least_conn", "hash", "ip_hash", "random", "least_time", "sticky"})
"""Directives that choose a method: of two, nginx warns and takes the last."""

PATH = "$kong_path"
"""The path of a request as Kong hashes it, whatever a location makes of `$uri`."""

COOKIE = "$hash_cookie"
_NOTHING = "-"
"""What requests without any input are hashed by: one target gets them all, as with Kong, where
nginx would take an empty key for none and go round."""

_MOST_POINTS = 1000
"""The largest sum of weights for hashing: nginx keeps 160 points for each unit."""


def lower_method(destination: Destination) -> tuple[Simple, ...]:
    """Return the directive that chooses the method; none is round robin."""
    balancing, peers = destination.balancing, destination.peers
    if balancing.algorithm == "round-robin" or (len(peers) == 1 and not peers[0].resolve):
        return ()
    if balancing.algorithm == "least-connections":
        return (Simple("least_conn", ()),)
    key = Expression(_key(balancing.inputs))
    if len(peers) == 1 and not peers[0].srv:
        # All addresses of a name share one point of a ring: only this keeps a key with one.
        return (Simple("hash", (key,)),)
    return (Simple("hash", (key, Literal("consistent"))),)


def hash_weights(peers: Iterable[Peer]) -> list[int]:
    """Return weights of the same proportions, small enough for a ring."""
    weights = [peer.weight or 1 for peer in peers]
    divisor = gcd(*weights)
    total = sum(weights)
    if total // divisor <= _MOST_POINTS:
        return [weight // divisor for weight in weights]
    return [max(1, round(weight * _MOST_POINTS / total)) for weight in weights]


def uses_cookie(plan: Plan) -> bool:
    """Tell whether clients may be given a cookie to be hashed by."""
    return any(group.destination.balancing.hashes_by("cookie") for group in plan.groups)


def cookie_texts(plan: Plan) -> set[str]:
    """Return texts of users that stand in the expressions of the maps."""
    inputs = (x for group in plan.groups for x in group.destination.balancing.inputs)
    return {found.name + found.path for found in inputs if found.kind == "cookie"}


def lower_hash_maps(plan: Plan) -> list[Map]:
    """Return the maps that work out what requests are hashed by, and the cookies that are set."""
    found: dict[str, Map] = {}
    cookies: list[tuple[Literal, Expression]] = []
    for group in plan.groups:
        inputs = group.destination.balancing.inputs
        for index in range(len(inputs)):
            _add_key(inputs[index:], found)
        if group.destination.balancing.hashes_by("cookie"):
            cookies.append((Literal(f"to:{group.name}"), Expression(_add_cookie(inputs, found))))
    if cookies:
        found[COOKIE] = Map(
            why="the cookie that the service of a request is balanced by, for a client without it",
            source=Expression("to:$proxy_host"),
            variable=COOKIE,
            default=None,
            entries=tuple(cookies),
        )
    return list(found.values())


def _key(inputs: Inputs) -> str:
    """Return the variable that holds what requests are hashed by."""
    if not inputs:
        return _NOTHING
    if inputs[0].kind == "ip":
        return "$remote_addr"
    if inputs[0].kind == "path":
        return PATH
    return "$hash_" + "_or_".join(_label(found) for found in inputs)


def _add_key(inputs: Inputs, found: dict[str, Map]) -> None:
    """Add the map for the first of *inputs*: its value, else that of the rest."""
    first, variable = inputs[0], _key(inputs)
    if first.kind in ("ip", "path"):
        return
    rest = Expression("=$request_id") if first.kind == "cookie" else Expression(_key(inputs[1:]))
    source, entries = _SOURCES[first.kind](first)
    default, entries = (rest, entries) if entries else (Expression(source), ((Literal(""), rest),))
    found[variable] = Map(
        why=f"requests are hashed by {', else '.join(_spoken(each) for each in inputs)}",
        source=Expression(source),
        variable=variable,
        default=default,
        entries=entries,
    )


Entries = tuple[tuple[Literal, Expression], ...]
_PRESENT = Expression("=$hash_input")


def _header(found: HashInput) -> tuple[str, Entries]:
    return f"$http_{found.name.lower().replace('-', '_')}", ()


def _query_arg(found: HashInput) -> tuple[str, Entries]:
    name = _pattern(found.name)
    return "$args", (
        (Literal(rf"~(?:^|&){name}=(?<hash_input>[^&]*)"), _PRESENT),
        # Kong takes an argument without a value for a true one.
        (Literal(rf"~(?:^|&){name}(?:&|$)"), Expression("=true")),
    )


def _cookie(found: HashInput) -> tuple[str, Entries]:
    pattern = rf"~*(?:^|;)[ \t]*{_pattern(found.name)}[ \t]*=[ \t]*(?<hash_input>[^;]*)"
    return "$http_cookie", ((Literal(pattern), _PRESENT),)


def _uri_capture(found: HashInput) -> tuple[str, Entries]:
    return _capture_variable(found.name), ()


_SOURCES = {
    "header": _header,
    "query_arg": _query_arg,
    "cookie": _cookie,
    "uri_capture": _uri_capture,
}


def captured(answer: Proxied) -> tuple[Simple, ...]:
    """Remember what the path of a route captures, where it chooses the target."""
    known = {found.name: Expression(_captured_by(found)) for found in answer.captures}
    return tuple(
        Simple(
            "set",
            (Expression(_capture_variable(found.name)), known.get(found.name, Literal(""))),
        )
        for found in answer.destination.balancing.inputs
        if found.kind == "uri_capture"
    )


def lower_captures(plan: Plan) -> list[Map]:
    """Return the maps that take captures from the path."""
    found = {
        capture: Map(
            why=f"what the path captures as {capture.name}",
            source=Expression(PATH),
            variable=_captured_by(capture),
            default=Literal(""),
            entries=((Literal(f"~{capture.regex}"), Expression(f"${capture.group}")),),
        )
        for answer in plan.answers
        if isinstance(answer, Proxied)
        for capture in answer.captures
    }
    return sorted(found.values(), key=lambda each: each.variable)


def _captured_by(capture: Capture) -> str:
    return f"$captured_{_digest(f'{capture.name}~{capture.regex}')}"


def _capture_variable(name: str) -> str:
    return f"$uri_capture_{re.sub(r'[^a-z0-9]', _escaped, name)}"


def _add_cookie(inputs: Inputs, found: dict[str, Map]) -> str:
    """Add the maps for the cookie that requests without any of *inputs* are given."""
    first = inputs[0]
    if first.kind != "cookie":
        variable = f"$new_cookie_unless_{_label(first)}_{_label(inputs[1], path=True)}"
        unset = Expression(_add_cookie(inputs[1:], found))
        source, entries = _SOURCES[first.kind](first)
        if entries:
            default, rows = unset, tuple((key, Expression("")) for key, _ in entries)
        else:
            default, rows = Expression(""), ((Literal(""), unset),)
    else:
        variable = f"$new_cookie_{_label(first, path=True)}"
        source, entries = _cookie(first)
        attributes = f"; Path={expression(first.path)}; Same-Site=Lax; HttpOnly"
        default = Expression(f"{expression(first.name)}=$request_id{attributes}")
        rows = tuple((key, Expression("")) for key, _ in entries)
    found[variable] = Map(
        why=f"a cookie for requests without {' and '.join(_spoken(each) for each in inputs)}",
        source=Expression(source),
        variable=variable,
        default=default,
        entries=rows,
    )
    return variable


def _spoken(found: HashInput) -> str:
    kind = found.kind.replace("query_arg", "argument").replace("ip", "address")
    return f"{kind} {found.name}".strip()


def _label(found: HashInput, *, path: bool = False) -> str:
    """Return a part of a variable's name that no other input has, as short as nginx likes it."""
    if not found.name:
        return found.kind
    if found.kind == "header":
        text = found.name.lower().replace("-", "_")
    else:
        text = re.sub(r"[^a-z0-9]", _escaped, found.name)
    if len(text) > 24 or "_or_" in text:
        text = f"{text[:16]}_{_digest(text)}"
    if path and found.path != "/":
        text += f"_{_digest(found.path)}"
    return f"{found.kind}_{text}"


def _escaped(match: re.Match[str]) -> str:
    return "__" if match.group(0) == "_" else f"_{ord(match.group(0)):02x}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:6]


def _pattern(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z_-]", lambda match: f"\\{match.group(0)}", name)
