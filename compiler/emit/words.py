"""How words are spelt. The only module that makes markup: quoting happens here or nowhere."""

from __future__ import annotations

import re

from markupsafe import Markup

from compiler.model.words import Expression, Literal, Raw

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~*^|?&!<>$()\[\]-]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_READ_AS_ESCAPE = re.compile(r"""\\(?=[\\"'trn]|\Z)""")
_NAMED = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


def quote(text: str) -> str:
    """Write *text* so that nginx reads back exactly *text*, whatever it holds.

    A backslash is doubled only where nginx would read an escape, so that regular expressions
    stay readable. Raises ValueError for a NUL, which nginx cannot hold; stages above refuse it.
    """
    if _BARE.match(text):
        return text
    if "\0" in text:
        raise ValueError("a NUL byte cannot be written")
    mark = "'" if '"' in text and "'" not in text else '"'
    escaped = _READ_AS_ESCAPE.sub(r"\\\\", text).replace(mark, f"\\{mark}")
    return f"{mark}{escaped.translate(_NAMED)}{mark}"


def word(value: object) -> Markup:
    """Spell one value of a block; Jinja calls it for everything that a template prints.

    Raises TypeError for plain text: what a text means decides how it is spelt.
    """
    if isinstance(value, Markup):
        return value
    if isinstance(value, bool):
        return Markup("on" if value else "off")
    if isinstance(value, int):
        return Markup(str(value))
    if isinstance(value, Raw):
        return Markup(str(value))
    if isinstance(value, Literal | Expression):
        return Markup(quote(value))
    raise TypeError(f"a template printed {type(value).__name__}, which is no word")


def words(values: tuple[object, ...]) -> Markup:
    """Spell several values with blanks between them."""
    return Markup(" ".join([word(value) for value in values]))


def comment(text: str) -> Markup:
    """Spell a comment: nothing in it can end its line."""
    return Markup(_CONTROL.sub("?", text))


def name(text: str) -> Markup:
    """Spell the name of a directive or a variable, which only the compiler chooses."""
    if not re.fullmatch(r"\$?[a-z0-9_]+", text):
        raise ValueError(f"{text!r} is no name")
    return Markup(text)


def mark(text: str) -> Markup:
    """Print a mark or an indent, which only the templates' callers make, as it is."""
    return Markup(text)
