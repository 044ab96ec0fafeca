"""YAML text to nodes with positions, straight from the C parser's events."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml.reader import ReaderError

from compiler.catalog import document_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.document import MappingNode, SequenceNode
from compiler.model.place import Place
from compiler.read.regular_yaml import read_regular
from compiler.read.scalars import SPECIAL_STARTS, plain_scalar, tagged_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compiler.model.diagnostic import Report, Rule
    from compiler.model.document import Position

MAX_DEPTH = 100
"""How many levels of mappings and lists are read."""

MAX_NODES = 10_000_000
"""How many nodes a file may have, aliases counted as often as they stand for something."""

_HINTS = {
    "found character '\\t' that cannot start any token": "indent with spaces, not with tabs",
    "mapping values are not allowed in this context": (
        "put a value that contains ': ' in quotes, and check the indentation"
    ),
    "could not find expected ':'": "every key needs a ':' after it; check the indentation",
    "did not find expected key": "check the indentation of this line and those before it",
    "did not find expected '-' indicator": "items of one list begin at the same column",
    "found unexpected end of stream": "a quote or bracket is not closed",
}
_TOO_DEEP = "exceeded maximum nesting depth"
"""How libyaml says so: it looks ahead through brackets, and may get there before us."""

_DEFAULT_HINT = "check indentation, quotes and brackets at and before this line"


UNREADABLE: Any = object()
"""What the readers return after reporting an error that leaves nothing usable."""


class _StopReadingError(Exception):
    """The document can't be read any further; what is wrong has been reported."""


def read_yaml(name: str, data: bytes, report: Report) -> Any:
    """Return the only document in *data*: a node, a scalar, or None for an empty file.

    Reports syntax errors at their positions; after one that leaves nothing usable, `UNREADABLE`.
    """
    reader = _Reader(name, report)
    try:
        with paused_collector():
            regular = read_regular(name, data)
            if regular is not None and regular[1] <= MAX_NODES:
                return regular[0]
            return reader.read(yaml.CSafeLoader(data))
    except _StopReadingError:
        return UNREADABLE
    except ReaderError as error:
        place = _place_of_offset(name, data, error.position)
        report.add(rules.DOCUMENT_ENCODING, place, language="YAML", problem=error.reason)
    except yaml.MarkedYAMLError as error:
        _report_syntax(name, error, report)
    except yaml.YAMLError as error:
        problem = str(error)
        report.add(
            rules.DOCUMENT_SYNTAX, Place(name), language="YAML", problem=problem, hint=_DEFAULT_HINT
        )
    return UNREADABLE


@contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the cyclic collector away: it would walk the growing tree again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _report_syntax(name: str, error: yaml.MarkedYAMLError, report: Report) -> None:
    problem = error.problem or error.context or "it can't be parsed"
    mark = error.problem_mark or error.context_mark
    place = Place(name) if mark is None else Place(name, mark.line + 1, mark.column + 1)
    if problem == _TOO_DEEP:
        report.add(rules.DOCUMENT_TOO_DEEP, place, limit=MAX_DEPTH)
        return
    related = []
    if error.context and error.context_mark is not None:
        begin = error.context_mark
        where = Place(name, begin.line + 1, begin.column + 1)
        related.append(Related(error.context, where))
    report.add(
        rules.DOCUMENT_SYNTAX,
        place,
        related=related,
        language="YAML",
        problem=problem,
        hint=_HINTS.get(problem, _DEFAULT_HINT),
    )


def _place_of_offset(name: str, data: bytes, offset: int) -> Place:
    before = data[:offset]
    start = before.rfind(b"\n") + 1
    column = len(before[start:].decode("utf-8", "replace")) + 1
    return Place(name, before.count(b"\n") + 1, column)


