"""Which site a browser is told may use an answer, and the maps that look for it."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.maps import expression_map
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.access import CrossOrigin, Origins
    from compiler.model.nginx import Map
    from compiler.model.words import Word

VARY_IF_NAMED = "$vary_if_named"
CREDENTIALS_IF_NAMED = "$credentials_if_named"
PRIVATE_NETWORK = "$private_network_allowed"

_SENT = "$http_origin"
_ANY_OR_NAMED = "$any_site_or_named"
_ANY_IF_NAMED = "$any_site_if_named"
_DOMAIN, _HOST = "$site", "$site_host"
_SITE = r"[A-Za-z0-9][A-Za-z0-9+.-]*://"
_PORT = r"(?::[0-9]*)?"


def upstreams_own(header: str) -> str:
    """Return the variable of what an upstream says in *header*."""
    return f"$upstream_http_{header.lower().replace('-', '_')}"


def allowed_site(rules: CrossOrigin) -> Word:
    """Return what tells the site, nothing where it may not."""
    origins = rules.origins
    if origins.only is not None:
        return expression(origins.only)
    if not origins.any_site:
        return Expression(_variable(origins))
    if origins.listed:
        return Expression(_SENT if rules.credentials else _ANY_IF_NAMED)
    return Expression(_ANY_OR_NAMED) if rules.credentials else Literal("*")


def site_maps(found: Iterable[CrossOrigin]) -> Iterator[Map]:
    """Yield the maps that *found* need."""
    every = list(found)
    yield from _if_named(every)
    if any(rules.private_network for rules in every):
        yield expression_map(
            "whether a browser asks for a page of a less private network",
            "$http_access_control_request_private_network",
            PRIVATE_NETWORK,
            {"~^true$": "true"},
        )
    listed = {_variable(r.origins): r.origins for r in every if _is_looked_up(r.origins)}
    if listed:
        yield from _parts()
    for name in sorted(listed):
        yield from _lookup(name, listed[name])


def _if_named(found: list[CrossOrigin]) -> Iterator[Map]:
    used = {str(allowed_site(rules)) for rules in found}
    if _ANY_OR_NAMED in used:
        why = "any site, by name where it is named"
        yield expression_map(why, _SENT, _ANY_OR_NAMED, {"": "*"}, default=_SENT)
    if _ANY_IF_NAMED in used:
        why = "any site, where one is named"
        yield expression_map(why, _SENT, _ANY_IF_NAMED, {"": ""}, default="*")
    if any(rules.credentials and rules.origins.any_site for rules in found):
        own = upstreams_own("Access-Control-Allow-Credentials")
        why = "credentials of any site, where one is named"
        yield expression_map(why, _SENT, CREDENTIALS_IF_NAMED, {"": own}, default="true")
        why = "what answers then depend on"
        yield expression_map(why, _SENT, VARY_IF_NAMED, {"": ""}, default="Origin")


def _parts() -> Iterator[Map]:
    host = r"[^/:@?#\[\]]+|\[[0-9A-Fa-f:.]+\]"
    yield expression_map(
        "a site without the port that goes without saying",
        _SENT,
        _DOMAIN,
        {
            rf"~^(?<plain_site>http://(?:{host})):80$": "$plain_site",
            rf"~^(?<plain_site>https://(?:{host})):443$": "$plain_site",
        },
        default=_SENT,
    )
    yield expression_map(
        "its host",
        _SENT,
        _HOST,
        {
            rf"~^{_SITE}\[(?<bare_host>[0-9A-Fa-f:.]+)\]{_PORT}$": "$bare_host",
            rf"~^{_SITE}(?<bare_host>[^/:@?#\[\]]+){_PORT}$": "$bare_host",
        },
        default=_SENT,
    )


def _lookup(name: str, origins: Origins) -> Iterator[Map]:
    by_host = f"{name}_by_host"
    if origins.host_regexes:
        yield _map("whether a host may", _HOST, by_host, origins.host_regexes, "")
    exact = map(re.escape, origins.domains)
    otherwise = by_host if origins.host_regexes else ""
    regexes = (*exact, *origins.domain_regexes)
    yield _map("the site, where it may (to the letter)", _DOMAIN, name, regexes, otherwise)


def _map(why: str, source: str, variable: str, regexes: Iterable[str], otherwise: str) -> Map:
    rows = {f"~^(?:{regex})$": _DOMAIN for regex in regexes}
    return expression_map(why, source, variable, rows, default=otherwise)


def _is_looked_up(origins: Origins) -> bool:
    return origins.listed and not origins.any_site


def _variable(origins: Origins) -> str:
    text = repr((origins.domains, origins.domain_regexes, origins.host_regexes))
    return f"$site_{sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
