"""The body of an error, in each format: Kong's own text, or that of an `error_template_*`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.model.nginx import Map
from compiler.model.words import DOLLAR, Expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.answers import ErrorTexts

CONTENT_TYPES = {
    "json": "application/json; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "plain": "text/plain; charset=utf-8",
    "xml": "application/xml; charset=utf-8",
}

_KONGS = {
    "json": '{\n  "message":"%s"[,\n  "request_id":"%s"]\n}',
    "html": (
        '<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n'
        "  </head>\n  <body>\n    <h1>Error</h1>\n    <p>%s.</p>\n"
        "[    <p>request_id: %s</p>\n]  </body>\n</html>\n"
    ),
    "plain": "%s\n[request_id: %s\n]",
    "xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>%s</message>\n'
        "[  <requestid>%s</requestid>\n]</error>\n"
    ),
}
"""Kong's texts; what is in brackets names the request."""

_PLACEHOLDER = re.compile("(%[s%])")
_VALUES = ("$error_message", "$request_id")
_ESCAPED = frozenset("\"'\\\n\r\t")
_ROOM = 3500
"""Bytes of one word, spelt: nginx reads at most 4095, and the directive needs some."""


@dataclass(frozen=True, slots=True)
class ErrorText:
    """A body, and the maps that hold its parts where nginx could not read it as one word."""

    body: Expression
    maps: tuple[Map, ...] = ()


def error_text(name: str, errors: ErrorTexts) -> ErrorText:
    """Return the text for the format *name*."""
    template = errors.templates.get(name)
    if template is None:
        template = re.sub(r"\[([^]]*)\]", r"\1" if errors.names_request else "", _KONGS[name])
    words = list(_words(_pieces(template)))
    if len(words) == 1:
        return ErrorText(words[0])
    return ErrorText(
        Expression("".join(f"${_part(name, index)}" for index in range(len(words)))),
        tuple(
            Map(
                why=f"error_template_{name}" if index == 0 else "continued",
                source=Expression("$status"),
                variable=f"${_part(name, index)}",
                default=word,
                entries=(),
            )
            for index, word in enumerate(words)
        ),
    )


def text_words(text: str) -> tuple[Expression, ...]:
    """Return a user's text as words that nginx can read."""
    return tuple(_words(DOLLAR if character == "$" else character for character in text))


def uses_dollar(errors: ErrorTexts) -> bool:
    """Tell whether a user's text holds a `$`."""
    return any("$" in template for template in errors.templates.values())


def _part(name: str, index: int) -> str:
    return f"error_{name}_{index + 1}"


def _pieces(template: str) -> Iterator[str]:
    """Yield what may stand in different words: single characters, and values as variables."""
    values = iter(_VALUES)
    for text in _PLACEHOLDER.split(template):
        if text == "%s":
            # In braces: what follows could go on with its name.
            yield f"${{{next(values).removeprefix('$')}}}"
        elif text == "%%":
            yield "%"
        else:
            yield from (DOLLAR if character == "$" else character for character in text)


def _words(pieces: Iterable[str]) -> Iterator[Expression]:
    """Join *pieces* to words that are short enough for nginx."""
    word, length = "", 0
    for piece in pieces:
        size = len(piece.encode("utf-8", "surrogateescape")) + (piece in _ESCAPED)
        if length + size > _ROOM:
            yield Expression(word)
            word, length = "", 0
        word += piece
        length += size
    yield Expression(word)
