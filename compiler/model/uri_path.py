"""The path of a URI in the normal form in which Kong stores and compares it."""

from __future__ import annotations

import re

_RESERVED = frozenset(b"!*'();:@&=+$,/?%#[]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_KEPT = re.compile(r"%(?:00|2[1467-9A-CF]|3[ABDF]|40|5[BD])", re.IGNORECASE)
"""Characters that nginx sends as they are once it has decoded them, while Kong keeps the escape.

A decoded `?` would begin the query; a NUL cannot be written at all.
"""


def normalize_path(text: str) -> str:
    """Return *text* decoded (but for reserved characters), without ``//`` and dot segments."""
    if "%" in text:
        raw = _ESCAPE.sub(decode_escape, text.encode("utf-8", "surrogateescape"))
        text = raw.decode("utf-8", "surrogateescape")
    if "." not in text and "//" not in text:
        return text
    return _without_dot_segments(text)


def kept_escape(path: str) -> str | None:
    """Return the first escape in *path* that is lost when nginx decodes it and escapes it again."""
    found = _KEPT.search(path)
    return None if found is None else found.group(0)


def decode_escape(match: re.Match[bytes]) -> bytes:
    """Return what stands for a percent-encoded byte: itself, or upper-cased if it is reserved."""
    code = int(match[1], 16)
    return match[0].upper() if code in _RESERVED else bytes([code])


def _without_dot_segments(text: str) -> str:
    kept: list[str] = []
    segments = text.split("/")
    last = len(segments) - 1
    for index, segment in enumerate(segments[1:], start=1):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
            continue
        if index == last:
            kept.append("")
    return "/" + "/".join(kept)
