"""The blocks of the nginx configuration that is written, shaped like the blocks themselves."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from compiler.model.document import MappingNode
    from compiler.model.lua import DataFile
    from compiler.model.secret import Secret
    from compiler.model.words import Expression, Literal, Word


TEMP_PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
"""nginx's folders for temporary files; kept under `logs/tmp`, so that the tree is all it needs."""


@value()
class Source:
    """The entity or the setting that lines of the output come from."""

    type: str
    id: str
    name: str | None = None
    node: MappingNode | None = None


@value()
class Simple:
    """A simple directive."""

    name: str
    args: tuple[Word, ...]


@value(kw_only=True)
class Map:
    """A `map` block (or, with `by_address`, a `geo` block). `why` is its comment.

    `options` are its parameters without a value: `hostnames`, `volatile`. `sources` are where its
    rows come from, `owner` where all of it does.
    """

    why: str
    source: Expression
    variable: str
    default: Word | None
    entries: tuple[tuple[Word, Word], ...]
    by_address: bool = False
    options: tuple[str, ...] = ()
    sources: tuple[Source | None, ...] = ()
    owner: Source | None = None


@value(kw_only=True)
class UpstreamServer:
    """A `server` of an `upstream` block; `service` is what stands before a name with SRV records.

    `max_fails` and `fail_timeout` (seconds) are nginx's own where they are None.
    """

    address: Literal
    weight: int | None
    resolve: bool
    max_fails: int | None
    fail_timeout: Literal | None = None
    service: Literal | None = None
    down: bool = False


@value(kw_only=True)
class UpstreamBlock:
    """An `upstream` block."""

    comment: str
    name: Literal
    zone: tuple[Literal, ...] | None
    servers: tuple[UpstreamServer, ...]
    method: tuple[Simple, ...]
    keepalive: tuple[Simple, ...]
    source: Source | None


@value(kw_only=True)
class If:
    """An `if` block for when a variable is set."""

    variable: str
    directives: tuple[Simple, ...]


@value(kw_only=True)
class Location:
    """A `location` block. `remembered` variables are set before all else.

    Of the locations in it the first whose regular expression matches takes its place.
    """

    comment: str
    modifier: Literal | None = None
    path: Literal
    locations: tuple[Location, ...] = ()
    remembered: tuple[Simple, ...] = ()
    ifs: tuple[If, ...] = ()
    directives: tuple[Simple, ...]
    source: Source | None = None


@value(kw_only=True)
class Server:
    """A `server` block."""

    comment: str
    listens: tuple[Simple, ...]
    names: tuple[Literal, ...]
    directives: tuple[Simple, ...]
    sections: tuple[Section, ...] = ()
    locations: tuple[Location, ...]


@value(kw_only=True)
class ServerPart:
    """Sections and locations of a `server` block."""

    sections: tuple[Section, ...]
    locations: tuple[Location, ...]


@value(kw_only=True)
class Section:
    """Directives with a comment that says what they are for."""

    comment: str
    directives: tuple[Simple, ...]


@value(kw_only=True)
class StreamServerBlock:
    """A `server` block of connections."""

    comment: str
    directives: tuple[Simple, ...]
    source: Source | None


@value(kw_only=True)
class StreamBlock:
    """The `stream` block and the maps it includes."""

    sections: tuple[Section, ...]
    includes: tuple[Literal, ...]
    upstreams: tuple[UpstreamBlock, ...]
    servers: tuple[StreamServerBlock, ...]
    maps: tuple[Map, ...]


@value(kw_only=True)
class Main:
    """nginx.conf and the parts it includes; `lua` is what Lua answers from, None without Lua.

    `common` is what several servers of the proxy listeners include. `trace` tells the way of a
    request, for a comment.
    """

    main: tuple[Simple, ...]
    events: tuple[Simple, ...]
    http: tuple[Section, ...]
    includes: tuple[Literal, ...]
    upstream_servers: tuple[UpstreamBlock, ...]
    servers: tuple[Server, ...]
    common: ServerPart | None
    sni_maps: tuple[Map, ...]
    answer_maps: tuple[Map, ...]
    proxy_maps: tuple[Map, ...]
    routing_maps: tuple[Map, ...]
    path_maps: tuple[Map, ...]
    access_maps: tuple[Map, ...]
    proxy: tuple[Section, ...]
    stream: StreamBlock | None = None
    trace: tuple[str, ...] = ()
    lua: tuple[DataFile, ...] | None = None


@value()
class OutputFile:
    """A file of the tree: its bytes and mode. Content of key files is a secret.

    `sha256` is its digest in hex, where that is known already. `for_workers` tells of a file that
    others may not read that nginx's workers have to.
    """

    content: str | Secret
    mode: int = 0o644
    sha256: str | None = None
    for_workers: bool = True

    def text(self) -> str:
        """Return what is written; no more than the writing may call it for a secret."""
        return self.content if isinstance(self.content, str) else self.content.reveal()

    def digest(self) -> str:
        """Return the SHA-256 of the bytes, in hex."""
        return self.sha256 or sha256(self.data()).hexdigest()

    def data(self) -> bytes:
        """Return the bytes to write."""
        return self.text().encode("utf-8", "surrogateescape")
