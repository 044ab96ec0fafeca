"""Headers that upstreams may take for those which tell them of clients.

Behind CGI, WSGI and the like a program sees `HTTP_X_CONSUMER_ID`, and not whether the header was
called X-Consumer-ID or X_Consumer_ID. Kong replaces the first alone and passes on the others; a
client could say in them who it is.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from compiler.lower.certificate_headers import certificate_headers
from compiler.lower.clients import client_headers
from compiler.model.nginx import Section, Simple
from compiler.model.words import Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.plan import Plan

_MOST_DASHES = 6
"""A name of more is no header of Kong's; each doubles how many names there are."""


def lookalike_sections(plan: Plan, directive: str) -> tuple[Section, ...]:
    """Return what takes such headers away, by the *directive* of the upstream's protocol."""
    told = {**client_headers(plan), **certificate_headers(plan)}
    if not told:
        return ()
    others = (other for name in told for other in _lookalikes(name))
    return (
        Section(
            comment="what some upstreams take for the headers that tell of clients",
            directives=tuple(Simple(directive, (Literal(n), Literal(""))) for n in others),
        ),
    )


def _lookalikes(name: str) -> Iterator[str]:
    """Yield *name* with underscores in place of dashes, of one, of some and of all."""
    first, *others = name.split("-")
    if len(others) > _MOST_DASHES:
        yield name.replace("-", "_")
        return
    for dashes in product("-_", repeat=len(others)):
        if "_" in dashes:
            yield first + "".join(dash + part for dash, part in zip(dashes, others, strict=True))
