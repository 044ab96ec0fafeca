"""What of a candidate can only be decided when the request is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.plan import Conditions, HeaderTest, NameTest
from compiler.plan.regex_prefix import has_alternatives
from compiler.router.rust_regex import UnsupportedRegexError, is_exact, to_pcre

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report, Rule
    from compiler.router.candidates import Candidate
    from compiler.router.patterns import HeaderCondition

_VARIABLE = re.compile(r"[a-z0-9_]+")


class ConditionPlanner:
    """Translates what candidates ask for; each is looked at once.

    *tls_listener* tells whether requests may come over TLS at all.
    """

    def __init__(self, *, tls_listener: bool, report: Report) -> None:
        self._tls_listener = tls_listener
        self._report = report
        self._known: dict[int, tuple[Candidate, Conditions]] = {}

    def of(self, candidate: Candidate) -> Conditions:
        """Return the conditions of *candidate*, but for its hosts and its literal path."""
        known = self._known.get(id(candidate))
        if known is None:
            known = self._known[id(candidate)] = candidate, self._translated(candidate)
        return known[1]

    def stripped(self, candidate: Candidate) -> tuple[str | None, int | None]:
        """Return the regex whose match `strip_path` takes away, and the width of what it matches.

        The width is set where the match may stand elsewhere than at the start, since alternatives
        behind the first are not anchored; Kong then takes as many characters from the start.
        """
        if candidate.regex is None:
            return None, None
        regex = self.of(candidate).path
        if not (candidate.route.strip_path and has_alternatives(candidate.regex)):
            return regex, None
        width = 2
        if width is None:
            reason = "has alternatives of different lengths, and is to be stripped"
            self._report_regex(
                rules.ROUTE_REGEX, candidate, "paths", candidate.regex, reason=reason
            )
        return regex, width

    def _translated(self, candidate: Candidate) -> Conditions:
        return Conditions(
            methods=tuple(sorted(candidate.methods)),
            headers=tuple(self._header(header, candidate) for header in candidate.headers),
            names=tuple(NameTest(kind=sni.kind, text=sni.text) for sni in candidate.snis)
            if self._tls_listener
            else (),
            path=None
            if candidate.regex is None
            else self._pcre(candidate.regex, candidate, "paths"),
        )

    def _header(self, header: HeaderCondition, candidate: Candidate) -> HeaderTest:
        route = candidate.route
        name = header.name.replace("-", "_")
        if not _VARIABLE.fullmatch(name):
            self._report.add(
                rules.ROUTE_HEADER,
                route.source.place("headers"),
                entity=route.ref,
                route=route.label,
                header=header.name,
            )
        regexes = [self._pcre(regex, candidate, "headers") for regex in header.regexes]
        return HeaderTest(
            name=name,
            values=header.values,
            regexes=tuple(regexes),
            exact_case=candidate.flavor == "traditional",
        )

    def _pcre(self, regex: str, candidate: Candidate, field: str) -> str:
        if candidate.flavor == "traditional":
            return regex
        try:
            if not is_exact(regex):
                self._report_regex(rules.ROUTE_REGEX_ASCII, candidate, field, regex)
            return to_pcre(regex, capture=False)
        except UnsupportedRegexError as error:
            self._report_regex(rules.ROUTE_REGEX, candidate, field, regex, reason=str(error))
            return regex

    def _report_regex(
        self, rule: Rule, candidate: Candidate, field: str, regex: str, **fields: str
    ) -> None:
        route = candidate.route
        self._report.add(
            rule,
            route.source.place(field),
            entity=route.ref,
            route=route.label,
            regex=regex,
            **fields,
        )
