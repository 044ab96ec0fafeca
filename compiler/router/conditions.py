"""A conjunction of conditions on a request, and how conjunctions are combined."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from compiler.router.patterns import HostPattern, PeerPattern, SniPattern

if TYPE_CHECKING:
    from compiler.router.patterns import HeaderCondition

NameT = TypeVar("NameT", HostPattern, SniPattern)


class UndecidedError(ValueError):
    """Two conditions cannot be made one; the message names them."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an alternative of an expression asks for; None is anything."""

    schemes: frozenset[str] | None = None
    methods: frozenset[str] | None = None
    hosts: tuple[HostPattern, ...] | None = None
    snis: tuple[SniPattern, ...] | None = None
    path: str | None = None
    regex: str | None = None
    headers: tuple[HeaderCondition, ...] = ()
    sources: tuple[PeerPattern, ...] | None = None
    destinations: tuple[PeerPattern, ...] | None = None

    @property
    def has_path(self) -> bool:
        """Whether the path has to match something."""
        return self.path is not None or self.regex is not None


def both(left: Conditions, right: Conditions) -> Conditions | None:
    """Return what asks for *left* and *right*; None if nothing can be both."""
    path, regex = _both_paths(left, right)
    found = Conditions(
        _both_sets(left.schemes, right.schemes),
        _both_sets(left.methods, right.methods),
        _both_names(left.hosts, right.hosts),
        _both_names(left.snis, right.snis),
        path,
        regex,
        tuple(dict.fromkeys((*left.headers, *right.headers))),
        _both_peers(left.sources, right.sources),
        _both_peers(left.destinations, right.destinations),
    )
    is_empty = any(getattr(found, name) in (frozenset(), ()) for name in _LISTS)
    return None if is_empty else found


def merged(alternatives: list[Conditions]) -> list[Conditions]:
    """Return *alternatives* with neighbours made one that differ in one list only."""
    out: list[Conditions] = []
    for conditions in alternatives:
        one = _either(out[-1], conditions) if out else None
        if one is None:
            out.append(conditions)
        else:
            out[-1] = one
    return out


_LISTS = ("schemes", "methods", "hosts", "snis", "sources", "destinations")


def _either(left: Conditions, right: Conditions) -> Conditions | None:
    different = [f.name for f in fields(left) if getattr(left, f.name) != getattr(right, f.name)]
    if not different:
        return left
    name = different[0]
    if len(different) > 1 or name not in _LISTS:
        return None
    first, second = getattr(left, name), getattr(right, name)
    if first is None or second is None:
        return None
    is_set = isinstance(first, frozenset)
    either: Any = first | second if is_set else tuple(dict.fromkeys((*first, *second)))
    return replace(left, **{name: either})


def _both_sets(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _both_names(
    left: tuple[NameT, ...] | None, right: tuple[NameT, ...] | None
) -> tuple[NameT, ...] | None:
    if left is None or right is None:
        return right if left is None else left
    pairs = (_narrower(a, b) for a in left for b in right)
    return tuple(dict.fromkeys(pattern for pattern in pairs if pattern is not None))


def _narrower(left: NameT, right: NameT) -> NameT | None:
    """Return what matches whatever both match; None if nothing does."""
    if left.kind == right.kind == "exact":
        return left if left.text == right.text else None
    for narrow, wide in ((left, right), (right, left)):
        if narrow.kind in {"exact", wide.kind} and _covers(wide, narrow.text):
            return narrow
    if "exact" in {left.kind, right.kind} or left.kind == right.kind:
        return None
    raise UndecidedError("a name with both a beginning and an end")


def _covers(pattern: HostPattern | SniPattern, text: str) -> bool:
    if pattern.kind == "prefix":
        return text.startswith(pattern.text)
    return pattern.kind == "suffix" and text.endswith(pattern.text)


def _both_paths(left: Conditions, right: Conditions) -> tuple[str | None, str | None]:
    if not left.has_path or not right.has_path:
        found = left if left.has_path else right
        return found.path, found.regex
    if (left.path, left.regex) == (right.path, right.regex):
        return left.path, left.regex
    raise UndecidedError("two conditions on the path")


def _both_peers(
    left: tuple[PeerPattern, ...] | None, right: tuple[PeerPattern, ...] | None
) -> tuple[PeerPattern, ...] | None:
    if left is None or right is None:
        return right if left is None else left
    pairs = (_common(a, b) for a in left for b in right)
    return tuple(dict.fromkeys(peer for peer in pairs if peer is not None))


def _common(left: PeerPattern, right: PeerPattern) -> PeerPattern | None:
    if None not in {left.port, right.port} and left.port != right.port:
        return None
    port = right.port if left.port is None else left.port
    one, other = left.network, right.network
    if one is None or other is None:
        return PeerPattern(other if one is None else one, port)
    if one.version != other.version or not one.overlaps(other):
        return None
    return PeerPattern(max(one, other, key=lambda network: network.prefixlen), port)
