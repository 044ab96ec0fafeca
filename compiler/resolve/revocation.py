"""The revocation lists that were given: read, and found their authorities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography import x509

from compiler.catalog import revocation_rules as rules
from compiler.model.place import Place
from compiler.model.revocation import RevocationList
from compiler.model.x509 import tolerant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.inputs import SourceText
    from compiler.model.x509 import X509

_BEGIN = b"-----BEGIN X509 CRL-----"
_BLOCK = re.compile(_BEGIN + rb".+?-----END X509 CRL-----", re.DOTALL)

_BROKEN = (
    ValueError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for what it cannot read."""

_UNDERSTOOD = (x509.AuthorityKeyIdentifier, x509.CRLNumber, x509.IssuingDistributionPoint)


class _ListError(Exception):
    """A file is not what it should be; the message goes on after the file's name."""


def resolve_lists(
    sources: Iterable[SourceText], cas: Mapping[str, X509], report: Report
) -> dict[str, RevocationList]:
    """Return the list of each authority that has one, by the id of the authority.

    Of several of one authority the newest counts. What is broken, and what is of nobody's use,
    is reported.
    """
    found: dict[str, RevocationList] = {}
    for source in sources:
        for read in _read(source, report):
            authorities = _authorities(read, cas, report)
            for other in {found[i].pem: found[i] for i in authorities if i in found}.values():
                _report_older(read, other, report)
            for identifier in authorities:
                if identifier not in found or read.is_newer_than(found[identifier]):
                    found[identifier] = read
    return found


def _read(source: SourceText, report: Report) -> list[RevocationList]:
    try:
        lists = list(_parse(source))
        limits = [_limit(read) for read in lists]
    except _ListError as error:
        _report_invalid(source, str(error), report)
        return []
    for read, limit in zip(lists, limits, strict=True):
        if limit is not None:
            report.add(
                rules.LIST_LIMITED,
                Place(source.name),
                issuer=read.issuer,
                limit=limit,
            )
    return [read for read, limit in zip(lists, limits, strict=True) if limit is None]


def _parse(source: SourceText) -> Iterator[RevocationList]:
    data = source.data
    blocks = _BLOCK.findall(data)
    if len(blocks) != data.count(_BEGIN):
        raise _ListError("ends within a revocation list")
    if not blocks and b"-----BEGIN " in data:
        raise _ListError("holds no revocation list, but something else in PEM")
    if not blocks:
        try:
            yield _loaded(source, x509.load_der_x509_crl(data))
        except _BROKEN as error:
            raise _ListError("holds no revocation list") from error
    for number, block in enumerate(blocks, 1):
        try:
            yield _loaded(source, x509.load_pem_x509_crl(block))
        except _BROKEN as error:
            which = "a revocation list" if len(blocks) == 1 else f"as number {number} a list"
            raise _ListError(f"holds {which} that is broken") from error


def _loaded(source: SourceText, loaded: x509.CertificateRevocationList) -> RevocationList:
    """Return a list whose fields can all be read. Raises one of _BROKEN."""
    with tolerant():
        read = RevocationList(source=source.name, loaded=loaded)
        # These are parsed when they are first asked for.
        _ = (read.issuer, read.number, read.begins, read.ends)
    return read


def _limit(read: RevocationList) -> str | None:
    """Return what keeps OpenSSL from taking a list for all that its authority says, or None."""
    for extension in read.loaded.extensions:
        said = extension.value
        if isinstance(said, x509.DeltaCRLIndicator):
            return "tells only what has changed since another"
        if isinstance(said, x509.IssuingDistributionPoint):
            if said.indirect_crl:
                return "speaks for other authorities, too"
            if said.only_some_reasons or said.only_contains_user_certs or (
                said.only_contains_ca_certs or said.only_contains_attribute_certs
            ):  # fmt: skip
                return "is about some certificates alone"
        elif extension.critical and not isinstance(said, _UNDERSTOOD):
            return f"has the critical extension {extension.oid.dotted_string}"
    return None


def _authorities(read: RevocationList, cas: Mapping[str, X509], report: Report) -> list[str]:
    named = [identifier for identifier, ca in cas.items() if read.names(ca)]
    found = [identifier for identifier in named if read.signed_by(cas[identifier])]
    if not found:
        report.add(
            rules.LIST_OF_NOBODY,
            Place(read.source),
            issuer=read.issuer,
            reason="the ca_certificate of that name did not sign it, or may not sign lists"
            if named
            else "no ca_certificate has that name",
        )
    return found


def _report_older(one: RevocationList, other: RevocationList, report: Report) -> None:
    if one == other:
        return
    newer, older = (one, other) if one.is_newer_than(other) else (other, one)
    report.add(
        rules.LIST_SUPERSEDED,
        Place(older.source),
        issuer=older.issuer,
        other=newer.source,
    )


def _report_invalid(source: SourceText, problem: str, report: Report) -> None:
    report.add(rules.LIST_INVALID, Place(source.name), file=source.name, problem=problem)
