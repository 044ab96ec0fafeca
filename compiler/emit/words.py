"""How words are spelt. Quoting happens here or nowhere."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from compiler.emit.marks import KEPT, START
from compiler.model.words import Code, Expression, Literal, Raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from compiler.emit.marks import Marker
    from compiler.model.nginx import Map, Simple, Source

_IS_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~*^|?&!<>$()\[\]-]+\Z").match
_NAME = re.compile(r"\$?[a-z0-9_]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_READ_AS_ESCAPE = re.compile(r"""\\(?=[\\"'trn\t\r\n]|\Z)""")
_LONGEST_COMMENT = 900
_NAMED = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Spelt(str):
    """Text that is nginx configuration already: what the functions here return."""

    __slots__ = ()


def quote(text: str) -> str:
    """Write *text* so that nginx reads back exactly *text*, whatever it holds.

    A backslash is doubled only where nginx would read an escape, so that regular expressions
    stay readable. Raises ValueError for a NUL, which nginx cannot hold; stages above refuse it.
    """
    if _IS_BARE(text):
        return text
    if "\0" in text:
        raise ValueError("a NUL byte cannot be written")
    mark = "'" if '"' in text and "'" not in text else '"'
    escaped = _READ_AS_ESCAPE.sub(r"\\\\", text).replace(mark, f"\\{mark}")
    return f"{mark}{escaped.translate(_NAMED)}{mark}"


def _spell_raw(text: str) -> str:
    return str(text).replace(START, KEPT)


def _spell_code(text: str) -> str:
    return f"{{ {text} }}"


def _spell_switch(value: object) -> str:
    return "on" if value else "off"


# By exact type: a literal, an expression and raw text may be equal as text and are spelt apart.
_QUOTED = frozenset({Literal, Expression})
_SPELLINGS: dict[type, Callable[..., str]] = {
    Raw: _spell_raw,
    Code: _spell_code,
    int: str,
    bool: _spell_switch,
}


def _spell(value: Any) -> str:
    kind = type(value)
    if kind in _QUOTED:
        # What needs no quotes holds no mark either.
        return value if _IS_BARE(value) else quote(value).replace(START, KEPT)
    try:
        return _SPELLINGS[kind](value)
    except KeyError:
        raise TypeError(f"a template printed {kind.__name__}, which is no word") from None


def word(value: object) -> str:
    """Spell one value of a block; Jinja calls it for everything that a template prints.

    Raises TypeError for plain text: what a text means decides how it is spelt.
    """
    return value if type(value) is Spelt else _spell(value)


def words(values: Iterable[object]) -> Spelt:
    """Spell several values with blanks between them."""
    return Spelt(" ".join([_spell(value) for value in values]))


class Lines:
    """Spells simple directives; those that many blocks share are spelt once."""

    def __init__(self) -> None:
        # By identity: tuples that are equal as text may be spelt apart. Keeping the tuple keeps
        # its identity from being given to another.
        self._spelt: dict[tuple[int, int], tuple[object, Spelt]] = {}

    def __call__(self, directives: tuple[Simple, ...], indent: int) -> Spelt:
        """Spell *directives*, one on each line, with blanks in front."""
        key = (id(directives), indent)
        found = self._spelt.get(key)
        if found is None:
            margin = " " * indent
            text = "".join(
                [
                    f"{margin}{' '.join([_checked(d.name), *map(_spell, d.args)])}{_end(d)}\n"
                    for d in directives
                ]
            )
            found = self._spelt[key] = (directives, Spelt(text))
        return found[1]


def _end(directive: Simple) -> str:
    """Return what ends a directive: code stands in braces, which end it themselves."""
    return "" if directive.args and type(directive.args[-1]) is Code else ";"


_PARAMETERS = frozenset({"default", "hostnames", "include", "volatile"})
"""What stands for something else than a value in a `map`, unless a backslash is in front."""


def _key(key: object) -> str:
    return f"\\{key}" if key in _PARAMETERS else _spell(key)


def rows(found: Map, marker: Marker) -> Spelt:
    """Spell the entries of a `map`, one on each line, each marked with its source."""
    sources = found.sources or (None,) * len(found.entries)
    return Spelt(
        "".join(
            [
                f"    {marker.begin(source)}{_key(key)} {_spell(value)};{marker.end(source)}\n"
                for (key, value), source in zip(found.entries, sources, strict=True)
            ]
        )
    )


def comment(text: str) -> Spelt:
    """Spell a comment: nothing in it can end its line, and nginx can read it.

    nginx wants a comment to fit into its buffer of 4096 bytes as if it were a word.
    """
    if len(text) > _LONGEST_COMMENT:
        text = f"{text[:_LONGEST_COMMENT]}…"
    return Spelt(_CONTROL.sub("?", text))


@cache
def _checked(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name")
    return text


def name(text: str) -> Spelt:
    """Spell the name of a directive or a variable, which only the compiler chooses."""
    return Spelt(_checked(text))


def block(text: str) -> Spelt:
    """Print what a macro returned as it is: its words were spelt when the macro printed them."""
    return Spelt(text)


def begin(source: Source | None, marker: Marker) -> Spelt:
    """Print the mark of where the lines of *source* begin."""
    return Spelt(marker.begin(source))


def end(source: Source | None, marker: Marker) -> Spelt:
    """Print the mark of where they end."""
    return Spelt(marker.end(source))
