"""Checkers of fields that name another entity, by id, by name or by what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.catalog import entity_rules as rules
from compiler.model.document import MappingNode
from compiler.resolve.checks import is_uuid
from compiler.resolve.context import INVALID
from compiler.resolve.field_problems import report_invalid, report_type
from compiler.resolve.pem import PemError, parse_certificates
from compiler.resolve.problems import described, nearest, place_in

if TYPE_CHECKING:
    from compiler.catalog.schema_fields import Field
    from compiler.model.place import Place
    from compiler.resolve.context import Checker, Context
    from compiler.resolve.problems import Holder, Problems

_AUTHORITIES = "ca_certificates"
_ADD_AUTHORITY = "add a CA certificate with this id; each needs one written out"
_ADD_PEM = "add this certificate to ca_certificates, or name the id of one that is there"


def reference_checker(field: Field, name: str, context: Context) -> Checker:
    """Return a checker of names and ids, bare or in a mapping."""
    kind = field.kind or ""

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        wanted = value
        if isinstance(value, MappingNode):
            wanted = value.get("id") or value.get("name") or value.get("username")
        if type(wanted) is not str or not wanted:
            place = place_in(holder, key)
            expected = "a name or id, or a mapping with one of these"
            problems.add(
                rules.WRONG_TYPE,
                place,
                field=name,
                expected=expected,
                actual=described(value),
                suggestion="write the name of the entity",
            )
            return INVALID
        found = context.index.find(kind, wanted)
        if found is not None:
            return found
        suggestion = nearest(wanted, context.index.names(kind), f"add it to {kind}, or correct it")
        _report_unknown(name, wanted, kind, suggestion, place_in(holder, key), problems)
        return INVALID

    return check


def consumer_checker(field: Field, name: str, context: Context) -> Checker:
    """Return a checker of a consumer's id or username; an empty text is none."""
    index = context.index

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        if type(value) is not str:
            report_type(name, field, value, place_in(holder, key), problems)
            return INVALID
        if not value:
            return None
        # Kong tries the id first, also where somebody's username looks like one.
        found = index.find_id("consumers", value) or index.find("consumers", value)
        if found is not None:
            return found
        suggestion = nearest(
            value,
            index.names("consumers"),
            "add it to consumers, or name one of them by its username or id",
        )
        _report_unknown(name, value, "consumers", suggestion, place_in(holder, key), problems)
        return INVALID

    return check


def authority_id_checker(field: Field, name: str, context: Context) -> Checker:
    """Return a checker of the id of a certificate authority."""

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        place = place_in(holder, key)
        if type(value) is not str:
            report_type(name, field, value, place, problems)
        elif not is_uuid(value):
            report_invalid(name, f"{value!r} is not a UUID", place, problems)
        elif context.index.find(_AUTHORITIES, value) is None:
            _report_unknown(name, value, _AUTHORITIES, _ADD_AUTHORITY, place, problems)
        else:
            return value
        return INVALID

    return check


def authority_checker(field: Field, name: str, context: Context) -> Checker:
    """Return a checker of a certificate authority: its id, bare or in a mapping, or its PEM."""
    check_id = authority_id_checker(field, name, context)

    def check(value: Any, holder: Holder, key: str | int, problems: Problems) -> Any:
        if isinstance(value, MappingNode) and "id" in value:
            return check_id(value["id"], value, "id", problems)
        if type(value) is not str or "-----BEGIN " not in value:
            return check_id(value, holder, key, problems)
        place = place_in(holder, key)
        try:
            certificate, *others = parse_certificates(value)
        except PemError as error:
            report_invalid(name, f"it {error}", place, problems)
            return INVALID
        if others:
            report_invalid(name, "it holds several certificates", place, problems)
            return INVALID
        found = context.index.find_authority(certificate.sha256)
        if found is None:
            _report_unknown(name, certificate.subject, _AUTHORITIES, _ADD_PEM, place, problems)
            return INVALID
        return found

    return check


def _report_unknown(
    field: str, name: str, kind: str, suggestion: str, place: Place, problems: Problems
) -> None:
    if "-----BEGIN " in name:
        report_invalid(field, "", place, problems, pem=True)
        return
    problems.add(
        rules.UNKNOWN_REFERENCE, place, field=field, name=name, kind=kind, suggestion=suggestion
    )
