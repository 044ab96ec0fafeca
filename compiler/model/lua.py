"""What Lua is told, where it decides while nginx runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from compiler.model.nginx import Section, Simple, Source

Json = str | float | bool | list["Json"] | dict[str, "Json"] | None


@value(kw_only=True)
class LuaPlan:
    """What Lua needs of nginx.

    `modules` are files that nginx loads, in their order. `package_path` is where the user has
    libraries, None for where Lua looks by itself.
    """

    modules: tuple[str, ...]
    package_path: str | None


@value(kw_only=True)
class DataTable:
    """A table of a file of data: rows of a key and what it means, each with where it comes from."""

    name: str
    rows: tuple[tuple[str, Json], ...]
    sources: tuple[Source | None, ...]


@value(kw_only=True)
class DataFile:
    """What one module of `lua/` answers from. `name` is the module's, too."""

    name: str
    tables: tuple[DataTable, ...]


@value(kw_only=True)
class LuaTest:
    """An nginx that runs what Lua does at the start, and ends."""

    main: tuple[Simple, ...]
    http: tuple[Section, ...]
