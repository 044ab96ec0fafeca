"""Where something was written: what every diagnostic points at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file, or an environment variable.

    `file` is the path as the user gave it, `line` and `column` count from 1; `variable`
    is the name of an environment variable, and then the others are None.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None
    variable: str | None = None

    def __str__(self) -> str:
        if self.variable is not None:
            return self.variable
        parts = [self.file or "?"]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Default:
    """The value is Kong's default for the version compiled for."""

    def __str__(self) -> str:
        return "default"


@dataclass(frozen=True, slots=True)
class FromFile:
    """The value stands in kong.conf."""

    place: Place

    def __str__(self) -> str:
        return str(self.place)


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """The value came from an environment variable (named as it was spelt)."""

    variable: str

    def __str__(self) -> str:
        return self.variable


@dataclass(frozen=True, slots=True)
class Derived:
    """The value follows from another setting, whose own origin is kept."""

    setting: str
    origin: Origin

    def __str__(self) -> str:
        return f"{self.setting} ({self.origin})"


Origin = Default | FromFile | FromEnvironment | Derived


def place_of(origin: Origin) -> Place | None:
    """Return the place a person would edit to change a value of *origin*; None for defaults."""
    match origin:
        case Default():
            return None
        case FromFile(place):
            return place
        case FromEnvironment(variable):
            return Place(variable=variable)
        case Derived(_, inner):
            return place_of(inner)