class _Reader:
    """Builds one document from the parser's events, without recursion.

    The open collections are on `stack`; beside each, the key that waits for its value and
    the anchor it is known by. An alias puts the same node in a second place.
    """

    def __init__(self, name: str, report: Report) -> None:
        self.name = name
        self.report = report
        self.anchors: dict[str, Any] = {}
        self.sizes: dict[str, int] = {}
        self.open_anchors: set[str] = set()
        self.nodes = 0
        # Keys of a mapping that came by '<<': written ones may still replace them.
        self.merged: dict[int, set[str]] = {}

    def read(self, parser: Any) -> Any:
        next_event = parser.get_event
        next_event()  # the stream begins
        if isinstance(next_event(), yaml.StreamEndEvent):
            return None
        root = self._read_node(next_event)
        next_event()  # the document ends
        following = next_event()
        if not isinstance(following, yaml.StreamEndEvent):
            self._stop(rules.SEVERAL_DOCUMENTS, _position(following), {})
        return root

    def _read_node(self, next_event: Any) -> Any:  # noqa: C901, PLR0912, PLR0915 - the hot loop
        """Read events until the node that begins with the next one is complete."""
        name = self.name
        anchors = self.anchors
        scalar_event, mapping_start = yaml.ScalarEvent, yaml.MappingStartEvent
        sequence_start, alias_event = yaml.SequenceStartEvent, yaml.AliasEvent
        stack: list[tuple[Any, str | None, str | None, int]] = []
        container: Any = None
        in_mapping = False
        key: str | None = None
        anchor: str | None = None
        begun = 0
        strings: dict[str, str] = {}
        nodes = 0
        while True:
            event = next_event()
            kind = type(event)
            mark = event.start_mark
            if kind is scalar_event:
                nodes += 1
                value: Any = event.value
                if in_mapping and key is None:
                    position = (mark.line + 1, mark.column + 1)
                    key = strings.setdefault(value, value)
                    if key == "<<" and not event.style:
                        continue
                    if event.anchor:
                        anchors[event.anchor] = value
                        self.sizes[event.anchor] = 1
                    if key in container and not self._replaces_merged(container, key, position):
                        continue
                    container.keys_at[key] = position
                    continue
                if event.tag is not None:
                    value = self._tagged(event)
                elif not event.style and (not value or value[0] in SPECIAL_STARTS):
                    value = plain_scalar(value)
                if event.anchor:
                    anchors[event.anchor] = value
                    self.sizes[event.anchor] = 1
            elif kind is mapping_start or kind is sequence_start:
                nodes += 1
                position = (mark.line + 1, mark.column + 1)
                if in_mapping and key is None:
                    self._stop(rules.BAD_KEY, position, {"actual": "a mapping or list"})
                if len(stack) >= MAX_DEPTH:
                    self._stop(rules.DOCUMENT_TOO_DEEP, position, {"limit": MAX_DEPTH})
                if nodes + self.nodes > MAX_NODES:
                    self._stop_too_large(position)
                stack.append((container, key, anchor, begun))
                in_mapping = kind is mapping_start
                node = (MappingNode if in_mapping else SequenceNode)(name, position)
                anchor, begun = event.anchor, nodes + self.nodes
                if anchor:
                    self.open_anchors.add(anchor)
                    anchors.pop(anchor, None)
                container, key = node, None
                continue
            elif kind is alias_event:
                position = (mark.line + 1, mark.column + 1)
                value = self._aliased(event.anchor, position)
                if in_mapping and key is None:
                    if type(value) is not str:
                        self._stop(rules.BAD_KEY, position, {"actual": "an alias"})
                    if value in container:
                        self._replaces_merged(container, value, position)
                    container.keys_at[value] = position
                    key = value
                    continue
                nodes += 1
            else:  # the end of a mapping or list
                value = container
                if anchor:
                    self.open_anchors.discard(anchor)
                    self.sizes[anchor] = nodes + self.nodes - begun
                    anchors[anchor] = value
                container, key, anchor, begun = stack.pop()
                in_mapping = type(container) is MappingNode
            if container is None:
                self.nodes += nodes
                return value
            if in_mapping:
                if key == "<<" and "<<" not in container.keys_at:
                    self._merge(container, value, (mark.line + 1, mark.column + 1))
                else:
                    container[key] = value
                key = None
            else:
                container.append(value)
                position_of = getattr(value, "position", None) if kind is not alias_event else None
                container.items_at.append(position_of or (mark.line + 1, mark.column + 1))

    def _replaces_merged(self, mapping: MappingNode, key: str, position: Position) -> bool:
        """Tell whether *key* came by '<<'; report it as written twice otherwise."""
        merged = self.merged.get(id(mapping))
        if merged is not None and key in merged:
            merged.discard(key)
            return True
        self.report.add(
            rules.DUPLICATE_KEY,
            Place(self.name, *position),
            related=[Related("first written here", mapping.place(key))],
            key=key,
        )
        return False

    def _merge(self, mapping: MappingNode, value: Any, position: Position) -> None:
        sources = value if type(value) is SequenceNode else [value]
        merged = self.merged.setdefault(id(mapping), set())
        for source in sources:
            if type(source) is not MappingNode:
                self._stop(rules.BAD_MERGE, position, {"actual": "a scalar or list"})
            self.nodes += len(source)
            if self.nodes > MAX_NODES:
                self._stop_too_large(position)
            for key, item in source.items():
                if key not in mapping:
                    mapping[key] = item
                    mapping.keys_at[key] = source.keys_at[key]
                    merged.add(key)

    def _aliased(self, alias: str, position: Position) -> Any:
        if alias not in self.anchors:
            problem = (
                "stands inside the node it names"
                if alias in self.open_anchors
                else "has no anchor before it"
            )
            self._stop(rules.ALIAS_UNKNOWN, position, {"alias": alias, "problem": problem})
        self.nodes += self.sizes[alias]
        if self.nodes > MAX_NODES:
            self._stop_too_large(position)
        return self.anchors[alias]

    def _tagged(self, event: Any) -> Any:
        try:
            return tagged_scalar(event.tag, event.value)
        except ValueError as error:
            self.report.add(
                rules.DOCUMENT_SYNTAX,
                Place(self.name, *_position(event)),
                language="YAML",
                problem=str(error),
                hint="remove the tag, or write the value as the tag says",
            )
            return None

    def _stop_too_large(self, position: Position) -> NoReturn:
        problem = f"has more than {MAX_NODES} nodes, counting what aliases repeat"
        self._stop(rules.DOCUMENT_TOO_LARGE, position, {"problem": problem})

    def _stop(self, rule: Rule, position: Position, fields: Mapping[str, Any]) -> NoReturn:
        self.report.add(rule, Place(self.name, *position), **fields)
        raise _StopReadingError


def _position(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1
