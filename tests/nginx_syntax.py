"""nginx's own syntax, read back: an oracle that shares nothing with the code that writes it.

Follows `ngx_conf_read_token`: words are separated by blanks, may stand in quotes, a backslash
escapes quotes, a backslash, and the letters t, r, n; `${` begins a variable, not a block. A block
of Lua is one word more; what the compiler writes there has no braces.
"""

from __future__ import annotations

from dataclasses import dataclass

BLANK = " \t\r\n"
ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
MAX_WORD = 4095


class SyntaxProblem(Exception):  # noqa: N818
    """The text is not what nginx can read."""


@dataclass(frozen=True)
class Directive:
    """A directive: its name, its arguments, and what stands in its block (None: no block)."""

    name: str
    args: tuple[str, ...]
    block: tuple[Directive, ...] | None = None


def parse(text: str) -> tuple[Directive, ...]:
    """Return the directives of *text*."""
    found, position = _block(text, 0, nested=False)
    assert position == len(text)
    return found


def shape(directives: tuple[Directive, ...]) -> tuple[object, ...]:
    """Return names, numbers of arguments and nesting: what no user's text may change."""
    return tuple(
        (d.name, len(d.args), None if d.block is None else shape(d.block)) for d in directives
    )


def _block(text: str, position: int, *, nested: bool) -> tuple[tuple[Directive, ...], int]:
    found: list[Directive] = []
    while True:
        words, end, position = _statement(text, position)
        if end == ";":
            found.append(_directive(words, None))
        elif end == "{" and words and words[0].endswith("_by_lua_block"):
            end_of_code = text.index("}", position)
            found.append(_directive([*words, text[position:end_of_code].strip()], None))
            position = end_of_code + 1
        elif end == "{":
            inner, position = _block(text, position, nested=True)
            found.append(_directive(words, inner))
        elif words or (end == "}") != nested:
            raise SyntaxProblem(f"unexpected {end or 'end'} after {words}")
        else:
            return tuple(found), position


def _directive(words: list[str], block: tuple[Directive, ...] | None) -> Directive:
    if not words:
        raise SyntaxProblem("a directive without a name")
    return Directive(words[0], tuple(words[1:]), block)


def _statement(text: str, position: int) -> tuple[list[str], str, int]:
    """Return the words up to `;`, `{`, `}` or the end, that character, and where it ends."""
    words: list[str] = []
    while position < len(text):
        character = text[position]
        if character in BLANK:
            position += 1
        elif character == "#":
            position = text.find("\n", position) % (len(text) + 1)
        elif character in ";{}":
            return words, character, position + 1
        else:
            word, position = _word(text, position)
            words.append(word)
    return words, "", position


def _word(text: str, position: int) -> tuple[str, int]:
    quote = text[position] if text[position] in "\"'" else ""
    position += len(quote)
    found: list[str] = []
    while position < len(text):
        character = text[position]
        following = text[position + 1 : position + 2]
        if character == "\\":
            known = following in ESCAPES or following in "\"'\\"
            found.append(ESCAPES.get(following, following) if known else character + following)
            position += 2
        elif character == "$" and following == "{":
            found.append("${")
            position += 2
        elif quote and character == quote:
            return _checked(found), _after_quote(text, position + 1)
        elif not quote and character in BLANK + ";{":
            return _checked(found), position
        else:
            found.append(character)
            position += 1
    raise SyntaxProblem("the text ends within a word")


def _after_quote(text: str, position: int) -> int:
    if text[position : position + 1] not in (*BLANK, ";", "{", ")"):
        raise SyntaxProblem(f"no blank after a quoted word: {text[position : position + 20]!r}")
    return position


def _checked(characters: list[str]) -> str:
    word = "".join(characters)
    if "\0" in word or len(word.encode("utf-8", "surrogateescape")) > MAX_WORD:
        raise SyntaxProblem("a word that nginx cannot hold")
    return word
