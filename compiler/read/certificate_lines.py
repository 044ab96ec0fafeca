"""Where the certificates of a large YAML file stand, before the file is read."""

from __future__ import annotations

import re

WORTHWHILE = 500_000
"""The bytes of certificates that make them worth a process of their own: some hundred pairs."""

_FIELD = b"\ncertificates:\n"
_NEXT_FIELD = re.compile(rb"\n[A-Za-z_]")


def certificate_lines(name: str, data: bytes) -> bytes | None:
    """Return what looks like the field `certificates` of a file, if it is large.

    That is a guess, by how tools write: only who has read the whole file knows what it means.
    """
    begin = data.find(_FIELD) + 1
    if begin == 0 or name.lower().endswith(".json"):
        return None
    following = _NEXT_FIELD.search(data, begin)
    end = len(data) if following is None else following.start() + 1
    return data[begin:end] if end - begin >= WORTHWHILE else None
