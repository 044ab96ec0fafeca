"""What of a candidate can only be decided when the request is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.model.plan import Conditions, HeaderTest, NameTest
from compiler.plan.regex_prefix import has_alternatives
from compiler.router.regex_nodes import UnsupportedRegexError
from compiler.router.regex_width import path_widths
from compiler.router.rust_regex import is_exact, to_pcre

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.router.candidates import Candidate
    from compiler.router.patterns import HeaderCondition


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
        width = None if candidate.flavor == "traditional" else _one_width(candidate.regex)
        if width is None:
            reason = "has alternatives of different lengths, and its route strips what matches"
            self._refuse(candidate, "paths", candidate.regex, reason)
        return regex, width

    def _translated(self, candidate: Candidate) -> Conditions:
        return Conditions(
            methods=tuple(sorted(candidate.methods)),
            headers=tuple(self._header(header, candidate) for header in candidate.headers),
            names=tuple(NameTest(kind=sni.kind, text=sni.text) for sni in candidate.snis)
            if self._tls_listener
            else (),
            schemes=tuple(sorted(candidate.schemes)) if len(candidate.schemes) == 1 else (),
            path=None if candidate.regex is None else self._path(candidate, candidate.regex),
        )

    def _header(self, header: HeaderCondition, candidate: Candidate) -> HeaderTest:
        return HeaderTest(
            name=header.name.replace("-", "_"),
            values=header.values,
            regexes=tuple(self._pcre(regex, candidate, "headers") for regex in header.regexes),
            exact_case=header.case_matters,
            every=header.every,
        )

    def _path(self, candidate: Candidate, regex: str) -> str:
        if candidate.flavor == "traditional":
            return f"(?:{regex})" if has_alternatives(regex) else regex
        return self._pcre(regex, candidate, "paths")

    def _pcre(self, regex: str, candidate: Candidate, field: str) -> str:
        if candidate.flavor == "traditional":
            return regex
        route = candidate.route
        try:
            if not is_exact(regex):
                self._report.add(
                    rules.ROUTE_REGEX_ASCII,
                    route.source.place(field),
                    entity=route.ref,
                    route=route.label,
                    regex=regex,
                )
            return to_pcre(regex, capture=False)
        except UnsupportedRegexError as error:
            self._refuse(candidate, field, regex, str(error))
            return regex

    def _refuse(self, candidate: Candidate, field: str, regex: str, reason: str) -> None:
        route = candidate.route
        self._report.add(
            rules.ROUTE_REGEX,
            route.source.place(field),
            entity=route.ref,
            route=route.label,
            regex=regex,
            reason=reason,
        )


def _one_width(regex: str) -> int | None:
    """Return the length of all that *regex* matches, None where lengths differ."""
    widths = set(path_widths(regex))
    return widths.pop() if len(widths) == 1 else None
