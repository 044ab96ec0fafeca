"""What nginx makes of the path of a request: refused, or what its maps say of it.

The maps of `conf/paths.conf` are asked themselves, so that what is said here cannot differ from
what is served.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from compiler.lower.paths import ENCODED_PATH, KONG_PATH, REFUSED, lower_path_maps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.nginx import Map
    from compiler.model.plan import Plan

BROKEN_ESCAPE = "the path has a percent sign that begins no escape"
NUL = "the path has an escape of a zero byte"
ABOVE_ROOT = "the path leads above the root"
NO_NORMAL_FORM = (
    "the path has an escape of a reserved character, and its normal form would take more than maps"
    " can do"
)

_TOKEN = re.compile(rb"%([0-9A-Fa-f]{2})|.", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class PathRefusedError(ValueError):
    """nginx answers 400 to the path; the message says why."""


def is_passed_on_as_sent(target: str, plan: Plan | None) -> bool:
    """Tell whether the path of a request target reaches the upstream undecoded.

    Without a plan there are no maps, and nothing is.

    :raises PathRefusedError: if nginx refuses the path
    """
    raw = target.encode("utf-8", "surrogateescape")
    uri = decoded(re.split(rb"[?#]", raw, maxsplit=1)[0])
    if plan is None:
        return False
    maps = _Maps(lower_path_maps(plan), {"uri": uri, "request_uri": raw})
    if maps.value(KONG_PATH) == REFUSED.encode():
        raise PathRefusedError(NO_NORMAL_FORM)
    return maps.value(ENCODED_PATH) != b""


def decoded(path: bytes) -> bytes:
    """Return nginx's `$uri`: all escapes decoded, single slashes, and no dot segments.

    :raises PathRefusedError: if nginx refuses the path
    """
    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise PathRefusedError(BROKEN_ESCAPE)
    plain = _TOKEN.sub(lambda m: m[0] if m[1] is None else bytes([int(m[1], 16)]), path)
    if b"\0" in plain:
        raise PathRefusedError(NUL)
    kept: list[bytes] = []
    *segments, last = plain.split(b"/")[1:]
    for segment in (*segments, last):
        if segment == b"..":
            if not kept:
                raise PathRefusedError(ABOVE_ROOT)
            kept.pop()
        elif segment not in {b"", b"."}:
            kept.append(segment)
    if last in {b"", b".", b".."}:
        kept.append(b"")
    return b"/" + b"/".join(kept)


class _Maps:
    """nginx's maps, evaluated for one request; *known* are variables that no map defines."""

    def __init__(self, maps: Iterable[Map], known: Mapping[str, bytes]) -> None:
        self._maps = {found.variable.removeprefix("$"): found for found in maps}
        self._known = dict(known)

    def value(self, expression: str) -> bytes:
        """Return what an expression stands for."""
        out, end = b"", 0
        for found in _VARIABLE.finditer(expression):
            out += expression[end : found.start()].encode() + self._variable(found[1] or found[2])
            end = found.end()
        return out + expression[end:].encode()

    def _variable(self, name: str) -> bytes:
        if name in self._maps and name not in self._known:
            self._known[name] = self._of_map(self._maps[name])
        # What no expression has captured is empty.
        return self._known.get(name, b"")

    def _of_map(self, found: Map) -> bytes:
        source = self.value(found.source)
        for key, value in found.entries:
            captured = _captured(str(key), source)
            if captured is not None:
                # What an expression captures are variables from then on.
                self._known |= captured
                return self.value(str(value))
        return self.value(str(found.default))


def _captured(key: str, source: bytes) -> dict[str, bytes] | None:
    """Return what a map's key captures of *source*; None where it does not match."""
    if not key.startswith("~"):
        return {} if source.lower() == key.lower().encode() else None
    found = _compiled(key).search(source)
    return None if found is None else found.groupdict(b"")


@lru_cache(maxsize=256)
def _compiled(key: str) -> re.Pattern[bytes]:
    """Return a map's regular expression, of bytes as in nginx."""
    ignores_case = key.startswith("~*")
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", key.removeprefix("~").removeprefix("*"))
    return re.compile(pattern.encode(), re.IGNORECASE if ignores_case else 0)
