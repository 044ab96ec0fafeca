"""What of a candidate can only be decided when the request is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.model.balancing import Capture
from compiler.model.routing import Conditions, HeaderTest, NameTest
from compiler.plan.pcre_text import without_names
from compiler.plan.regex_prefix import has_alternatives, split_alternatives
from compiler.plan.regexes import RegexPlanner
from compiler.router.regex_groups import group_number
from compiler.router.regex_nodes import UnsupportedRegexError
from compiler.router.regex_width import path_widths
from compiler.router.rust_regex import path_to_pcre

if TYPE_CHECKING:
    from compiler.model.balancing import Balancing
    from compiler.model.diagnostic import Report
    from compiler.router.candidates import Candidate
    from compiler.router.patterns import HeaderCondition


@dataclass(frozen=True, slots=True)
class Stripped:
    """What a route takes off the path by a regular expression.

    `width` is set where only the length of what `regex` matches counts; with `may_keep`, what it
    does not match is left alone.
    """

    regex: str | None
    width: int | None = None
    may_keep: bool = False


class ConditionPlanner:
    """Translates what candidates ask for; each is looked at once.

    *tls_listener* tells whether requests may come over TLS at all, *joins_headers* whether nginx
    makes a list of the values of a repeated header.
    """

    def __init__(self, *, tls_listener: bool, joins_headers: bool, report: Report) -> None:
        self._tls_listener = tls_listener
        self._regexes = RegexPlanner(joins_headers=joins_headers, report=report)
        self._known: dict[int, tuple[Candidate, Conditions]] = {}

    def of(self, candidate: Candidate) -> Conditions:
        """Return the conditions of *candidate*, but for its hosts and its literal path."""
        known = self._known.get(id(candidate))
        if known is None:
            known = self._known[id(candidate)] = candidate, self._translated(candidate)
        return known[1]

    def stripped(self, candidate: Candidate) -> Stripped:
        """Return what `strip_path` takes away where *candidate* matches by a regular expression.

        In flavor traditional only the last of several alternatives is taken away. Elsewhere those
        behind the first are not anchored, and as many characters go as match, but from the start.
        """
        if candidate.regex is None:
            return Stripped(None)
        regex = self.of(candidate).path or ""
        parts = split_alternatives(candidate.regex)
        if len(parts) == 1 or not candidate.route.strip_path:
            return Stripped(regex)
        if candidate.flavor == "traditional":
            parts = [without_names(part) for part in parts]
            return Stripped(f"(?!{'|'.join(parts[:-1])})(?:{parts[-1]})", may_keep=True)
        widths = set(path_widths(candidate.regex))
        width = widths.pop() if len(widths) == 1 else None
        if width is None:
            reason = "has alternatives of different lengths, and its route strips what matches"
            self._regexes.refuse(candidate, "paths", candidate.regex, reason)
        return Stripped(regex, width=width)

    def captures(self, candidate: Candidate, balancing: Balancing) -> tuple[Capture, ...]:
        """Return what of the path chooses the target, where *candidate* captures it."""
        wanted = [found.name for found in balancing.inputs if found.kind == "uri_capture"]
        if not wanted or candidate.regex is None:
            return ()
        try:
            numbers = {name: group_number(candidate.regex, name) for name in wanted}
            regex = path_to_pcre(candidate.regex)
        except UnsupportedRegexError as error:
            self._regexes.refuse(candidate, "paths", candidate.regex, str(error))
            return ()
        return tuple(Capture(name, regex, n) for name, n in numbers.items() if n is not None)

    def _translated(self, candidate: Candidate) -> Conditions:
        return Conditions(
            methods=tuple(sorted(candidate.methods)),
            headers=tuple(self._header(header, candidate) for header in candidate.headers),
            names=tuple(NameTest(kind=sni.kind, text=sni.text) for sni in candidate.snis)
            if self._tls_listener
            else (),
            schemes=tuple(sorted(candidate.schemes)) if len(candidate.schemes) == 1 else (),
            path=None
            if candidate.regex is None
            else self._regexes.path(candidate, candidate.regex),
            path_anywhere=candidate.regex is not None
            and candidate.flavor != "traditional"
            and has_alternatives(candidate.regex),
        )

    def _header(self, header: HeaderCondition, candidate: Candidate) -> HeaderTest:
        return HeaderTest(
            name=header.name.replace("-", "_"),
            values=header.values,
            regexes=self._regexes.values(candidate, header),
            exact_case=header.case_matters,
            every=header.every,
        )
