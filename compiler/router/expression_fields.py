"""What one comparison in an expression asks for."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Literal

from compiler.router.conditions import Conditions
from compiler.router.expression_syntax import (
    CannotDecideError,
    ExpressionSyntaxError,
    Predicate,
)
from compiler.router.patterns import (
    HeaderCondition,
    HostPattern,
    NamePatternKind,
    PeerPattern,
    SniPattern,
)
from compiler.router.regex_nodes import UnsupportedRegexError
from compiler.router.rust_parser import parse as parse_regex

if TYPE_CHECKING:
    from collections.abc import Callable

Subsystem = Literal["http", "stream"]

_HEADERS = "http.headers."
_KINDS: dict[str, NamePatternKind] = {"==": "exact", "^=": "prefix", "=^": "suffix"}
_SCHEMES: dict[Subsystem, frozenset[str]] = {
    "http": frozenset({"http", "https"}),
    "stream": frozenset({"tcp", "tls", "udp"}),
}
_ENCRYPTED: dict[Subsystem, frozenset[str]] = {
    "http": frozenset({"https"}),
    "stream": frozenset({"tls"}),
}
_IPV4 = IPv4Network("0.0.0.0/0")
_IPV6 = IPv6Network("::/0")
_OPPOSITES = {"==": "!=", "!=": "==", "in": "not in", "not in": "in"}
_ALWAYS_THERE = frozenset({"net.protocol", "net.src.ip", "net.dst.ip", "http.method", "http.path"})
"""Fields that have exactly one value, so that a comparison can be turned round."""

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def conditions_of(
    predicate: Predicate, subsystem: Subsystem, *, negated: bool, strip: bool
) -> list[Conditions]:
    """Return the conditions that *predicate* (or its opposite) amounts to; none if impossible."""
    field = predicate.field.replace("net.port", "net.dst.port")
    operator = predicate.operator
    if negated:
        if field not in _ALWAYS_THERE or operator not in _OPPOSITES:
            raise _refusal(predicate, "denied")
        operator = _OPPOSITES[operator]
    if field.startswith(_HEADERS):
        return [_header(predicate, field.removeprefix(_HEADERS))]
    read = _FIELDS.get(field)
    if read is None or (subsystem == "stream" and field.startswith("http.")):
        raise CannotDecideError(f"the field {predicate.field}", predicate.position)
    return read(predicate, operator, subsystem, strip)


def _refusal(predicate: Predicate, what: str = "") -> CannotDecideError:
    words = f"{predicate.field} with {predicate.operator!r} {what}".strip()
    return CannotDecideError(words, predicate.position)


def _text(predicate: Predicate) -> str:
    if not isinstance(predicate.value, str):
        raise ExpressionSyntaxError(
            f"{predicate.field} is compared with a string", predicate.position
        )
    return predicate.value


def _protocol(
    predicate: Predicate,
    operator: str,
    subsystem: Subsystem,
    _strip: bool,  # noqa: FBT001
) -> list[Conditions]:
    value = _text(predicate)
    matching = {
        "==": frozenset({value}),
        "^=": frozenset(s for s in _SCHEMES[subsystem] if s.startswith(value)),
        "=^": frozenset(s for s in _SCHEMES[subsystem] if s.endswith(value)),
        "!=": _SCHEMES[subsystem] - {value},
    }.get(operator)
    if matching is None:
        raise _refusal(predicate)
    found = matching & _SCHEMES[subsystem]
    return [Conditions(schemes=found)] if found else []


def _method(
    predicate: Predicate,
    operator: str,
    _subsystem: Subsystem,
    _strip: bool,  # noqa: FBT001
) -> list[Conditions]:
    if operator != "==" or "lower" in predicate.functions:
        raise _refusal(predicate)
    return [Conditions(methods=frozenset({_text(predicate)}))]


def _host(
    predicate: Predicate,
    operator: str,
    _subsystem: Subsystem,
    _strip: bool,  # noqa: FBT001
) -> list[Conditions]:
    kind = _KINDS.get(operator)
    if kind is None:
        raise _refusal(predicate)
    return [Conditions(hosts=(HostPattern(kind, _text(predicate).lower()),))]


def _sni(
    predicate: Predicate,
    operator: str,
    subsystem: Subsystem,
    _strip: bool,  # noqa: FBT001
) -> list[Conditions]:
    kind = _KINDS.get(operator)
    if kind is None:
        raise _refusal(predicate)
    # Unlike the field `snis` of a route this is false for whoever sends no server name.
    pattern = SniPattern(kind, _text(predicate).lower())
    return [Conditions(schemes=_ENCRYPTED[subsystem], snis=(pattern,))]


def _path(
    predicate: Predicate,
    operator: str,
    _subsystem: Subsystem,
    strip: bool,  # noqa: FBT001
) -> list[Conditions]:
    value = _text(predicate)
    lower = "lower" in predicate.functions
    if lower and value != value.lower():
        return []
    quoted = quote(value)
    flag = "(?i)" if lower else ""
    if operator == "^=":
        return [Conditions(regex=flag + quoted) if lower else Conditions(path=value)]
    if operator == "==":
        return [Conditions(regex=f"{flag}{quoted}$")]
    if operator == "=^" and not strip:
        return [Conditions(regex=f"(?s:.*){flag}{quoted}$")]
    if operator == "contains" and not strip:
        return [Conditions(regex=f"(?s:.*?){flag}{quoted}")]
    if operator == "~" and not lower:
        return [Conditions(regex=_anchored(predicate, value, strip=strip))]
    what = "while strip_path is on" if strip and operator in {"=^", "contains"} else ""
    raise _refusal(predicate, what)


def _anchored(predicate: Predicate, value: str, *, strip: bool) -> str:
    """Return a regular expression for the path of a route, which is anchored by itself."""
    _check_regex(predicate, value)
    if value.startswith("^"):
        # Kong spells `?<` another way in paths of routes; where that mattered it is refused.
        if "?<" in value.replace("(?<", ""):
            raise _refusal(predicate, "and '?<' outside of a group")
        return value[1:]
    if strip or "(?<" in value or "x" in "".join(re.findall(r"\(\?([a-zA-Z-]+)", value)):
        raise _refusal(predicate, "that need not match at the beginning")
    return f"(?s:.*?)(?:{value})"


def _check_regex(predicate: Predicate, value: str) -> None:
    try:
        parse_regex(value)
    except UnsupportedRegexError as error:
        raise CannotDecideError(
            f"{predicate.field} with a regular expression that {error.reason}", predicate.position
        ) from None


def _header(predicate: Predicate, name: str) -> Conditions:
    value = _text(predicate)
    regex = {
        "^=": f"^{quote(value)}",
        "=^": f"{quote(value)}$",
        "contains": quote(value),
        "~": value,
    }.get(predicate.operator)
    if regex is None and predicate.operator != "==":
        raise _refusal(predicate)
    if predicate.operator == "~":
        _check_regex(predicate, value)
    condition = HeaderCondition(
        name,
        (value,) if regex is None else (),
        () if regex is None else (regex,),
        case_matters="lower" not in predicate.functions,
        every="any" not in predicate.functions,
    )
    return Conditions(headers=(condition,))


def _address(
    side: Literal["sources", "destinations"],
) -> Callable[[Predicate, str, Subsystem, bool], list[Conditions]]:
    def read(
        predicate: Predicate,
        operator: str,
        _subsystem: Subsystem,
        _strip: bool,  # noqa: FBT001
    ) -> list[Conditions]:
        network = predicate.value
        if not isinstance(network, IPv4Network | IPv6Network) or operator not in _OPPOSITES:
            raise _refusal(predicate)
        if predicate.is_cidr != ("in" in operator):
            raise ExpressionSyntaxError(
                f"{operator!r} wants {'no' if predicate.is_cidr else 'a'} range of addresses",
                predicate.position,
            )
        wanted = [network] if operator in {"==", "in"} else _others(network)
        return [_conditions_on(side, tuple(PeerPattern(n, None) for n in wanted))]

    return read


def _others(network: IPv4Network | IPv6Network) -> list[IPv4Network | IPv6Network]:
    """Return networks that hold all addresses outside of *network*."""
    found: list[IPv4Network | IPv6Network] = []
    if isinstance(network, IPv4Network):
        found += [*_IPV4.address_exclude(network), _IPV6]
    else:
        found += [_IPV4, *_IPV6.address_exclude(network)]
    return sorted(found, key=lambda n: (n.version, int(n.network_address)))


def _port(
    side: Literal["sources", "destinations"],
) -> Callable[[Predicate, str, Subsystem, bool], list[Conditions]]:
    def read(
        predicate: Predicate,
        operator: str,
        _subsystem: Subsystem,
        _strip: bool,  # noqa: FBT001
    ) -> list[Conditions]:
        if operator != "==":
            raise _refusal(predicate)
        if not isinstance(predicate.value, int):
            raise ExpressionSyntaxError(
                f"{predicate.field} is compared with a number", predicate.position
            )
        return [_conditions_on(side, (PeerPattern(None, predicate.value),))]

    return read


def _conditions_on(
    side: Literal["sources", "destinations"], peers: tuple[PeerPattern, ...]
) -> Conditions:
    return Conditions(sources=peers) if side == "sources" else Conditions(destinations=peers)


def quote(text: str) -> str:
    """Return a regular expression of Rust's for *text* itself."""
    return _SPECIAL.sub(r"\\\g<0>", text)


_FIELDS: dict[str, Callable[[Predicate, str, Subsystem, bool], list[Conditions]]] = {
    "net.protocol": _protocol,
    "http.method": _method,
    "http.host": _host,
    "http.path": _path,
    "tls.sni": _sni,
    "net.src.ip": _address("sources"),
    "net.dst.ip": _address("destinations"),
    "net.src.port": _port("sources"),
    "net.dst.port": _port("destinations"),
}
