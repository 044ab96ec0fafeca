"""What all `server` blocks of the proxy listeners say alike.

One block says it itself. Several include it, so that what stands in each is what tells it from the
others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.lower.dispatch import NO_ROUTE, go_on
from compiler.lower.errors import error_location, error_pages
from compiler.lower.keys import ERRORS, EVERY_HOST, HTTPS_ONLY, location_key
from compiler.lower.locations import send_away
from compiler.lower.paths import REFUSED, UNMATCHED
from compiler.model.nginx import Location, Section, ServerPart, Simple
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.plan import Plan

NOT_FOUND = (Simple("return", (404,)),)
_NO_ERROR = Literal(f"^(?!{re.escape(ERRORS)})")


def common_part(plan: Plan, sections: tuple[Section, ...]) -> ServerPart:
    """Return what all servers have in common; *sections* come first."""
    return ServerPart(
        sections=(
            *sections,
            *error_pages(plan),
            Section(
                comment="a location's name is a table's key and a path in it, but for errors",
                directives=(Simple("rewrite", (_NO_ERROR, location_key(plan))),),
            ),
        ),
        locations=(*_elsewhere(plan), error_location(plan)),
    )


def _elsewhere(plan: Plan) -> Iterator[Location]:
    """Yield the locations for what no table has a path for."""
    for found in plan.https_only:
        yield Location(
            comment="plain HTTP to hosts that are served over HTTPS alone",
            path=Literal(f"{HTTPS_ONLY}{found.status}/"),
            directives=send_away(found.status, plan),
        )
    yield Location(
        comment="what a host's own table has no path for is looked up in that of all hosts",
        path=Literal(""),
        directives=(go_on(Expression(EVERY_HOST)),),
    )
    if plan.tables and any(node.answer is None for node in plan.tables[0].nodes):
        yield Location(comment="no route", path=Literal(f"{NO_ROUTE}/"), directives=NOT_FOUND)
    for path, status, comment in (
        (UNMATCHED, 404, "paths that no route can match"),
        (REFUSED, 400, "paths whose normal form nginx cannot compute"),
    ):
        yield Location(
            comment=comment,
            path=Literal(f"{EVERY_HOST}{path}"),
            directives=(Simple("return", (status,)),),
        )
