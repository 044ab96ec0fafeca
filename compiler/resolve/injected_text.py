"""Which directives an injected text holds: the one of its property, and any behind a semicolon."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.model.place import place_of
from compiler.model.settings import Directive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.diagnostic import Report
    from compiler.model.settings import Setting

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
    | (?P<end>;)
    | (?P<brace>[{}])
    | (?P<comment>\#)
    | (?P<quoted>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
    | (?P<open>["'])
    | (?P<word>(?:\\.|\$\{|[^\s;{\\])+)
    | (?P<escape>\\)
    """,
    re.VERBOSE | re.DOTALL,
)
"""As nginx reads: quotes and comments begin where a word does, and `${` is a part of one."""

_NOT_WHOLE = {
    "open": "a quote is not closed",
    "comment": "# begins a comment, in which the end of the directive is lost",
    "escape": "there is nothing behind the last backslash",
}


def read_injected(name: str, setting: Setting, report: Report) -> list[Directive]:
    """Return the directives that the text of *setting* injects, the first of them as *name*.

    A text with a block in it is left as one directive. Nobody knows what that says, nor what a
    file does: either is reported. So is text that would take in what nginx reads behind it.
    """
    text = str(setting.value)
    place = place_of(setting.origin)
    tokens = list(_TOKEN.finditer(text))
    kinds = {str(token.lastgroup) for token in tokens}
    reason = next((_NOT_WHOLE[kind] for kind in sorted(kinds & _NOT_WHOLE.keys())), None)
    if reason is not None:
        report.add(rules.INJECTED_NOT_WHOLE, place, name=setting.name, reason=reason)
        return []
    if "brace" in kinds:
        report.add(rules.INJECTED_NOT_READ, place, name=setting.name, what="a block")
        return [Directive(name, text, setting.origin)]
    first, *others = _pieces(tokens, text)
    found = [Directive(name, first, setting.origin)]
    for piece in filter(None, others):
        other, *value = piece.split(maxsplit=1)
        found.append(Directive(other, "".join(value), setting.origin, leader=name))
    if any(directive.name == "include" for directive in found):
        report.add(rules.INJECTED_NOT_READ, place, name=setting.name, what="a file")
    return found


def _pieces(tokens: Iterable[re.Match[str]], text: str) -> Iterator[str]:
    start = 0
    for token in tokens:
        if token.lastgroup == "end":
            yield text[start : token.start()].strip()
            start = token.end()
    yield text[start:].strip()
