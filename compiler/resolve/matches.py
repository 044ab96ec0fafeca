"""Matched pairs as plain rows: quick to send from the process that matched them to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.model.secret import Secret
from compiler.model.x509 import X509, KeyPair
from compiler.resolve.pem import Match, match_pair

if TYPE_CHECKING:
    from collections.abc import Mapping

    Matches = Mapping[tuple[str, str], Match]
    """What became of pairs, by the texts of the certificate and the key."""

Row = tuple[Any, ...]


def match_row(certificate: str, key: str) -> Row:
    """Match a pair, and return what came of it without what the other side has already."""
    found = match_pair(certificate, Secret(key))
    pair = found.pair
    if pair is None:
        return found.fault, found.about, (), None, None
    chain = tuple(
        [(None if c.pem == certificate else c.pem, c.names, c.begins, c.ends) for c in pair.chain]
    )
    text = pair.key.reveal()
    digests = (pair.certificate_digest, pair.key_digest)
    return found.fault, found.about, chain, None if text == key else text, digests


def match_of(row: Row, certificate: str, key: str) -> Match:
    """Return what `match_row` found for the same texts."""
    fault, about, chain, text, digests = row
    if not chain:
        return Match(None, fault, about)
    pair = KeyPair(
        chain=tuple(
            [
                X509(pem=pem or certificate, names=names, begins=begins, ends=ends)
                for pem, names, begins, ends in chain
            ]
        ),
        key=Secret(text or key),
        digests=digests,
    )
    return Match(pair, fault, about)
