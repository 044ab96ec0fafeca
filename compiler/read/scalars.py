"""What a plain YAML scalar means to Kong, which reads YAML 1.1 with rules of its own."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Scalar = str | int | float | bool | None

_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON")
_FALSE = ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF")
_INFINITY = (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")

WORDS: dict[str, Scalar] = {
    **dict.fromkeys(_NULLS),
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_INFINITY, math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
"""The words that stand for something else than themselves."""

SPECIAL_STARTS = frozenset("0123456789+-.~_" + "".join(word[0] for word in WORDS if word))
"""What a plain scalar that is not a string can begin with."""

_OCTAL = re.compile(r"([+-]?)0_*([0-7][0-7_]*)")
_DECIMAL = re.compile(r"([+-]?)_*([0-9][0-9_]*)")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"([+-]?)0x_*([0-9a-fA-F][0-9a-fA-F_]*)")
_BINARY = re.compile(r"([+-]?)0b_*([01][01_]+)")
_SEXAGESIMAL = re.compile(r"([+-]?)([0-9]+:[0-5]?[0-9][:0-9]*)(\.[0-9]+)?")

# No number has a dash inside, but for an exponent's: UUIDs, the most frequent of these, have.
_DASHED = re.compile(r"[^eE]-")

# Python refuses longer numbers; Lua would have made them infinite.
_MAX_DIGITS = 300


@lru_cache(maxsize=4096)
def plain_scalar(text: str) -> Scalar:
    """Return what the unquoted *text* means: null, a boolean, a number or the text itself."""
    if not text:
        return None
    if text[0] not in SPECIAL_STARTS:
        return text
    if text in WORDS:
        return WORDS[text]
    if len(text) > _MAX_DIGITS or text[0].isalpha() or _DASHED.search(text):
        return text
    for number in _NUMBERS:
        value = number(text)
        if value is not None:
            return value
    return text


def tagged_scalar(tag: str, text: str) -> Scalar:
    """Return *text* as its explicit *tag* (such as ``!!str``) wants it.

    Raises ValueError when it can't be that. Unknown tags are ignored, as Kong does.
    """
    kind = tag.removeprefix("tag:yaml.org,2002:")
    if kind not in {"null", "bool", "int", "float"}:
        return text
    value = plain_scalar(text)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": type(value) is int,
        "float": type(value) in {int, float},
    }
    if not fits[kind]:
        raise ValueError(f"{text!r} is not of type {kind}")
    return float(value) if kind == "float" and isinstance(value, int) else value


def _based(pattern: re.Pattern[str], base: int) -> Callable[[str], int | None]:
    def number(text: str) -> int | None:
        match = pattern.fullmatch(text)
        if match is None:
            return None
        value = int(match[2].replace("_", ""), base)
        return -value if match[1] == "-" else value

    return number


def _decimal(text: str) -> int | None:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    digits = match[2].replace("_", "")
    return -int(digits) if match[1] == "-" else int(digits)


def _float(text: str) -> float | None:
    bare = text.replace("_", "")
    if not _FLOAT.fullmatch(bare) or bare.isdigit():
        return None
    return float(bare)


def _sexagesimal(text: str) -> float | None:
    match = _SEXAGESIMAL.fullmatch(text)
    if match is None:
        return None
    value: float = 0
    for digits in filter(None, match[2].split(":")):
        value = value * 60 + int(digits)
    if match[3]:
        value += float(match[3])
    return -value if match[1] == "-" else value


# The order is Kong's: 010 is octal, 08 decimal.
_NUMBERS: tuple[Callable[[str], int | float | None], ...] = (
    _based(_OCTAL, 8),
    _decimal,
    _float,
    _based(_HEXADECIMAL, 16),
    _based(_BINARY, 2),
    _sexagesimal,
)
