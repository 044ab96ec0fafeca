"""Injected directives: their values are nginx by definition, their names have to be names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.place import place_of

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.model.settings import Settings

_NAME = re.compile(r"[a-z0-9_]+")


def check_directives(settings: Settings, report: Report) -> None:
    """Report injected directives whose names nginx cannot know."""
    for block, directives in settings.directives.items():
        for directive in directives:
            if not _NAME.fullmatch(directive.name):
                report.add(
                    rules.DIRECTIVE_NAME,
                    place_of(directive.origin),
                    block=block,
                    directive=directive.name,
                )
