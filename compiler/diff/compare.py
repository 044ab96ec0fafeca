"""All that differs between two configurations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.diff.changes import Change, risk
from compiler.diff.client_auth import client_auth_changes
from compiler.diff.entities import EntityDiff
from compiler.diff.lines import unified
from compiler.diff.masking import Masker
from compiler.diff.server_tls import server_tls_changes
from compiler.diff.settings import listener_changes, setting_changes
from compiler.diff.upstream_tls import upstream_tls_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from compiler.emit.tree import Tree
    from compiler.model.config import Config
    from compiler.model.inputs import Inputs

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what was resolved of it, and its tree where it compiles."""

    inputs: Inputs
    config: Config
    tree: Tree | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs; `lines` are those of a unified diff, None where a side has no tree."""

    changes: tuple[Change, ...]
    lines: tuple[str, ...] | None

    @property
    def added(self) -> int:
        """Return how many lines of configuration are new."""
        return sum(self._is(line, "+") for line in self.lines or ())

    @property
    def removed(self) -> int:
        """Return how many lines of configuration are gone."""
        return sum(self._is(line, "-") for line in self.lines or ())

    @staticmethod
    def _is(line: str, sign: str) -> bool:
        return line.startswith(sign) and not line.startswith(sign * 3 + " ")

    def __bool__(self) -> bool:
        return bool(self.changes or self.lines)


def compare(old: Side, new: Side) -> Difference:
    """Return what differs in meaning, what weakens first, then in the configuration files."""
    masker = Masker()
    entities = EntityDiff(old.config, new.config, masker)
    services = [(before.id, after.id) for before, after in entities.pairs["services"]]
    routes = [(before.id, after.id) for before, after in entities.pairs["routes"]]
    changes = [
        *entities.changes(),
        *upstream_tls_changes((old.config, old.inputs), (new.config, new.inputs), services),
        *server_tls_changes(old.config, new.config),
        *setting_changes(old.config.settings, new.config.settings, masker),
        *listener_changes(old.config.settings, new.config.settings),
        *_plain_http(old.config, new.config, routes),
        *client_auth_changes(
            (old.config, old.inputs.target), (new.config, new.inputs.target), entities
        ),
    ]
    lines = None
    if old.tree is not None and new.tree is not None:
        lines = tuple(_unified(_texts(old.tree), _texts(new.tree), entities.ids, masker))
    return Difference(changes=tuple(sorted(changes, key=Change.sort_key)), lines=lines)


def _plain_http(old: Config, new: Config, routes: Iterable[tuple[str, str]]) -> Iterator[Change]:
    """Yield routes that became, or no longer are, reachable without TLS."""
    for old_id, new_id in routes:
        before, after = old.entities.routes[old_id], new.entities.routes[new_id]
        was, is_now = (_reachable(c, r.protocols) for c, r in ((old, before), (new, after)))
        if was != is_now:
            yield Change(
                kind=f"route-plain-http-{'opened' if is_now else 'closed'}",
                risk=risk(weakens=is_now, strengthens=was),
                entity=after.ref,
                before=list(before.protocols),
                after=list(after.protocols),
                message=f"route {after.label}: {'now' if is_now else 'no longer'} "
                "reachable over plain HTTP",
            )


def _reachable(config: Config, protocols: Iterable[str]) -> bool:
    listeners = config.settings.listeners.get("proxy", ())
    return "http" in protocols and any(not listener.ssl for listener in listeners)


def _texts(tree: Tree) -> dict[str, str]:
    told = (".conf", ".json")
    return {path: f.data().decode() for path, f in tree.files.items() if path.endswith(told)}


def _unified(
    old: Mapping[str, str], new: Mapping[str, str], ids: Mapping[str, str], masker: Masker
) -> Iterator[str]:
    """Yield a unified diff of each file, nginx.conf first, in which only meaning differs."""
    for path in sorted(old.keys() | new.keys(), key=lambda path: (path != "nginx.conf", path)):
        before = old.get(path, "")
        after = _UUID.sub(lambda found: ids.get(found[0], found[0]), new.get(path, ""))
        if before == after:
            continue
        names = f"OLD/{path}", f"NEW/{path}"
        lines = unified(before.splitlines(), after.splitlines(), names)
        yield from masker.scrub("\n".join(lines)).split("\n")
