"""What plugins refuse in words of their own: by a code that error_page tells as their status.

The words are kept in a variable, set where the request is refused and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from compiler.model.nginx import If, Simple
from compiler.model.routing import speaks_grpc
from compiler.model.words import Expression, expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.plan import Plan
    from compiler.model.routing import Answer

REFUSED = "refused"
"""The word by which such an error stays known."""
MESSAGE = "$refusal_message"

_FIRST_CODE = 593
"""Those below stand for other statuses; validate/ sees to it that there are enough of them."""

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def refusal_codes(plan: Plan) -> Iterator[tuple[int, int]]:
    """Yield the code that stands for each status, and that status."""
    for index, status in enumerate(plan.refusals):
        yield _FIRST_CODE - index, status


def refuse(status: int, message: Expression, plan: Plan) -> tuple[Simple, ...]:
    """Return what answers a request with *status* and *message*."""
    code = _FIRST_CODE - plan.refusals.index(status)
    return (
        Simple("set", (Expression(MESSAGE), message)),
        Simple("return", (code,)),
    )


def refuse_if(variable: str, status: int, message: Expression, plan: Plan) -> If:
    """Return what does so where *variable* is set."""
    return If(variable=variable, directives=refuse(status, message, plan))


def words_of(message: str, answer: Answer) -> Expression:
    """Return a user's *message* as it is told: to clients of gRPC in a header."""
    if speaks_grpc(answer):
        message = quote(message, safe=_PRINTABLE, errors="surrogateescape")
    return expression(message)
