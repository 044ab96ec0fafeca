"""The regular expressions of routes in nginx's syntax, by the flavor of the router."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from compiler.catalog import plan_rules as rules
from compiler.plan.pcre_text import in_list, pcre_problem, without_names
from compiler.plan.regex_prefix import has_alternatives
from compiler.router.regex_nodes import UnsupportedRegexError
from compiler.router.rust_regex import is_exact, path_pattern, path_to_pcre, to_pcre

if TYPE_CHECKING:
    from collections.abc import Callable

    from compiler.model.diagnostic import Report, Rule
    from compiler.router.candidates import Candidate
    from compiler.router.patterns import HeaderCondition

_CAPITAL = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|\(\?[^)]*[):]|[A-Z]")
"""A capital on its own; escapes, classes and what begins a group are passed over."""

_ANY_CASE = "(?i)"

_FIRST_ALONE = "nginx before 1.23 with the first alone"
_AS_ONE = "nginx with all of them as one text"


class RegexPlanner:
    """Translates regular expressions, and reports those that have no counterpart.

    *joins_headers* tells whether nginx makes a list of the values of a repeated header.
    """

    def __init__(self, *, joins_headers: bool, report: Report) -> None:
        self._joins_headers = joins_headers
        self._report = report

    def path(self, candidate: Candidate, regex: str) -> str:
        """Return *regex* of a path; it begins at the start of it."""
        if candidate.flavor == "traditional":
            found = self._traditional(candidate, "paths", regex)
            return f"(?:{found})" if has_alternatives(regex) else found
        translate = partial(path_to_pcre, capture=False)
        return self._compatible(
            candidate, "paths", regex, path_pattern(regex), translate
        ).removeprefix("^")

    def values(self, candidate: Candidate, header: HeaderCondition) -> tuple[str, ...]:
        """Return the regular expressions of *header*, for the list of its values."""
        if header.regexes and not self._joins_headers:
            self._report_repeated(candidate, _FIRST_ALONE)
        return tuple(self._value(candidate, regex, header) for regex in header.regexes)

    def _value(self, candidate: Candidate, regex: str, header: HeaderCondition) -> str:
        if candidate.flavor == "traditional":
            plain = self._traditional(candidate, "headers", regex)
            found = in_list(plain)
            if found is None:
                self._report_list(candidate)
            value = plain if found is None else found
            return value if regex.startswith(_ANY_CASE) else _never_upper(value)
        if header.every:
            self._report_list(candidate)
        translate = partial(to_pcre, capture=False, in_list=not header.every)
        return self._compatible(candidate, "headers", regex, regex, translate)

    def _compatible(
        self,
        candidate: Candidate,
        field: str,
        regex: str,
        whole: str,
        translate: Callable[[str], str],
    ) -> str:
        """Return what *translate* makes of *regex*, of which Kong makes *whole*."""
        try:
            if not is_exact(whole):
                self._say(rules.ROUTE_REGEX_ASCII, candidate, field, regex=regex)
            return translate(regex)
        except UnsupportedRegexError as error:
            self.refuse(candidate, field, regex, str(error))
            return regex

    def _traditional(self, candidate: Candidate, field: str, regex: str) -> str:
        strips = field == "paths" and candidate.route.strip_path
        problem = pcre_problem(regex, strips=strips)
        if problem is not None:
            self.refuse(candidate, field, regex, problem)
        return without_names(regex)

    def refuse(self, candidate: Candidate, field: str, regex: str, reason: str) -> None:
        """Report that *regex* is not compiled, and why."""
        self._say(rules.ROUTE_REGEX, candidate, field, regex=regex, reason=reason)

    def _report_list(self, candidate: Candidate) -> None:
        if self._joins_headers:
            self._report_repeated(candidate, _AS_ONE)

    def _report_repeated(self, candidate: Candidate, how: str) -> None:
        field = "headers" if candidate.route.expression is None else "expression"
        self._say(rules.ROUTE_HEADER_REPEATED, candidate, field, how=how)

    def _say(self, rule: Rule, candidate: Candidate, field: str, **said: Any) -> None:
        route = candidate.route
        self._report.add(
            rule, route.source.place(field), entity=route.ref, route=route.label, **said
        )


def _never_upper(regex: str) -> str:
    """Return *regex* so that its capitals match nothing.

    Flavor traditional compares values in lower case with expressions that keep theirs, and nginx
    compares without.
    """
    return _CAPITAL.sub(lambda found: "(?!)" if len(found[0]) == 1 else found[0], regex)
