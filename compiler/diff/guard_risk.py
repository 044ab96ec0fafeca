"""Whether a change of a plugin that keeps requests out lets more of them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.diff.changes import risk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from compiler.diff.changes import Risk

    Step = tuple[bool, bool]

_LETTING_IN = ("config.allow", "config.ca_certificates")
_AUTHORITIES = ("config.ca_certificates",)
_KEEPING_OUT = ("config.deny", "protocols")
_LAX = ("config.skip_consumer_lookup", "config.allow_partial_chain")
_STRICT = ("config.ssl_verify", "config.secure_source")
_STAND_INS = ("config.anonymous", "config.default_consumer")
_INCLUDED = "config.include_consumer_groups"
_REVOCATION = ("SKIP", "IGNORE_CA_ERROR", "STRICT")


def guard_risk(before: Mapping[str, Any], after: Mapping[str, Any]) -> Risk:
    """Return the risk of a change from the fields *before* to those *after*."""
    steps = list(_steps(before, after))
    return risk(
        weakens=any(weakens for weakens, _ in steps),
        strengthens=any(strengthens for _, strengthens in steps),
    )


def _steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Step]:
    """Yield, for each field that matters, whether it now lets more in, and whether less."""
    for name in _LETTING_IN:
        was, is_now = before.get(name) or (), after.get(name) or ()
        # Without such a list nobody is kept out by it.
        if was and is_now:
            more, less = _more(was, is_now)
            # Whom another authority certifies is somebody else: it does not matter who leaves.
            yield more, less and not (more and name in _AUTHORITIES)
        else:
            yield bool(was), bool(is_now)
    for name in _KEEPING_OUT:
        yield _more(after.get(name) or (), before.get(name) or ())
    for name in _LAX + _STAND_INS:
        yield _switched(before.get(name), after.get(name))
    for name in _STRICT:
        yield _switched(after.get(name), before.get(name))
    included = _switched(*(fields.get(_INCLUDED) for fields in (before, after)))
    yield included[::-1] if after.get("config.deny") else included
    name = "config.revocation_check_mode"
    if before.get(name) in _REVOCATION and after.get(name) in _REVOCATION:
        was, is_now = _REVOCATION.index(before[name]), _REVOCATION.index(after[name])
        yield is_now < was, is_now > was


def _more(was: Iterable[Any], is_now: Iterable[Any]) -> Step:
    old, new = list(was), list(is_now)
    return any(item not in old for item in new), any(item not in new for item in old)


def _switched(was: object, is_now: object) -> Step:
    return bool(is_now) and not was, bool(was) and not is_now
