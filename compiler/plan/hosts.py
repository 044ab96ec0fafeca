"""Which candidates a host's requests are matched against: exact names and wildcards together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from compiler.model.routing import HostKind
    from compiler.router.candidates import Candidate

EVERY_HOST = "*"
"""The key of the class that every request belongs to."""


@value()
class HostClass:
    """Hosts that match the same patterns, with the candidates that those patterns bring.

    `own` is sorted, best first. What else matches there belongs to `parent`, which the search
    goes on in.
    """

    key: str
    kind: HostKind
    patterns: tuple[str, ...]
    port: int | None
    own: tuple[Candidate, ...]
    parent: HostClass | None

    @property
    def inherited(self) -> tuple[Candidate, ...]:
        """Return the candidates of all parents that may win over some of its own, best first."""
        if not self.own:
            return ()
        least = self.own[-1].priority
        found: list[Candidate] = []
        above = self.parent
        while above is not None:
            for candidate in above.own:
                if candidate.priority < least:
                    break
                found.append(candidate)
            above = above.parent
        return tuple(found)


def host_classes(candidates: Iterable[Candidate]) -> list[HostClass]:
    """Return the classes of hosts in the order in which they are to be tried.

    *candidates* are sorted, best first. A request's host may match an exact name, several
    wildcards, and routes without hosts all at once. Each class holds the candidates of every
    pattern that is certain to match there, but for those that its parent holds too; where a
    prefix and a suffix wildcard can match the same host, a class of its own (`both-wildcards`)
    holds the candidates of both. Names of the form `host:port` make a class below that of the
    name.
    """
    index = _Index(candidates)
    every = HostClass(EVERY_HOST, "default", (), None, tuple(index.hostless), None)
    wildcards = _wildcard_classes(index, every)
    classes = [every]
    for host in sorted(index.exact):
        parent = wildcards.get(index.wildcards_of(host), every)
        own = index.exact[host].get(None, ())
        found = HostClass(host, "exact", (host,), None, _sorted(own), parent)
        classes += [found, *_with_ports(found, index, (host,))]
    for patterns, found in wildcards.items():
        classes += [found, *_with_ports(found, index, patterns)]
    return classes


def _wildcard_classes(index: _Index, every: HostClass) -> dict[tuple[str, ...], HostClass]:
    """Return the classes of wildcards by their patterns, in the order they are to be tried."""
    prefixes = sorted(index.prefix, key=lambda p: (-len(p), p))
    suffixes = sorted(index.suffix, key=lambda p: (-len(p), p))
    found: dict[tuple[str, ...], HostClass] = {}
    for patterns in [(p, s) for p in prefixes for s in suffixes]:
        found[patterns] = _wildcard_class(index, patterns, "both-wildcards", every)
    for pattern in prefixes:
        found[(pattern,)] = _wildcard_class(index, (pattern,), "prefix-wildcard", every)
    for pattern in suffixes:
        found[(pattern,)] = _wildcard_class(index, (pattern,), "suffix-wildcard", every)
    return found


def _wildcard_class(
    index: _Index, patterns: tuple[str, ...], kind: HostKind, every: HostClass
) -> HostClass:
    own = index.matching(patterns, None)
    return HostClass("&".join(patterns), kind, patterns, None, own, every)


def _with_ports(found: HostClass, index: _Index, patterns: tuple[str, ...]) -> Iterator[HostClass]:
    """Yield the classes of the same names with each port that a matching pattern names."""
    for port in index.ports(patterns):
        own = index.matching(patterns, port)
        key = f"{found.key}:{port}"
        yield HostClass(key, found.kind, found.patterns, port, own, found)


class _Index:
    """Candidates by host pattern and port."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.hostless: list[Candidate] = []
        self.exact: dict[str, dict[int | None, list[Candidate]]] = {}
        self.prefix: dict[str, dict[int | None, list[Candidate]]] = {}
        self.suffix: dict[str, dict[int | None, list[Candidate]]] = {}
        for candidate in candidates:
            if not candidate.hosts:
                self.hostless.append(candidate)
            for host in candidate.hosts:
                # Kong's words for patterns are kept: a prefix wildcard is `*.x`.
                if host.kind == "exact":
                    by_port = self.exact.setdefault(host.text, {})
                elif host.kind == "suffix":
                    by_port = self.prefix.setdefault(f"*{host.text}", {})
                else:
                    by_port = self.suffix.setdefault(f"{host.text}*", {})
                by_port.setdefault(host.port, []).append(candidate)

    def wildcards_of(self, host: str) -> tuple[str, ...]:
        """Return the longest prefix and the longest suffix wildcard that an exact host matches."""
        prefixes = _known(self.prefix, ("*" + tail for tail in _tails(host)))
        suffixes = _known(self.suffix, (head + "*" for head in reversed([*_heads(host)])))
        return (*prefixes[:1], *suffixes[:1])

    def matching(self, patterns: tuple[str, ...], port: int | None) -> tuple[Candidate, ...]:
        """Return what routes for *port* match where *patterns* do, best first."""
        groups = (by_port.get(port, ()) for by_port in self._tables(patterns))
        return _sorted(candidate for group in groups for candidate in group)

    def ports(self, patterns: tuple[str, ...]) -> list[int]:
        """Return the ports that patterns matching there name."""
        found = {port for by_port in self._tables(patterns) for port in by_port}
        return sorted(port for port in found if port is not None)

    def _tables(self, patterns: tuple[str, ...]) -> Iterator[Mapping[int | None, list[Candidate]]]:
        """Yield what is known of each pattern that is certain to match where *patterns* do."""
        for pattern in patterns:
            if pattern.startswith("*"):
                wider = _known(self.prefix, ("*" + tail for tail in _tails(pattern[1:])))
                yield from (self.prefix[name] for name in (pattern, *wider))
            elif pattern.endswith("*"):
                wider = _known(self.suffix, (head + "*" for head in _heads(pattern[:-1])))
                yield from (self.suffix[name] for name in dict.fromkeys((pattern, *wider)))
            else:
                yield self.exact[pattern]
                tails = _known(self.prefix, ("*" + tail for tail in _tails(pattern)))
                heads = _known(self.suffix, (head + "*" for head in _heads(pattern)))
                yield from (self.prefix[name] for name in tails)
                yield from (self.suffix[name] for name in heads)


def _sorted(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return candidates best first, each once."""
    found = {id(candidate): candidate for candidate in candidates}
    return tuple(sorted(found.values(), key=lambda c: c.priority, reverse=True))


def _known(table: Mapping[str, object], patterns: Iterable[str]) -> Sequence[str]:
    return [pattern for pattern in patterns if pattern in table] if table else ()


def _tails(host: str) -> Iterator[str]:
    """Yield `.b.c` and `.c` of `a.b.c`."""
    position = host.find(".", 1)
    while position != -1:
        yield host[position:]
        position = host.find(".", position + 1)


def _heads(host: str) -> Iterator[str]:
    """Yield `a.` and `a.b.` of `a.b.c`."""
    position = host.find(".")
    while position != -1:
        yield host[: position + 1]
        position = host.find(".", position + 1)
