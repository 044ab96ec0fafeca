"""How requests are spread over the targets of an upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from compiler.model.balancing import Balancing, HashInput

if TYPE_CHECKING:
    from compiler.model.balancing import Algorithm, HashKind
    from compiler.model.entities import Upstream

_NOTHING = frozenset({"none", "consumer"})
"""Inputs that no request has: consumers are known only to plugins that are not compiled."""


def plan_balancing(upstream: Upstream | None) -> Balancing:
    """Return the algorithm, and what is hashed: hash_on, else hash_fallback."""
    if upstream is None:
        return Balancing()
    algorithm = cast("Algorithm", upstream.algorithm)
    if algorithm != "consistent-hashing":
        return Balancing(algorithm=algorithm)
    inputs: list[HashInput] = []
    for position in ("hash_on", "hash_fallback"):
        kind = getattr(upstream, position)
        if kind not in _NOTHING:
            inputs.append(_input(upstream, position, kind))
        if inputs and inputs[-1].always_there:
            break
    return Balancing(algorithm=algorithm, inputs=tuple(inputs))


def _input(upstream: Upstream, position: str, kind: str) -> HashInput:
    if kind == "cookie":
        # There is one cookie, whichever of the two it serves.
        return HashInput(
            kind="cookie", name=upstream.hash_on_cookie or "", path=upstream.hash_on_cookie_path
        )
    name = getattr(upstream, f"{position}_{kind}", None)
    return HashInput(kind=cast("HashKind", kind), name=name or "")
