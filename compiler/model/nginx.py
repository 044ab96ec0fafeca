"""The blocks of the nginx configuration that is written, shaped like the blocks themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.document import MappingNode
    from compiler.model.secret import Secret
    from compiler.model.words import Expression, Literal, Word


@dataclass(frozen=True, slots=True)
class Source:
    """The entity or the setting that lines of the output come from."""

    type: str
    id: str
    name: str | None = None
    node: MappingNode | None = None


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple directive."""

    name: str
    args: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """A `map` block (or, with `by_address`, a `geo` block). `why` is its comment.

    `options` are its parameters without a value: `hostnames`, `volatile`.
    """

    why: str
    source: Expression
    variable: str
    default: Word | None
    entries: tuple[tuple[Word, Word], ...]
    by_address: bool = False
    options: tuple[str, ...] = ()
    sources: tuple[Source | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamServer:
    """A `server` of an `upstream` block."""

    address: Literal
    weight: int | None
    resolve: bool
    ignore_failures: bool
    down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamBlock:
    """An `upstream` block."""

    comment: str
    name: Literal
    zone: tuple[Literal, ...] | None
    servers: tuple[UpstreamServer, ...]
    keepalive: tuple[Simple, ...]
    source: Source | None


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """An `if` block for when a variable is set."""

    variable: str
    directives: tuple[Simple, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A `location` block. `remembered` variables are set before all else."""

    comment: str
    modifier: Literal | None = None
    path: Literal
    remembered: tuple[Simple, ...] = ()
    ifs: tuple[If, ...] = ()
    directives: tuple[Simple, ...]
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A `server` block."""

    comment: str
    listens: tuple[Simple, ...]
    names: tuple[Literal, ...]
    directives: tuple[Simple, ...]
    sections: tuple[Section, ...] = ()
    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Directives with a comment that says what they are for."""

    comment: str
    directives: tuple[Simple, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Main:
    """nginx.conf and the parts it includes."""

    main: tuple[Simple, ...]
    events: tuple[Simple, ...]
    http: tuple[Section, ...]
    includes: tuple[Literal, ...]
    upstream_servers: tuple[UpstreamBlock, ...]
    servers: tuple[Server, ...]
    sni_maps: tuple[Map, ...]
    answer_maps: tuple[Map, ...]
    proxy_maps: tuple[Map, ...]
    routing_maps: tuple[Map, ...]
    path_maps: tuple[Map, ...]
    proxy: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file of the tree: its bytes and mode. Content of key files is a secret."""

    content: str | Secret
    mode: int = 0o644

    def data(self) -> bytes:
        """Return the bytes to write."""
        text = self.content if isinstance(self.content, str) else self.content.reveal()
        return text.encode("utf-8", "surrogateescape")
