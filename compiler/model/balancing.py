"""How requests are spread over the targets of an upstream, in the words of Kong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Algorithm = Literal["round-robin", "least-connections", "consistent-hashing"]
HashKind = Literal["ip", "path", "header", "cookie", "query_arg", "uri_capture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HashInput:
    """What a request is hashed by; `name` is that of the header, cookie, argument or capture.

    `path` is that of a cookie which is given to clients that have none.
    """

    kind: HashKind
    name: str = ""
    path: str = "/"

    @property
    def always_there(self) -> bool:
        """Tell whether every request has it: no fallback is ever needed."""
        return self.kind in ("ip", "path", "cookie")


@dataclass(frozen=True, slots=True)
class Capture:
    """What a group of a route's regular expression captures of the path.

    `regex` is in nginx's syntax and begins at the start of the path; `group` counts from 1.
    """

    name: str
    regex: str
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancing:
    """An algorithm and, for hashing, its inputs: the first that a request has counts."""

    algorithm: Algorithm = "round-robin"
    inputs: tuple[HashInput, ...] = ()

    def hashes_by(self, kind: HashKind) -> bool:
        """Tell whether an input is of *kind*."""
        return any(found.kind == kind for found in self.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """When a target is taken out: after `failures` in a row of time, for `seconds`; 0: never."""

    failures: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """How names are looked up: for which addresses, and how long an answer is used.

    `valid` is in seconds; None follows the records.
    """

    ipv4: bool = True
    ipv6: bool = True
    valid: int | None = None
