"""What the command line hands to the compiler: texts and choices, no open files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class FileReader(Protocol):
    """Reads the files that settings name; remembers them for the manifest."""

    def read(self, path: str) -> bytes:
        """Return the bytes of *path*; raises OSError."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether *path* names an existing file."""
        ...


@dataclass(frozen=True, slots=True)
class SourceText:
    """An input's name as the user gave it (`-` for standard input) and its bytes."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamModule:
    """Where nginx's stream module is: in nginx itself, in a file to load, or nowhere."""

    present: bool = True
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LuaModule:
    """Where nginx's Lua module is: in nginx itself, in files to load in their order, or nowhere."""

    present: bool = True
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything a compilation depends on."""

    conf: SourceText | None
    environment: Mapping[str, str] = field(repr=False)
    entities: tuple[SourceText, ...]
    kong_version: tuple[int, ...]
    target: str
    nginx_version: tuple[int, int, int]
    allow_uncompiled: frozenset[str]
    system_ca: str | None
    resolv_conf: str | None
    names_at_start: bool
    now: datetime
    files: FileReader
    crls: tuple[SourceText, ...] = ()
    stream: StreamModule = StreamModule()
    lua: LuaModule = LuaModule()
