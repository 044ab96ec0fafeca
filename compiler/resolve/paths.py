"""Paths of routes and services: normal form, syntax, and what older format versions meant."""

from __future__ import annotations

import re

from compiler.model.uri_path import decode_escape, normalize_path
from compiler.resolve.regex_syntax import regex_problem

_REGEX_META = frozenset(b".^-{}\\|")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_RFC3986 = re.compile(r"/[0-9A-Za-z._~/%:@!$&'()*+,;=-]*")
_OLD_PLAIN = re.compile(r"[a-zA-Z0-9.\-_~/%]*")


def path_problem(text: str) -> str | None:
    """Return what is wrong with the path of a service, or None."""
    if not text.startswith("/"):
        return f"the path {text!r} must begin with '/'"
    if "//" in text:
        return f"the path {text!r} has an empty segment ('//')"
    if not _RFC3986.fullmatch(text):
        return f"the path {text!r} has characters that must be percent-encoded"
    return _escape_problem(text)


def route_path_problem(text: str, *, compat: bool) -> str | None:
    """Return what is wrong with a path of a route (``/…`` or ``~/…`` for a regex), or None."""
    if not text.startswith(("/", "~/")):
        return f"the path {text!r} must begin with '/', or '~/' for a regular expression"
    if "//" in text:
        return f"the path {text!r} has an empty segment ('//')"
    if text[0] == "~":
        problem = regex_problem(text[1:], compat=compat)
        return problem and f"the regular expression {text[1:]!r} {problem}"
    if "%" in text and _RFC3986.fullmatch(text):
        problem = _escape_problem(text)
        if problem:
            return problem
    normal = normalize_path(text)
    if normal != text:
        return f"the path {text!r} is not in normal form and would never match; write {normal!r}"
    return None


def migrate_path(text: str) -> str:
    """Return what the path *text* of format 1.1 or 2.1 is called in format 3.0.

    There, a path with any unusual character was a regular expression.
    """
    if _OLD_PLAIN.fullmatch(text):
        return normalize_path(text)
    raw = _ESCAPE.sub(_decode_in_regex, text.encode("utf-8", "surrogateescape"))
    return "~" + raw.decode("utf-8", "surrogateescape")


def _escape_problem(text: str) -> str | None:
    bad = _BAD_ESCAPE.search(text)
    return None if bad is None else f"the path {text!r} has a bad percent-encoding: {bad[0]!r}"


def _decode_in_regex(match: re.Match[bytes]) -> bytes:
    decoded = decode_escape(match)
    return b"\\" + decoded if len(decoded) == 1 and decoded[0] in _REGEX_META else decoded
