"""Which upstream groups there are: one for each destination and name that is verified there."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.model.destinations import UpstreamGroup
from compiler.plan.scale import LARGE

if TYPE_CHECKING:
    from compiler.model.destinations import Destination
    from compiler.model.entities import Route, Service


class GroupPlanner:
    """Names the groups and keeps them; *many* is how many destinations there are."""

    def __init__(self, *, many: int) -> None:
        self._groups: dict[tuple[str, str | None], UpstreamGroup] = {}
        self._names: dict[str, tuple[str, str | None]] = {}
        self._many = many >= LARGE

    def all(self) -> tuple[UpstreamGroup, ...]:
        """Return the groups by name, so that one more moves no other."""
        return tuple(sorted(self._groups.values(), key=lambda group: group.name))

    def of(self, route: Route, destination: Destination, host: str | None) -> UpstreamGroup:
        """Return the group for a destination and the name that is verified there."""
        own_name = destination.tls is None or not route.preserve_host
        shared = own_name or host is not None
        variant = None if own_name else host or "*"
        key = (destination.service.id, variant)
        if key not in self._groups:
            self._groups[key] = UpstreamGroup(
                name=self._name(destination.service, variant),
                destination=destination,
                shared_connections=shared,
                host=None if own_name else host,
            )
        return self._groups[key]

    def _name(self, service: Service, variant: str | None) -> str:
        """Name a group after its service; nginx compares group names without letter case.

        nginx compares each name with all others, letter by letter, when it starts: where there
        are many, names that begin alike would cost seconds, so a digest goes in front.
        """
        suffix = {None: "", "*": "--any-host"}.get(variant, f"--{variant}")
        name = f"{service.label}{suffix}"
        if self._many:
            name = f"{sha256(name.encode()).hexdigest()[:4]}-{name}"
        owner = (service.id, variant)
        if self._names.setdefault(name.lower(), owner) != owner:
            name = f"{name}--{service.id}"
            self._names[name.lower()] = owner
        return name
