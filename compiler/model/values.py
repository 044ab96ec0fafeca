"""Values: dataclasses that nothing changes once they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(
    *, kw_only: bool = False, eq: bool = True, order: bool = False, slots: bool = True
) -> Callable[[type[T]], type[T]]:
    """Make a class a frozen dataclass, of which very many instances may be made.

    That nobody assigns to a field is for the type checker to see: dataclass's own check makes
    each of them more than twice as slow to make, a twelfth of the time of a large compilation.
    """
    return dataclass(kw_only=kw_only, eq=eq, order=order, slots=slots, unsafe_hash=eq)
