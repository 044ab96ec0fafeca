"""Who may come in: what a request has to pass before its route answers."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from compiler.model.revocation import NO_LISTS, RevocationLists
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.entities import Consumer, Plugin
    from compiler.model.x509 import Bundle

_UNAUTHORIZED, _FORBIDDEN = 401, 403

Revocation = Literal["SKIP", "IGNORE_CA_ERROR", "STRICT"]


@value(kw_only=True)
class Trust:
    """Whose certificates are believed: those of `authorities` (ids of entities, sorted).

    With `partial_chains` an authority that others certify is an end of the chain, too. `lists`
    tell who was revoked; where it does not matter (SKIP) there are none.
    """

    authorities: tuple[str, ...]
    bundle: Bundle
    partial_chains: bool = False
    revocation: Revocation = "IGNORE_CA_ERROR"
    lists: RevocationLists = NO_LISTS


@value(kw_only=True)
class Match:
    """A name in a certificate that is a consumer's; `credential` is the id of what says so.

    With `authority` (the SHA-256 of its DER in hex) it is the consumer's in certificates of that
    one alone.
    """

    name: str
    consumer: str
    credential: str | None = None
    authority: str | None = None


@value(kw_only=True)
class ConsumerLookup:
    """Whose a certificate is: the first of `matches` with one of its names, else `default`'s.

    `matches` are the credentials that count for any authority or one of `authorities`, which are
    those that some credential is tied to; and what consumers have in the `fields`.
    """

    fields: tuple[str, ...]
    authorities: tuple[str, ...]
    matches: tuple[Match, ...]
    default: str | None


@value(kw_only=True)
class Responders:
    """How those are asked (OCSP) whom certificates name, whether one was revoked.

    `timeout` is in milliseconds; with `proxy` (a host and a port) they are asked through it.
    """

    timeout: int
    proxy: tuple[str, int] | None


@value(kw_only=True)
class CertificateAuth:
    """A certificate that clients have to show.

    They do so in their handshake (mtls-auth), or a proxy that has seen it does in a header
    (header-cert-auth). Without `lookup` any trusted certificate is enough, and its `group_by` is
    the client's group. Who has none, or none that is believed, is let in as the consumer
    `anonymous`, if there is one.
    `sends_names` tells whether clients are told whose certificates are believed. `responders` are
    asked where the target can, None for SKIP.
    """

    plugin: Plugin = field(compare=False)
    trust: Trust
    responders: Responders | None = field(compare=False)
    lookup: ConsumerLookup | None
    anonymous: Consumer | None
    group_by: Literal["CN", "DN"]
    sends_names: bool


@value()
class CertificateHeader:
    """A header that tells upstreams something of a client's certificate.

    A `chain` is the certificate with the intermediates that came with it.
    """

    name: str
    what: Literal["certificate", "chain", "serial", "issuer", "subject", "fingerprint"]


@value(kw_only=True)
class Origins:
    """The sites that a browser may show answers to.

    Without `any_site` that is the one of `only`, whoever asks, or those of `domains` (as browsers
    send them) and of the regular expressions of whole domains or of hosts. With `listed` it depends
    on who asks.
    """

    any_site: bool = False
    only: str | None = None
    domains: tuple[str, ...] = ()
    domain_regexes: tuple[str, ...] = ()
    host_regexes: tuple[str, ...] = ()
    listed: bool = False


@value(kw_only=True)
class CrossOrigin:
    """What browsers are told of requests by pages of other sites (cors).

    `headers` is None where those that are asked for are allowed. Without `answers_preflights` the
    service does that, and without `told_without_origin` only who names its site is told anything.
    """

    plugin: Plugin = field(compare=False)
    origins: Origins
    methods: str
    headers: str | None
    exposed: str | None
    max_age: str | None
    credentials: bool
    private_network: bool
    answers_preflights: bool
    told_without_origin: bool


@value(kw_only=True)
class AddressRestriction:
    """From where requests may come (ip-restriction).

    The narrowest network with an address decides; without one `allows_others` does. Without a
    `message` the refusal names the address.
    """

    plugin: Plugin = field(compare=False)
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    allows_others: bool
    status: int
    message: str | None


@value(kw_only=True)
class GroupRule:
    """Members of which groups may ask (acl): all of `groups`, with `denies` all others.

    `members` are the ids of the consumers that are in one of them. With `includes_consumer_groups`
    those groups count that are entities of their own, too. With `hides` upstreams are not told in
    which groups somebody is.
    """

    plugin: Plugin = field(compare=False)
    groups: tuple[str, ...]
    members: tuple[str, ...]
    denies: bool
    includes_consumer_groups: bool
    hides: bool


@value(kw_only=True)
class Memberships:
    """The groups of each consumer that is in any, by its id.

    `acl` are those that `acls` name, `all` are these and behind them the consumer groups.
    """

    acl: Mapping[str, tuple[str, ...]]
    all: Mapping[str, tuple[str, ...]]

    def seen_by(self, rule: GroupRule) -> Mapping[str, tuple[str, ...]]:
        """Return the groups that count for *rule*."""
        return self.all if rule.includes_consumer_groups else self.acl


@value(kw_only=True)
class Termination:
    """An answer in place of the service's (request-termination).

    With a `trigger` only requests are answered that have a header or an argument of that name.
    `body` and `content_type` are None where there is none. `words` are what clients of gRPC are
    told instead, None where they are sent the body, too.
    """

    plugin: Plugin = field(compare=False)
    status: int
    body: str | None
    content_type: str | None
    words: str | None
    trigger: str | None


@value(kw_only=True)
class Access:
    """What Kong's plugins ask of the requests of a route, in the order in which they do."""

    cross_origin: CrossOrigin | None = None
    certificate: CertificateAuth | None = None
    requests_certificate: bool = False
    header_certificate: CertificateAuth | None = None
    told: tuple[CertificateHeader, ...] = ()
    addresses: AddressRestriction | None = None
    groups: GroupRule | None = None
    termination: Termination | None = None

    @property
    def authentications(self) -> tuple[CertificateAuth, ...]:
        """Return the ways in which clients have to say who they are, in their order."""
        both = (self.certificate, self.header_certificate)
        return tuple(found for found in both if found is not None)

    @property
    def asks_who(self) -> bool:
        """Tell whether clients are asked who they are."""
        return bool(self.authentications) or self.requests_certificate

    @property
    def asks_in_handshake(self) -> bool:
        """Tell whether handshakes ask clients for a certificate."""
        return self.certificate is not None or self.requests_certificate

    @property
    def refusals(self) -> frozenset[int]:
        """Return the statuses by which requests are refused with a message of a plugin's own."""
        found = set() if self.addresses is None else {self.addresses.status}
        if self.groups is not None:
            found.add(_FORBIDDEN if self.authentications else _UNAUTHORIZED)
        return frozenset(found)


OPEN = Access()


@value(kw_only=True)
class Handshake:
    """What clients are asked for when they connect with one of `names` (server names of TLS).

    Without `asks` that is nothing. `trust` verifies the certificate; without it any is taken.
    `tables` are the keys of those that requests to these names are looked up in. The first
    handshake of a plan is that of all other names, and of clients that send none; it has names
    where they would be taken for another's.
    """

    names: tuple[str, ...]
    asks: bool
    trust: Trust | None
    sends_names: bool
    tables: frozenset[str]
