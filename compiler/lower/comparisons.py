"""What conditions compare of a request, and the patterns that it has to match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.lower.paths import KONG_PATH
from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.lower.names import Names
    from compiler.model.nginx import Source
    from compiler.model.routing import Conditions, HeaderTest, NameTest

ANY = r"[^\n]*"
"""Whatever a compared value is: they stand on a line each."""

_SCHEME = "$scheme:$ssl_server_name"


class Comparisons:
    """Turns conditions into what is compared, and keeps the maps of what takes more than that."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._tests: dict[str, Map] = {}

    @property
    def maps(self) -> tuple[Map, ...]:
        """Return the maps by name."""
        return tuple(found for _, found in sorted(self._tests.items()))

    def fields(self, conditions: Conditions, route: Source) -> dict[str, str]:
        """Return what is compared for the *conditions* of *route*, and with which pattern."""
        return dict(self._fields(conditions, route))

    def _fields(self, conditions: Conditions, route: Source) -> Iterator[tuple[str, str]]:
        if conditions.methods:
            yield "$request_method", f"(?:{'|'.join(map(re.escape, conditions.methods))})"
        if conditions.names or conditions.schemes:
            yield _SCHEME, _scheme(conditions)
        for header in conditions.headers:
            if header.regexes:
                yield self._header_test(header, route), "1"
            else:
                yield f"$http_{header.name}", _listed(header)
        if conditions.path is not None:
            yield self._path_test(conditions.path, route), "1"

    def _header_test(self, header: HeaderTest, route: Source) -> str:
        tilde = "~" if header.exact_case else "~*"
        entries = [f"{tilde}{regex}" for regex in header.regexes]
        if header.values:
            entries.append(f"~^{_listed(header)}$")
        return self._test(f"header {header.name}", f"$http_{header.name}", tuple(entries), route)

    def _path_test(self, regex: str, route: Source) -> str:
        return self._test("the path", str(KONG_PATH), (f"~^{regex}",), route)

    def _test(self, what: str, source: str, entries: tuple[str, ...], route: Source) -> str:
        variable = self._names.of("$matches_", source, *entries)
        # Routes that ask for the same share it; the first stands for them.
        if variable not in self._tests:
            self._tests[variable] = Map(
                why=f"whether {what} matches a regular expression",
                source=Expression(source),
                variable=variable,
                default=Literal("0"),
                entries=tuple((Literal(entry), Literal("1")) for entry in entries),
                owner=route,
            )
        return variable


def all_kinds(conditions: Iterable[Conditions]) -> dict[str, None]:
    """Return what decides, in the order in which it is looked at."""
    return dict.fromkeys(word for c in conditions for word in _kinds(c))


def _kinds(conditions: Conditions) -> Iterator[str]:
    if conditions.methods:
        yield "method"
    if conditions.schemes:
        yield "scheme"
    if conditions.names:
        yield "server name"
    for header in conditions.headers:
        yield f"header {header.name}"
    if conditions.path is not None:
        yield "path"


def _scheme(conditions: Conditions) -> str:
    """Return a pattern for scheme and server name; without TLS no name is asked for."""
    ways = []
    if "http" in (conditions.schemes or ("http",)):
        ways.append(f"http:{ANY}")
    if "https" in (conditions.schemes or ("https",)):
        ways.append(f"https:{_names(conditions.names) if conditions.names else ANY}")
    return f"(?:{'|'.join(ways)})"


def _listed(header: HeaderTest) -> str:
    """Return a pattern for one of a header's values, alone or in a list.

    nginx (from 1.23) joins the values of a repeated header to one.
    """
    flag = "?" if header.exact_case else "?i"
    either = f"({flag}:{'|'.join(map(re.escape, header.values))})"
    if header.every:
        return f"{either}(?:, {either})*"
    return rf"(?:{ANY}, )?{either}(?:, {ANY})?"


def _names(names: tuple[NameTest, ...]) -> str:
    parts = []
    for name in names:
        text = re.escape(name.text)
        around = {"exact": text, "suffix": f"{ANY}{text}", "prefix": f"{text}{ANY}"}
        parts.append(around[name.kind])
    return f"(?i:{'|'.join(parts)})"
