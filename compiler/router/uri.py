"""Paths as Kong compares them, and as it sends them to an upstream."""

from __future__ import annotations

import re

from compiler.model.uri_path import normalize_path

_UNSAFE = re.compile(rb"[^!#$&'()*+,/:;=?@\[\]A-Za-z0-9\-_.~%]")


def normalized_path(target: str) -> str:
    """Return the path of a request target in the form that routes are compared with."""
    # A question mark in front would be no query for Kong.
    query = target.find("?", 1)
    return normalize_path(target if query < 0 else target[:query])


def escape(path: str) -> str:
    """Return *path* as it is sent: what may not stand in a request line is percent-encoded."""
    raw = path.encode("utf-8", "surrogateescape")
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


def sent_target(upstream_uri: str, target: str) -> str:
    """Return the request target that an upstream gets: the query is passed on as it came."""
    query = target.find("?", 1)
    return escape(upstream_uri) + ("" if query < 0 else target[query:])


def sanitize_postfix(postfix: str) -> str:
    """Return what remains of a path after its prefix, without one dot segment in front."""
    if postfix in {".", ".."}:
        return ""
    for dots in ("./", "../"):
        if postfix.startswith(dots):
            return postfix.removeprefix(dots)
    return postfix


def join_v0(base: str, postfix: str, path: str, *, strip: bool) -> str:
    """Join as `path_handling` v0 does: with exactly one slash.

    *base* is the service's path, *path* the request's, *postfix* what remains of it.
    """
    if not strip:
        if base.endswith("/"):
            return base + path[1:]
        return base if path == "/" else base + path
    if postfix:
        return f"{base.removesuffix('/')}/{postfix.removeprefix('/')}"
    if base == "/":
        return base
    if base.endswith("/"):
        return base if path.endswith("/") else base.removesuffix("/")
    return base + "/" if len(path) > 1 and path.endswith("/") else base


def join_v1(base: str, postfix: str, path: str, *, strip: bool) -> str:
    """Join as `path_handling` v1 does: literally, though never with two slashes."""
    if not strip:
        return base + path[1:]
    if base.endswith("/") and postfix.startswith("/"):
        return base + postfix[1:]
    return base + postfix
