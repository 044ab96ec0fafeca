"""Which entity of one side is which of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from compiler.diff.records import Record

    Key = Callable[[Record], Hashable | None]


def match(
    old: Sequence[Record], new: Sequence[Record]
) -> tuple[list[tuple[Record, Record]], list[Record], list[Record]]:
    """Return the pairs, what only *old* has and what only *new* has.

    By name, then by id (ids that nobody wrote are made up), then by equal content, then by what
    hints at the same thing where the hint is unmistakable.
    """
    pairs: list[tuple[Record, Record]] = []
    left, right = list(old), list(new)
    for key, certain in _keys():
        found = list(_pairs(left, right, key, certain=certain))
        pairs += found
        taken = {id(record) for pair in found for record in pair}
        left = [record for record in left if id(record) not in taken]
        right = [record for record in right if id(record) not in taken]
    return pairs, left, right


def _keys() -> Iterator[tuple[Key, bool]]:
    yield _content, True
    yield _name, False
    yield _identifier, True
    for position in range(2):
        yield _anchor(position), False


def _content(record: Record) -> Hashable:
    return record.kind, repr(sorted((k, _token(v)) for k, v in record.fields.items()))


def _name(record: Record) -> Hashable | None:
    # Plugins share their names, and a target or credential is nothing without its owner.
    if record.kind == "plugins":
        return record.fields.get("instance_name")
    unique = {"services", "routes", "upstreams", "consumers", "consumer_groups", "snis"}
    return record.name if record.kind in unique else None


def _identifier(record: Record) -> Hashable | None:
    return (record.kind, record.id) if record.id else None


def _anchor(position: int) -> Key:
    def key(record: Record) -> Hashable | None:
        found = record.anchors[position] if position < len(record.anchors) else None
        return None if found is None else repr(_token(found))

    return key


def _token(value: object) -> object:
    """Return *value* with references by what they are compared by."""
    if isinstance(value, (list, tuple)):
        return [_token(item) for item in value]
    return ("link", token) if (token := getattr(value, "token", None)) else value


def _pairs(
    left: list[Record], right: list[Record], key: Key, *, certain: bool
) -> Iterator[tuple[Record, Record]]:
    """Yield records of equal keys; several of one key only where it is *certain*."""
    by_key: dict[Hashable, tuple[list[Record], list[Record]]] = {}
    for side, records in enumerate((left, right)):
        for record in records:
            value = key(record)
            if value is not None:
                by_key.setdefault(value, ([], []))[side].append(record)
    for olds, news in by_key.values():
        if certain or len(olds) == len(news) == 1:
            yield from zip(olds, news, strict=False)
