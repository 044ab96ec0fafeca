"""Whose a certificate is: the names in it looked up among those of consumers.

nginx tells a certificate's subject, but not its subject alternative names. Kong looks at those
first, and at the common name only where there are none: so nobody with such names is known here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from compiler.lower.maps import expression_map, map_key
from compiler.model.nginx import Map
from compiler.model.words import Expression, Literal, expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.access import CertificateAuth, ConsumerLookup
    from compiler.model.entities import Consumer

COMMON_NAME = "$client_common_name"
SUBJECT = "$ssl_client_s_dn"
_HAS_NAMES = "$client_has_other_names"

_EXTENSION = ("BgNVHRE", "YDVR0R", "A1UdEQ")
"""The number of the extension with the names (2.5.29.17) in base64, wherever it begins."""

_VALUE = r"(?:[^\\,+]|\\.)*+"
_OTHER = rf"(?!CN=)[^=,+]++={_VALUE}"
_SUBJECT = rf"(?:{_OTHER}[,+])*+CN=(?<common_name>{_VALUE})(?:[,+]{_OTHER})*+$"
"""A subject with one common name; OpenSSL escapes what separates names (RFC 2253)."""

_ESCAPED = ',+"\\<>;'


class ClientVariables:
    """The variables that one plugin's lookups give, and the maps behind them.

    `by_host` tells that a certificate counts only for the host that its handshake was for. Names of
    variables tell how is looked up, and nothing of who is found: another consumer renames none.
    """

    def __init__(self, auth: CertificateAuth, *, by_host: bool) -> None:
        self._auth = auth
        self._by_host = by_host
        lookup, anonymous = auth.lookup, auth.anonymous
        found = None if lookup is None else (lookup.fields, lookup.authorities, lookup.default)
        name = _digest(repr((found, anonymous and anonymous.id, by_host)))
        self.name = name
        self.consumer = f"$consumer_{name}"
        self.credential = f"$credential_{name}"
        self.unknown = f"$unknown_client_{name}"
        self.anonymous = f"$anonymous_{name}"
        self.subject = f"$subject_{name}"
        self._candidate = "$candidate" if lookup is None else _candidate(lookup)
        self._found = f"$found_{name}"

    @property
    def has_credentials(self) -> bool:
        """Tell whether a credential may be what says whose a certificate is."""
        lookup = self._auth.lookup
        return lookup is not None and any(match.credential for match in lookup.matches)

    def maps(self) -> Iterator[Map]:
        """Yield the maps."""
        lookup, anonymous = self._auth.lookup, self._auth.anonymous
        found = self.consumer if anonymous is None else self._found
        if lookup is not None:
            yield self._candidates(lookup)
            yield self._exactly(found, 1, lookup.default or "")
            if self.has_credentials:
                yield self._exactly(self.credential, 2, "")
        if anonymous is not None:
            yield from self._or_anonymous("1" if lookup is None else found, anonymous)
        elif lookup is not None:
            yield expression_map(
                "whether a certificate is believed, and nobody's",
                f"$certificate_state:{self.consumer}",
                self.unknown,
                {"verified:": "1"},
            )

    def _candidates(self, lookup: ConsumerLookup) -> Map:
        rows: dict[str, list[str]] = {}
        for match in lookup.matches:
            name = rfc2253(match.name)
            # nginx compares keys without letter case: the name itself has to be compared, too.
            rows.setdefault(name.lower(), []).append(
                f"{name} {match.consumer} {match.credential or '-'}"
            )
        return Map(
            why="who may be known by a common name: name, consumer, credential",
            source=Expression(COMMON_NAME),
            variable=self._candidate,
            default=None,
            entries=tuple(
                (Literal(map_key(name)), expression("\n".join(dict.fromkeys(found))))
                for name, found in sorted(rows.items())
            ),
        )

    def _exactly(self, variable: str, part: int, otherwise: str) -> Map:
        what = ("consumer", "credential")[part - 1]
        or_else = ", or else the default" if otherwise else ""
        captured = {1: r"(?<the_consumer>\S+) ", 2: r"\S+ (?<the_credential>[^\s-]\S*)"}[part]
        return Map(
            why=f"the {what} whose name is the same to the letter{or_else}",
            source=Expression(f"{_HAS_NAMES}\n{COMMON_NAME}\n{self._candidate}"),
            variable=variable,
            default=Literal(otherwise) if otherwise else None,
            entries=(
                (Literal(rf"~^\n(?<exact_name>[^\n]+)\n(?:[^\n]*\n)*?\k<exact_name> {captured}"),
                 Expression(f"$the_{what}")),
                *(((Literal("~^1"), Literal("")),) if otherwise else ()),
            ),
        )  # fmt: skip

    def _or_anonymous(self, found: str, anonymous: Consumer) -> Iterator[Map]:
        source = f"$certificate_state{'$misdirected' if self._by_host else ''}:{found}"
        yield Map(
            why="who is let in: whoever is known, or else the anonymous consumer",
            source=Expression(source),
            variable=self.consumer,
            default=Literal(anonymous.id),
            entries=(
                (Literal("~^verified:(?<known_consumer>.+)$"),
                 Expression("$known_consumer" if self._auth.lookup else "")),
            ),
        )  # fmt: skip
        yield Map(
            why="whether that is the anonymous consumer",
            source=Expression(source),
            variable=self.anonymous,
            default=Literal("true"),
            entries=((Literal("~^verified:."), Literal("")),),
        )
        if self._auth.lookup is None:
            yield Map(
                why="the subject of a certificate that is believed",
                source=Expression(source),
                variable=self.subject,
                default=None,
                entries=((Literal("~^verified:"), Expression(SUBJECT)),),
            )


def name_maps() -> tuple[Map, ...]:
    """Return the maps to the name by which certificates are looked up."""
    anywhere = "|".join(r"\s*".join(text) for text in _EXTENSION)
    return (
        Map(
            why="whether a certificate has subject alternative names, which nginx does not tell",
            source=Expression("$ssl_client_raw_cert"),
            variable=_HAS_NAMES,
            default=None,
            entries=((Literal(f"~(?:{anywhere})"), Literal("1")),),
        ),
        Map(
            why="the common name of a certificate that has one alone, and no other names",
            source=Expression(f"{_HAS_NAMES}\n{SUBJECT}"),
            variable=COMMON_NAME,
            default=None,
            entries=((Literal(rf"~^\n{_SUBJECT}"), Expression("$common_name")),),
        ),
    )


def certificate_name(source: str, variable: str) -> Map:
    """Return the map from a subject to its common name, whatever other names there are."""
    return Map(
        why="the common name of a subject that has one alone",
        source=Expression(source),
        variable=variable,
        default=None,
        entries=((Literal(f"~^{_SUBJECT}"), Expression("$common_name")),),
        options=("volatile",),
    )


def consumer_maps(consumers: Iterable[Consumer]) -> tuple[Map, ...]:
    """Return the maps from a consumer's id to what else upstreams are told of it."""
    known = sorted(consumers, key=lambda consumer: consumer.id)
    return tuple(
        Map(
            why=f"a consumer's {field}",
            source=Expression("$consumer_id"),
            variable=f"$consumer_{field}",
            default=None,
            entries=tuple(
                (Literal(map_key(consumer.id)), expression(value))
                for consumer in known
                if (value := getattr(consumer, field)) is not None
            ),
            # `set` comes first, but what is looked up before it must not be kept.
            options=("volatile",),
        )
        for field in ("username", "custom_id")
    )


def rfc2253(name: str) -> str:
    """Return *name* as OpenSSL writes it in a subject (X509_NAME_print_ex, XN_FLAG_RFC2253)."""
    text = "".join(_escape(byte) for byte in name.encode("utf-8", "surrogateescape"))
    if name[:1] in (" ", "#"):
        text = f"\\{text}"
    if len(name) > 1 and name.endswith(" "):
        text = f"{text[:-1]}\\ "
    return text


def _escape(byte: int) -> str:
    if byte < 0x20 or byte > 0x7E:
        return f"\\{byte:02X}"
    character = chr(byte)
    return f"\\{character}" if character in _ESCAPED else character


def _candidate(lookup: ConsumerLookup) -> str:
    """Return the variable of who may be meant, which lookups of the same consumers share."""
    told = [*lookup.fields, *([_digest(repr(lookup.authorities))] if lookup.authorities else ())]
    return "_".join(("$candidate_by", *(told or ("credential",))))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
