"""What the tables of kong.conf properties are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import partial

Line = tuple[int, int]
"""A line of Kong versions, such as (3, 10)."""

FIRST_LINE: Line = (3, 4)
"""The oldest line that the tables know."""


class Kind(Enum):
    """How the text of a property becomes a value."""

    BOOLEAN = "on or off"
    SWITCH = "on or off, as nginx spells it"
    NUMBER = "a number"
    INTEGER = "a whole number"
    LIST = "a list, separated by commas"
    CHOICE = "one of a few words"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Property:
    """One property of kong.conf.

    `default` is spelt as in kong.conf, None where Kong has none; `changed` lists the defaults
    of later lines, oldest first. `until` is the first line without the property.
    `directives` are the `nginx_*` properties that take its value unless they are set;
    `stands_for` is the one property that it is another name of.
    """

    name: str
    kind: Kind
    default: str | None = None
    choices: tuple[str, ...] = ()
    sensitive: bool = False
    since: Line = FIRST_LINE
    until: Line | None = None
    changed: tuple[tuple[Line, str], ...] = field(default=())
    directives: tuple[str, ...] = ()
    stands_for: str | None = None

    def exists_in(self, line: Line) -> bool:
        """Tell whether Kong versions of *line* have the property."""
        return self.since <= line and (self.until is None or line < self.until)

    def default_in(self, line: Line) -> str | None:
        """Return the default of *line*, as kong.conf would spell it."""
        return next((text for since, text in reversed(self.changed) if since <= line), self.default)


boolean = partial(Property, kind=Kind.BOOLEAN)
switch = partial(Property, kind=Kind.SWITCH)
number = partial(Property, kind=Kind.NUMBER)
integer = partial(Property, kind=Kind.INTEGER)
items = partial(Property, kind=Kind.LIST)
choice = partial(Property, kind=Kind.CHOICE)
text = partial(Property, kind=Kind.TEXT)


def http_and_stream(name: str) -> tuple[str, str]:
    """Return the names under which *name* is injected into both of nginx's subsystems."""
    return f"nginx_http_{name}", f"nginx_stream_{name}"
