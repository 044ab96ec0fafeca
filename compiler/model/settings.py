"""kong.conf, resolved: every property's value and where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from compiler.model.place import Default

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.place import Origin, Place

Value = bool | int | float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ConfEntry:
    """One property as kong.conf gives it: `text` as Kong reads it, `written` as it stands there.

    The two differ where Kong takes a value for a number and prints it anew (`0123` is `123`).
    """

    name: str
    text: str
    place: Place
    written: str


@dataclass(frozen=True, slots=True)
class ConfFile:
    """kong.conf as read: what is in force of it, by property name, in file order."""

    file: str
    entries: Mapping[str, ConfEntry]


@dataclass(frozen=True, slots=True)
class Setting:
    """One property: the value in force, its origin, and the layers it won over (best first)."""

    name: str
    value: Value
    origin: Origin
    overridden: tuple[tuple[Value, Origin], ...] = ()
    sensitive: bool = False

    @property
    def is_default(self) -> bool:
        """Tell whether nobody set it."""
        return isinstance(self.origin, Default)


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive that the settings inject into one of nginx's blocks: raw nginx text.

    `leader` names the directive behind which it was written, when that was not done on its own.
    """

    name: str
    value: str
    origin: Origin
    leader: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One entry of a `*_listen` property."""

    ip: str
    port: int
    ssl: bool = False
    http2: bool = False
    proxy_protocol: bool = False
    deferred: bool = False
    bind: bool = False
    reuseport: bool = False
    backlog: int | None = None
    ipv6only: bool | None = None
    so_keepalive: str | None = None
    udp: bool = False

    @property
    def address(self) -> str:
        """Return `ip:port` as nginx's `listen` takes it (IPv6 short and in brackets)."""
        ip = self.ip
        if ip.startswith("["):
            # Kong writes all eight groups out, which nobody can read.
            ip = f"[{ip_address(ip[1:-1]).compressed}]"
        return f"{ip}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All properties of one Kong version.

    `directives` are keyed by nginx block as Kong names them (main, events, http, proxy,
    location, upstream, admin, status, stream, sproxy, supstream), sorted by name as Kong
    sorts them. `listeners` are keyed by group (proxy, admin, admin_gui, status, stream, cluster).
    """

    kong_version: tuple[int, ...]
    properties: Mapping[str, Setting]
    directives: Mapping[str, tuple[Directive, ...]]
    listeners: Mapping[str, tuple[Listener, ...]]

    def __getitem__(self, name: str) -> Setting:
        return self.properties[name]

    def origin(self, name: str) -> Origin:
        """Return where the value of property *name* came from."""
        return self.properties[name].origin

    def flag(self, name: str) -> bool:
        """Return a boolean property; False where the version does not have it."""
        setting = self.properties.get(name)
        return setting is not None and setting.value is True

    def text(self, name: str) -> str | None:
        """Return a text property, None when unset."""
        value = self.properties[name].value
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is not text")
        return value

    def number(self, name: str) -> int | None:
        """Return a numeric property as a whole number, rounded up; None when unset."""
        value = self.properties[name].value
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} is not a number")
        return math.ceil(value)

    def items(self, name: str) -> tuple[str, ...]:
        """Return a list property, empty when unset or where the version does not have it."""
        setting = self.properties.get(name)
        value = None if setting is None else setting.value
        if value is None:
            return ()
        if not isinstance(value, tuple):
            raise TypeError(f"{name} is not a list")
        return value

    def directive(self, block: str, name: str) -> Directive | None:
        """Return the last directive *name* injected into *block*, None if there is none."""
        found = [d for d in self.directives.get(block, ()) if d.name == name]
        return found[-1] if found else None
