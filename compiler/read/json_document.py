"""JSON text to nodes with positions, in one pass over its tokens."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from compiler.catalog import document_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.document import MappingNode, SequenceNode
from compiler.model.place import Place
from compiler.read.yaml_document import MAX_DEPTH, UNREADABLE, paused_collector

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report, Rule
    from compiler.model.document import Position

# Group 1: a string's inside; 2: punctuation; 3: a number; 4: a word. Anything else is an error.
_TOKEN = re.compile(
    r'[ \t\r\n]*(?:"([^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*)"|([][{},:])'
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z_.])"
    r"|(true|false|null)(?![0-9A-Za-z_]))"
)
_SPACE = re.compile(r"[ \t\r\n]*")
_WORDS = {"true": True, "false": False, "null": None}
_MAX_DIGITS = 300
_HINT = "check commas, quotes and brackets at and before this place; JSON has no comments"

# What may come next.
_VALUE, _FIRST_ITEM, _FIRST_KEY, _KEY, _COLON, _NEXT, _END = range(7)


class _StopReadingError(Exception):
    """The document can't be read any further; what is wrong has been reported."""


def read_json(name: str, data: bytes, report: Report) -> Any:
    """Return the value in *data* with positions; `UNREADABLE` after an error."""
    try:
        text = _decode(data)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        place = Place(name, before.count("\n") + 1, len(before) - before.rfind("\n"))
        report.add(rules.DOCUMENT_ENCODING, place, language="JSON", problem=error.reason)
        return UNREADABLE
    try:
        with paused_collector():
            return _Reader(name, text, report).read()
    except _StopReadingError:
        return UNREADABLE


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


class _Reader:
    """Reads one value, without recursion. Lines are counted as the tokens pass."""

    def __init__(self, name: str, text: str, report: Report) -> None:
        self.name = name
        self.text = text
        self.report = report
        self.line = 1
        self.line_start = 0
        self.next_newline = text.find("\n")

    def position(self, offset: int) -> Position:
        """Return line and column of *offset*, which must not be before one asked for earlier."""
        while 0 <= self.next_newline < offset:
            self.line += 1
            self.line_start = self.next_newline + 1
            self.next_newline = self.text.find("\n", self.line_start)
        return self.line, offset - self.line_start + 1

    def read(self) -> Any:  # noqa: C901, PLR0912, PLR0915 - the hot loop
        """Read the text; one pass of the loop reads one token."""
        text, name = self.text, self.name
        next_token = _TOKEN.match
        stack: list[tuple[Any, str | None]] = []
        container: Any = None
        key: str | None = None
        keys: dict[str, str] = {}
        expected = _VALUE
        offset = 0
        while expected != _END:
            token = next_token(text, offset)
            if token is None:
                self._syntax(offset)
            group: int = token.lastindex  # type: ignore[assignment] # one group always matches
            begin = token.start(group)
            offset = token.end()
            value: Any
            if group == 1:
                value = token[1]
                begin -= 1
                if "\\" in value:
                    value = self._unescape(value, begin)
                if expected in {_KEY, _FIRST_KEY}:
                    key = keys.setdefault(value, value)
                    position = self.position(begin)
                    if key in container.keys_at:
                        self._duplicate(container, key, position)
                    container.keys_at[key] = position
                    expected = _COLON
                    continue
            elif group == 2:
                mark = token[2]
                if mark == ",":
                    if expected != _NEXT or container is None:
                        self._syntax(begin)
                    expected = _KEY if key is not None else _VALUE
                    continue
                if mark == ":":
                    if expected != _COLON:
                        self._syntax(begin)
                    expected = _VALUE
                    continue
                if mark in "{[":
                    if expected not in {_VALUE, _FIRST_ITEM}:
                        self._syntax(begin)
                    position = self.position(begin)
                    if len(stack) >= MAX_DEPTH:
                        self._stop(rules.DOCUMENT_TOO_DEEP, position, limit=MAX_DEPTH)
                    stack.append((container, key))
                    if mark == "{":
                        container, expected = MappingNode(name, position), _FIRST_KEY
                    else:
                        container, key, expected = SequenceNode(name, position), None, _FIRST_ITEM
                    continue
                closes = type(container) is (MappingNode if mark == "}" else SequenceNode)
                if not closes or expected not in {_NEXT, _FIRST_KEY, _FIRST_ITEM}:
                    self._syntax(begin)
                value = container
                container, key = stack.pop()
                expected = _VALUE
            elif group == 3:
                value = self._number(token[3], begin)
            else:
                value = _WORDS[token[4]]
            if expected not in {_VALUE, _FIRST_ITEM}:
                self._syntax(begin)
            if container is None:
                expected = _END
            elif key is not None:
                container[key] = value
                expected = _NEXT
            else:
                container.append(value)
                at = getattr(value, "position", None)
                container.items_at.append(at or self.position(begin))
                expected = _NEXT
        self._expect_end(offset)
        return value

    def _expect_end(self, offset: int) -> None:
        rest = _SPACE.match(self.text, offset)
        if rest is not None and rest.end() != len(self.text):
            self._syntax(rest.end(), "there is more text after the end of the value")

    def _number(self, text: str, begin: int) -> int | float:
        if len(text) > _MAX_DIGITS:
            self._syntax(begin, "the number has too many digits")
        return int(text) if text.lstrip("-").isdigit() else float(text)

    def _unescape(self, inside: str, begin: int) -> str:
        try:
            value: str = json.loads(f'"{inside}"')
        except ValueError:
            self._syntax(begin, "the string has a bad escape sequence")
        return value

    def _duplicate(self, mapping: MappingNode, key: str, position: Position) -> None:
        self.report.add(
            rules.DUPLICATE_KEY,
            Place(self.name, *position),
            related=[Related("first written here", mapping.place(key))],
            key=key,
        )

    def _syntax(self, offset: int, problem: str | None = None) -> NoReturn:
        blank = _SPACE.match(self.text, offset)
        offset = offset if blank is None else blank.end()
        at_end = offset >= len(self.text)
        found = "the file ends too early" if at_end else f"unexpected {self.text[offset]!r}"
        self._stop(
            rules.DOCUMENT_SYNTAX,
            self.position(offset),
            language="JSON",
            problem=problem or found,
            hint=_HINT,
        )

    def _stop(self, rule: Rule, position: Position, **fields: Any) -> NoReturn:
        self.report.add(rule, Place(self.name, *position), **fields)
        raise _StopReadingError
