"""The predefined Diffie-Hellman groups (RFC 7919) as PEM."""

from __future__ import annotations

from base64 import b64encode
from textwrap import wrap

_OFFSETS = {2048: 560316, 3072: 2625351, 4096: 5736041, 6144: 15705020, 8192: 10965728}
"""The number by which RFC 7919 makes each group's modulus a safe prime."""


def predefined_dhparam(name: str) -> str:
    """Return the group *name* (`ffdhe2048` …) as PEM.

    RFC 7919 defines the modulus as 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1.
    """
    bits = int(name.removeprefix("ffdhe"))
    middle = (_floor_of_e(bits - 130) + _OFFSETS[bits]) << 64
    modulus = (1 << bits) - (1 << (bits - 64)) + middle - 1
    body = "\n".join(wrap(b64encode(_sequence(modulus, 2)).decode(), 64))
    return f"-----BEGIN DH PARAMETERS-----\n{body}\n-----END DH PARAMETERS-----\n"


def _sequence(*numbers: int) -> bytes:
    """Return a DER SEQUENCE of INTEGERs, which is all that DHParameter (PKCS #3) needs."""
    integers = b"".join(
        _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers
    )
    return _tagged(0x30, integers)


def _tagged(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _floor_of_e(shift: int) -> int:
    """Return floor(2^shift e), by the series of e with guard bits."""
    guard = 64
    term = total = 1 << (shift + guard)
    divisor = 1
    while term:
        term //= divisor
        total += term
        divisor += 1
    return total >> guard
