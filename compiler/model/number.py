"""Numbers as Kong's Lua reads and prints them."""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?\Z"
)


def lua_number(text: str) -> float | None:
    """Return the number that *text* is to Lua's `tonumber`, or None if it is none.

    Blanks around it do not count; `0x10`, `1e3` and `.5` are numbers, `1_000` and `inf` are not.
    """
    text = text.strip(" \t\n\v\f\r")
    if _DECIMAL.match(text):
        number = float(text)
    elif _HEXADECIMAL.match(text):
        try:
            number = float.fromhex(text)
        except OverflowError:
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def lua_number_text(number: float) -> str:
    """Return *number* as Lua prints it: at most fourteen digits, no needless zeros."""
    return f"{number:.14g}"
