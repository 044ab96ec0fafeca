"""The resolved configuration: settings, entities and the certificates they name."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from compiler.model.revocation import RevocationLists
from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.entities import Entities
    from compiler.model.place import Origin
    from compiler.model.revocation import RevocationList
    from compiler.model.settings import Settings
    from compiler.model.x509 import X509, Bundle, KeyPair


@value(kw_only=True)
class CertificatePairs:
    """What a certificate entity holds: one pair, perhaps a second of another key type."""

    main: KeyPair
    alternative: KeyPair | None = None

    @property
    def pairs(self) -> tuple[KeyPair, ...]:
        """Return the pairs there are."""
        return (self.main,) if self.alternative is None else (self.main, self.alternative)


@value(kw_only=True)
class UpstreamTlsDefaults:
    """How upstreams are verified where a service says nothing.

    `because` names, for each of verify, depth and trusted, the setting that decided; `block` is
    the one, in Kong's words, whose injected directives change that (`grpc`: those for gRPC).
    """

    verify: bool
    depth: int
    trusted: Bundle | None
    client: KeyPair | None
    because: Mapping[str, Because] = field(compare=False)
    block: str = "proxy"

    @property
    def trusted_setting(self) -> str:
        """Return the setting that names the certificate authorities."""
        block, prefix = ("proxy", "grpc") if self.block == "grpc" else (self.block, "proxy")
        return f"nginx_{block}_{prefix}_ssl_trusted_certificate"


@value()
class Because:
    """A setting (or nginx's default) that decided something, and where it was set."""

    name: str
    origin: Origin | None = None

    def __str__(self) -> str:
        return self.name if self.origin is None else f"{self.name} ({self.origin})"


@value(kw_only=True)
class Materials:
    """Certificates and keys, read and parsed.

    `server` holds the default pairs of each listener group that has TLS (proxy, admin,
    admin_gui, status); a group whose pair is not set is missing and gets the generated pair.
    Stream listeners have the proxy's. `stream` is to streams, and `grpc_upstream` to
    gRPC, what `upstream` is to requests.
    `certificates` and `cas` are keyed by entity id; broken ones are missing (and reported).
    `revoked` holds what authorities say of their certificates, by their id; few have such a list.
    `templates` are the texts that `error_template_*` name, by format.
    """

    server: Mapping[str, tuple[KeyPair, ...]]
    certificates: Mapping[str, CertificatePairs]
    cas: Mapping[str, X509]
    revoked: Mapping[str, RevocationList]
    upstream: UpstreamTlsDefaults
    grpc_upstream: UpstreamTlsDefaults
    stream: UpstreamTlsDefaults
    dhparam: str | None = field(repr=False)
    templates: Mapping[str, str]

    def defaults_of(self, protocol: str) -> UpstreamTlsDefaults:
        """Return the defaults for services of *protocol*: nginx has others for gRPC."""
        return self.grpc_upstream if protocol == "grpcs" else self.upstream

    def lists_for(self, authorities: Iterable[str]) -> RevocationLists:
        """Return what is known of certificates below *authorities* (ids) that were revoked.

        Chains may lead through authorities that these certify, so their lists count, too.
        """
        below = dict.fromkeys(i for i in authorities if i in self.cas)
        waiting = list(below) if self.revoked else []
        while waiting:
            issuer = self.cas[waiting.pop()]
            found = [i for i, ca in self.cas.items() if i not in below and ca.signed_by(issuer)]
            below |= dict.fromkeys(found)
            waiting += found
        return RevocationLists.of(self.revoked[i] for i in below if i in self.revoked)


@value(kw_only=True)
class Config:
    """Everything that was asked for, resolved; below this, types and references hold."""

    settings: Settings
    entities: Entities
    materials: Materials
