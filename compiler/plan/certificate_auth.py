"""mtls-auth: which authorities a plugin trusts, and whose the certificates of clients are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compiler.model.access import CertificateAuth, ConsumerLookup, Match, Responders, Trust
from compiler.model.revocation import NO_LISTS
from compiler.model.x509 import Bundle
from compiler.plan.destinations import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import CertificateCredential, Consumer, Plugin

_TIMEOUT = 30000
"""Kong's default for http_timeout, in milliseconds."""


class CertificateAuthPlanner:
    """Plans each plugin once."""

    def __init__(self, config: Config, target: str, report: Report) -> None:
        self._config = config
        self._nginx_verifies = target == "nginx"
        self._report = report
        self._planned: dict[str, CertificateAuth] = {}
        self._bundles: dict[tuple[tuple[str, ...], bool], Bundle] = {}

    def plan(self, plugin: Plugin) -> CertificateAuth:
        """Return what *plugin* asks of clients."""
        if plugin.id not in self._planned:
            self._planned[plugin.id] = self._plan(plugin)
        return self._planned[plugin.id]

    def looks_up_responders(self) -> bool:
        """Tell whether names are looked up where responders are asked: not by a proxy's address."""
        asked = (auth.responders for auth in self._planned.values())
        return any(r and not (r.proxy and is_address(r.proxy[0])) for r in asked)

    def consumers(self) -> tuple[Consumer, ...]:
        """Return the consumers that what was planned may let somebody in as."""
        ids: dict[str, None] = {}
        for auth in self._planned.values():
            if auth.anonymous is not None:
                ids[auth.anonymous.id] = None
            if auth.lookup is not None:
                ids |= dict.fromkeys(match.consumer for match in self.credentials(auth.plugin.name))
                ids |= dict.fromkeys(match.consumer for match in auth.lookup.matches)
                ids |= dict.fromkeys(filter(None, (auth.lookup.default,)))
        return tuple(self._config.entities.consumers[identifier] for identifier in ids)

    def credentials(self, plugin: str) -> tuple[Match, ...]:
        """Return what credentials for *plugin* tell, those for one authority's names first."""
        entities = self._config.entities
        found = {
            "mtls-auth": entities.mtls_auth_credentials,
            "header-cert-auth": entities.header_cert_auth_credentials,
        }[plugin].values()
        return tuple(
            self._match(credential)
            for credential in sorted(found, key=lambda c: c.ca_certificate is None)
        )

    def _match(self, credential: CertificateCredential) -> Match:
        authority = credential.ca_certificate
        return Match(
            name=credential.subject_name,
            consumer=credential.consumer,
            credential=credential.id,
            authority=None if authority is None else self._config.materials.cas[authority].sha256,
        )

    def _plan(self, plugin: Plugin) -> CertificateAuth:
        said = plugin.config
        return CertificateAuth(
            plugin=plugin,
            trust=self._trust(said),
            responders=_responders(said),
            lookup=None if said["skip_consumer_lookup"] else self._lookup(plugin),
            anonymous=self._consumer(said["anonymous"]),
            group_by=said["authenticated_group_by"] or "CN",
            sends_names=bool(said.get("send_ca_dn")),
        )

    def _trust(self, said: Any) -> Trust:
        authorities = tuple(sorted(set(said["ca_certificates"])))
        partial_chains = bool(said["allow_partial_chain"])
        return Trust(
            authorities=authorities,
            bundle=self._bundle(authorities, ends_chains=partial_chains and self._nginx_verifies),
            partial_chains=partial_chains,
            revocation=said["revocation_check_mode"],
            lists=NO_LISTS
            if said["revocation_check_mode"] == "SKIP"
            else self._config.materials.lists_for(authorities),
        )

    def _bundle(self, authorities: tuple[str, ...], *, ends_chains: bool) -> Bundle:
        """Return the certificates; where each is the end of its chain, only if one has to be."""
        key = (authorities, ends_chains)
        if key not in self._bundles:
            cas = self._config.materials.cas
            found = Bundle(certificates=tuple(cas[i] for i in authorities))
            if ends_chains and found.dangling:
                found = replace(found, ends_chains=True)
            self._bundles[key] = found
        return self._bundles[key]

    def _consumer(self, identifier: str | None) -> Consumer | None:
        return None if identifier is None else self._config.entities.consumers[identifier]

    def _lookup(self, plugin: Plugin) -> ConsumerLookup:
        said, cas = plugin.config, self._config.materials.cas
        trusted = {cas[identifier].sha256 for identifier in said["ca_certificates"]}
        # A credential tied to another authority is worth nothing here, whatever the name.
        credentials = [
            match
            for match in self.credentials(plugin.name)
            if match.authority is None or match.authority in trusted
        ]
        fields = tuple(said["consumer_by"] or ())
        return ConsumerLookup(
            fields=fields,
            authorities=tuple(sorted({m.authority for m in credentials if m.authority})),
            matches=(*credentials, *self._by_fields(fields)),
            default=said.get("default_consumer"),
        )

    def _by_fields(self, fields: Iterable[str]) -> Iterator[Match]:
        """Yield names of consumers in the order in which Kong looks at them."""
        for field in fields:
            for consumer in self._config.entities.consumers.values():
                name = getattr(consumer, field)
                if name is not None:
                    yield Match(name=name, consumer=consumer.id)


def _responders(said: Any) -> Responders | None:
    if said["revocation_check_mode"] == "SKIP":
        return None
    host, port = said["http_proxy_host"], said["http_proxy_port"]
    return Responders(
        # Of no time at all nothing would be asked, which lets in who is revoked.
        timeout=max(1, int(said["http_timeout"] or _TIMEOUT)),
        proxy=(host, port) if host and port else None,
    )
