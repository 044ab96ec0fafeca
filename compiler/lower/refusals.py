"""What plugins refuse in words of their own: by a code that error_page tells as their status.

The words are kept in a variable, set where the request is refused and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from compiler.model.nginx import If, Simple
from compiler.model.words import Expression, expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.model.plan import Plan

REFUSED = "refused"
"""The word by which such an error stays known."""
MESSAGE = "$refusal_message"

_FIRST_CODE = 593
MOST_REFUSALS = 80
"""How many statuses have a code: those below are nginx's own."""

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

_GRPC_STATUSES = {
    200: 0, 400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14,
    504: 4,
}  # fmt: skip
_GRPC_CLASSES = {2: 0, 4: 3, 5: 13}
_GRPC_UNKNOWN = 2


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


def words_of(message: str, *, grpc: bool) -> Expression:
    """Return a user's *message*, in the form in which it is told: gRPC has it in a header."""
    return expression(
        quote(message, safe=_PRINTABLE, errors="surrogateescape") if grpc else message
    )


def grpc_status(status: int) -> str:
    """Return Kong's status in gRPC for one of HTTP."""
    found = _GRPC_STATUSES.get(status)
    return str(_GRPC_CLASSES.get(status // 100, _GRPC_UNKNOWN) if found is None else found)
