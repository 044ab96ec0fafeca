"""cors: which sites may use what a route answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from compiler.catalog import policy_rules as rules
from compiler.model.access import CrossOrigin, Origins
from compiler.plan.pcre_text import pcre_problem, without_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin

_ALL_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"
_PLAIN = re.compile(r"[A-Za-z0-9.:/-]+")
_URL = re.compile(r"(?:(?P<scheme>[A-Za-z0-9][A-Za-z0-9.-]*):)?//(?P<authority>[^/]*).*")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def plan_cross_origin(plugin: Plugin, report: Report) -> CrossOrigin:
    """Return what *plugin* tells browsers; report what nginx cannot look for, or say."""
    _report_problems(plugin, report)
    said = plugin.config
    return CrossOrigin(
        plugin=plugin,
        origins=_origins(said["origins"] or ()),
        methods=_ALL_METHODS if said["methods"] is None else ",".join(said["methods"]),
        headers=",".join(said["headers"] or ()) or None,
        exposed=",".join(said["exposed_headers"] or ()) or None,
        max_age=None if said["max_age"] is None else f"{said['max_age']:.14g}",
        credentials=said["credentials"],
        private_network=_since(said, "private_network", otherwise=False),
        answers_preflights=not said["preflight_continue"],
        told_without_origin=_since(said, "allow_origin_absent", otherwise=True),
    )


def _report_problems(plugin: Plugin, report: Report) -> None:
    said = plugin.config
    problems = [
        ("origins", repr(entry), _regex_problem(entry))
        for entry in said["origins"] or ()
        if entry.isprintable()
    ]
    # What a control character stands in may be a key that went astray.
    problems += [
        (field, "a control character", "would end its header")
        for field in ("origins", "headers", "exposed_headers")
        if not all(text.isprintable() for text in said[field] or ())
    ]
    for field, text, problem in problems:
        if problem is not None:
            report.add(
                rules.VALUE,
                plugin.written.place(field),
                entity=plugin.ref,
                plugin=plugin.name,
                field=field,
                value=text,
                reason=problem,
            )


def _regex_problem(entry: str) -> str | None:
    if entry == "*" or _PLAIN.fullmatch(entry):
        return None
    return pcre_problem(_unanchored(entry), strips=False)


def _since(said: Mapping[str, Any], field: str, *, otherwise: bool) -> bool:
    """Return a field that older versions lack, and then what they do."""
    return bool(said[field]) if field in said else otherwise


def _origins(entries: tuple[str, ...]) -> Origins:
    if not entries or entries == ("*",):
        return Origins(any_site=True)
    if "*" in entries:
        return Origins(any_site=True, listed=True)
    plain = [entry for entry in entries if _PLAIN.fullmatch(entry)]
    if plain == list(entries) and len(entries) == 1:
        return Origins(only=entries[0])
    regexes = [entry for entry in entries if not _PLAIN.fullmatch(entry)]
    return Origins(
        domains=tuple(map(_normalized, plain)),
        domain_regexes=tuple(without_names(_unanchored(e)) for e in regexes if ":" in e),
        host_regexes=tuple(without_names(_unanchored(e)) for e in regexes if ":" not in e),
        listed=True,
    )


def _normalized(entry: str) -> str:
    """Return a site as browsers send it: without a path, and without the usual port."""
    found = _URL.fullmatch(entry)
    if found is None or found["authority"].startswith(":") or not found["authority"]:
        return entry
    scheme, authority = found["scheme"], found["authority"]
    authority = authority.removesuffix(_DEFAULT_PORTS.get(scheme, "/"))
    return authority if scheme is None else f"{scheme}://{authority}"


def _unanchored(regex: str) -> str:
    """Return a regular expression without its anchors: it has to match all of a site anyway."""
    ends = regex.endswith("$") and not regex.endswith("\\$")
    return regex.removeprefix("^")[: -1 if ends else None]
