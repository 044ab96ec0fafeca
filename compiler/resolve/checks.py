"""The checks that field descriptions name: each returns what is wrong with a text, or None."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from compiler.resolve.hosts import BadHostError, HostPort, is_ip_or_cidr, parse_host
from compiler.resolve.paths import path_problem, route_path_problem
from compiler.resolve.regex_syntax import regex_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[str], str | None]

_UUID = re.compile("[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_NAME = re.compile(r"[0-9A-Za-z._~\x80-\ud7ff\ue000-\U0010ffff-]+")
_TAG = re.compile(r"[ -+\-.0-~\x80-\ud7ff\ue000-\U0010ffff]+")
_METHOD = re.compile(r"[A-Z]+")
_HEADER_NAME = re.compile(r"[0-9A-Za-z_-]+")
_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")


def is_uuid(text: str) -> bool:
    """Tell whether *text* has the form of a UUID."""
    return _UUID.fullmatch(text) is not None


def _matches(pattern: re.Pattern[str], expected: str) -> Check:
    def check(text: str) -> str | None:
        return None if pattern.fullmatch(text) else f"{text!r} is not {expected}"

    return check


def _parsed(text: str) -> HostPort | str:
    try:
        return parse_host(text)
    except BadHostError as error:
        return "it must not have a port" if error.bad_port else str(error)


def check_host(text: str) -> str | None:
    """Refuse what is no host name or address, or has a port."""
    parsed = _parsed(text)
    if isinstance(parsed, str):
        return parsed
    return None if parsed.port is None else f"{text!r} must not have a port"


def check_host_with_port(text: str) -> str | None:
    """Refuse what is no host name or address with or without a port."""
    try:
        parse_host(text)
    except BadHostError as error:
        return str(error)
    return None


def check_sni(text: str) -> str | None:
    """Refuse what is no host name: addresses and ports are not sent as SNI."""
    parsed = _parsed(text)
    if isinstance(parsed, str):
        return parsed
    if parsed.type != "name":
        return f"{text!r} must not be an IP address"
    return None if parsed.port is None else f"{text!r} must not have a port"


@lru_cache(maxsize=1024)
def check_wildcard_host(text: str) -> str | None:
    """Refuse what is neither a host name nor one with a '*' at one of its ends."""
    if "*" not in text:
        return check_sni(text)
    if text.count("*") > 1:
        return f"{text!r} has more than one '*'"
    if not (text.startswith("*") or text.endswith("*")):
        return f"the '*' of {text!r} must be its first or last character"
    return check_sni(text.replace("*", "wildcard")) and f"{text!r} is not a host name"


def check_route_host(text: str) -> str | None:
    """Refuse what no Host header can be matched with."""
    if text.count("*") > 1:
        return f"{text!r} has more than one '*'"
    if "*" in text and not (text.startswith("*.") or text.endswith(".*")):
        return f"the '*' of {text!r} must be the whole first or last label"
    problem = check_host_with_port(text.replace("*", "abc"))
    return problem and problem.replace("abc", "*") if "*" in text else problem


def check_upstream_name(text: str) -> str | None:
    """Refuse what is no plain host name."""
    parsed = _parsed(text)
    if isinstance(parsed, str):
        return parsed
    if parsed.type != "name":
        return f"{text!r} must be a name, not an IP address"
    return None if parsed.port is None else f"{text!r} must not have a port"


def _check_ip_or_cidr(text: str) -> str | None:
    return None if is_ip_or_cidr(text) else f"{text!r} is neither an IP address nor a CIDR range"


def _check_origin(text: str) -> str | None:
    problem = None if text == "*" else regex_problem(text, compat=False)
    return problem and f"the regular expression {text!r} {problem}"


def _check_tag(text: str) -> str | None:
    return None if _TAG.fullmatch(text) else f"the tag {text!r} has a ',', '/' or control character"


def _accept(_text: str) -> None:
    return None


def _check_route_header(text: str) -> str | None:
    if text.lower() == "host":
        return "the Host header is matched by the field hosts"
    return _check_header_name(text)


_check_header_name = _matches(_HEADER_NAME, "a header name (letters, digits, '-' and '_')")


def checks_for(router_flavor: str) -> Mapping[str, Check]:
    """Return every check by name; some are stricter in some router flavors."""
    traditional = router_flavor == "traditional"

    def check_route_path(text: str) -> str | None:
        return route_path_problem(text, compat=not traditional)

    return {
        "cookie_name": _matches(_TOKEN, "a cookie name"),
        "header_name": _check_header_name,
        "header_names": _check_header_name,
        "host": check_host,
        "host_with_port": check_host_with_port,
        "ip_or_cidr": _check_ip_or_cidr,
        "method": _matches(_METHOD, "an HTTP method in capital letters"),
        "origin": _check_origin,
        "name": _matches(_NAME, "made of letters, digits, '.', '-', '_' and '~' only"),
        "path": path_problem,
        "pem": _accept,
        "route_host": check_route_host,
        "route_headers": _check_route_header,
        "route_path": check_route_path,
        "route_sni": check_sni if traditional else check_wildcard_host,
        "simple_word": _matches(_HEADER_NAME, "made of letters, digits, '-' and '_' only"),
        "sni": check_sni,
        "tag": _check_tag,
        "target": check_host_with_port,
        "upstream_name": check_upstream_name,
        "url": _accept,
        "uuid": lambda text: None if is_uuid(text) else f"{text!r} is not a UUID",
        "wildcard_host": check_wildcard_host,
    }
