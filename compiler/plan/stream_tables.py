"""Rules in order to tables that are looked up: the same answers, decided beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, product
from typing import TYPE_CHECKING

from compiler.model.stream import OTHER, StreamRow, StreamTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from compiler.model.entities import Route
    from compiler.model.stream import StreamAnswer
    from compiler.plan.stream_rules import End, Network, StreamRule

ROW_LIMIT = 50_000
"""Rows of one listener; beyond it the combinations of conditions, not the routes, are too many."""


class TooManyRowsError(Exception):
    """Rules whose conditions cross in more ways than can be written out."""


Key = tuple[str, str, str, str, str]


def make_tables(
    rules: Sequence[StreamRule], answer: Callable[[Route], StreamAnswer]
) -> tuple[StreamTable, ...]:
    """Return tables for *rules* (none of which takes all), to be looked up one after another.

    Rules that follow one another and ask about the same things share a table. Raises
    TooManyRowsError.
    """
    tables = []
    for _, group in groupby(rules, key=_asks):
        members = list(group)
        classes = _Classes(members)
        rows: dict[Key, StreamRow] = {}
        for rule in members:
            taken = answer(rule.route)
            for key in classes.keys(rule):
                if key not in rows:
                    rows[key] = _row(key, taken)
                if len(rows) > ROW_LIMIT:
                    raise TooManyRowsError
        tables.append(classes.table(rows))
    return tuple(tables)


def _asks(rule: StreamRule) -> tuple[bool, ...]:
    """Return which things a rule asks about."""
    return (
        rule.names is not None,
        any(end.network is not None for end in rule.sources or ()),
        any(end.port is not None for end in rule.sources or ()),
        rule.destinations is not None,
    )


def _row(key: Key, answer: StreamAnswer) -> StreamRow:
    name, prefix, source, source_port, destination = key
    return StreamRow(
        name=name, prefix=prefix, source=source, source_port=source_port,
        destination=destination, answer=answer,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Networks:
    """The networks of some rules; the class of an address is the smallest that holds it."""

    listed: tuple[Network, ...]

    @classmethod
    def of(cls, networks: Iterable[Network]) -> _Networks:
        return cls(tuple(sorted(set(networks), key=lambda n: (n.version, n))))

    def within(self, wanted: Network | None) -> list[str]:
        """Return the classes whose addresses are all in *wanted* (None: everywhere)."""
        if wanted is None:
            return [OTHER, *map(str, self.listed)]
        return [
            str(n)
            for n in self.listed
            if n.version == wanted.version and n.subnet_of(wanted)  # type: ignore[arg-type]
        ]


class _Classes:
    """The classes that some rules tell apart, in each dimension."""

    def __init__(self, rules: Sequence[StreamRule]) -> None:
        names = {name for rule in rules for name in rule.names or ()}
        self._prefixes = sorted(name for name in names if name.endswith("*"))
        self._names = sorted(names - set(self._prefixes))
        ends = [end for rule in rules for end in rule.sources or ()]
        self._sources = _Networks.of(e.network for e in ends if e.network is not None)
        self._ports = sorted({e.port for e in ends if e.port is not None})
        self._destinations = _Networks.of(n for rule in rules for n in rule.destinations or ())

    def table(self, rows: dict[Key, StreamRow]) -> StreamTable:
        """Return the table of *rows*."""
        return StreamTable(
            names=tuple(self._names),
            prefixes=tuple(self._prefixes),
            sources=tuple(map(str, self._sources.listed)),
            source_ports=tuple(map(str, self._ports)),
            destinations=tuple(map(str, self._destinations.listed)),
            rows=tuple(rows[key] for key in sorted(rows)),
        )

    def keys(self, rule: StreamRule) -> Iterator[Key]:
        """Yield the combinations of classes that a rule takes."""
        for names, source, destination in product(
            self._name_keys(rule.names),
            self._source_keys(rule.sources),
            self._destination_keys(rule.destinations),
        ):
            yield (*names, *source, destination)

    def _name_keys(self, wanted: tuple[str, ...] | None) -> list[tuple[str, str]]:
        if wanted is None:
            return [(OTHER, OTHER)]
        found = []
        for name in (*self._taken(wanted), OTHER):
            if name == OTHER or name.startswith("*"):
                prefixes = [OTHER, *self._prefixes]
            else:
                prefixes = [self._prefix_of(name)]
            found += [(name, p) for p in prefixes if _takes(wanted, name) or _takes(wanted, p)]
        return found

    def _taken(self, wanted: tuple[str, ...]) -> list[str]:
        """Return the listed names to look at; all where a wildcard may take any of them."""
        if self._prefixes or any("*" in name for name in wanted):
            return self._names
        return list(wanted)

    def _prefix_of(self, name: str) -> str:
        held = [p for p in self._prefixes if name.startswith(p[:-1])]
        return max(held, key=len, default=OTHER)

    def _source_keys(self, wanted: tuple[End, ...] | None) -> list[tuple[str, str]]:
        if wanted is None:
            return [(OTHER, OTHER)]
        ports = [OTHER, *map(str, self._ports)]
        keys: dict[tuple[str, str], None] = {}
        for end in wanted:
            chosen = ports if end.port is None else [str(end.port)]
            keys.update(dict.fromkeys(product(self._sources.within(end.network), chosen)))
        return list(keys)

    def _destination_keys(self, wanted: tuple[Network, ...] | None) -> list[str]:
        if wanted is None:
            return [OTHER]
        return list(dict.fromkeys(c for n in wanted for c in self._destinations.within(n)))


def _takes(patterns: tuple[str, ...], name: str) -> bool:
    """Tell whether any of *patterns* takes all names that *name* stands for."""
    if name == OTHER:
        return False
    if name in patterns:
        return True
    bare = name.strip("*")
    return any(
        (p.startswith("*") and bare.endswith(p[1:]) and not name.endswith("*"))
        or (p.endswith("*") and bare.startswith(p[:-1]) and not name.startswith("*"))
        for p in patterns
    )
