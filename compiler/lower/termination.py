"""What is answered in place of a service (request-termination)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.answers import own_answer_headers
from compiler.lower.error_texts import text_words
from compiler.lower.refusals import refuse, words_of
from compiler.model.nginx import If, Map, Simple
from compiler.model.routing import speaks_grpc
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.access import Termination
    from compiler.model.plan import Plan
    from compiler.model.routing import Answer

_NO_TEXT = Expression("$no_text")
_FIRST_ERROR = 400


def termination_maps(plan: Plan) -> tuple[Map, ...]:
    """Return the maps that tell whether a request has what triggers an answer."""
    asked = {id(answer.access): answer.access.termination for answer in plan.answers}
    triggers = {ends.trigger for ends in asked.values() if ends is not None and ends.trigger}
    return tuple(_trigger(name) for name in sorted(triggers))


def termination_ifs(answer: Answer, plan: Plan) -> tuple[If, ...]:
    """Return what answers those requests that have what triggers it."""
    ends = answer.access.termination
    if ends is None or ends.trigger is None:
        return ()
    return (If(variable=_variable(ends.trigger), directives=_answer(ends, answer, plan)),)


def terminated(answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    """Return what answers every request, nothing where some are passed on."""
    ends = answer.access.termination
    return () if ends is None or ends.trigger is not None else _answer(ends, answer, plan)


def termination_type(answer: Answer) -> tuple[Simple, ...]:
    """Return what gives the answer its type."""
    ends = answer.access.termination
    if ends is None or _words(ends, answer) is not None:
        return ()
    return (Simple("default_type", (Literal(ends.content_type or ""),)),)


def _words(ends: Termination, answer: Answer) -> str | None:
    """Return what is told in headers, None where a body is sent."""
    return ends.words if speaks_grpc(answer) else None


def _answer(ends: Termination, answer: Answer, plan: Plan) -> tuple[Simple, ...]:
    told = _words(ends, answer)
    if told is not None:
        return refuse(ends.status, words_of(told, answer), plan)
    headers = own_answer_headers(plan)
    if ends.body is None and ends.status >= _FIRST_ERROR:
        # Without any text nginx would tell the error in its own words.
        nothing = Simple("set", (_NO_TEXT, Literal("")))
        return (nothing, *headers, Simple("return", (ends.status, _NO_TEXT)))
    words = text_words(ends.body or "")
    if len(words) == 1:
        return (*headers, Simple("return", (ends.status, words[0])))
    names = [f"$text_{index + 1}" for index in range(len(words))]
    return (
        *(Simple("set", (Expression(n), w)) for n, w in zip(names, words, strict=True)),
        *headers,
        Simple("return", (ends.status, Expression("".join(names)))),
    )


def _trigger(name: str) -> Map:
    # A name in the query may be written with escapes.
    spelt = "".join(f"(?:{c}|%(?i:{ord(c):02x}))" for c in name)
    return Map(
        why=f"whether a request has a header or an argument {name} (request-termination)",
        source=Expression(f"$http_{name.lower().replace('-', '_')}\n$args"),
        variable=_variable(name),
        default=Literal(""),
        entries=(
            (Literal(r"~^[^\n]"), Literal("1")),
            (Literal(rf"~\n(?:.*&)?{spelt}(?:[=&]|$)"), Literal("1")),
        ),
    )


def _variable(trigger: str) -> str:
    return f"$triggered_{sha256(trigger.encode()).hexdigest()[:8]}"
