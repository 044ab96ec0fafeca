"""What each route asks of its clients: which plugin of each kind applies, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog.plugins import is_compiled
from compiler.model.access import OPEN, Access, CertificateHeader
from compiler.plan.certificate_auth import CertificateAuthPlanner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compiler.model.access import CertificateAuth, Match
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Consumer, Plugin, Route


class AccessPlanner:
    """Plans what routes ask for; equal ones are asked for once."""

    def __init__(self, config: Config, target: str, report: Report) -> None:
        self._plugins = _by_scope(config, target)
        self._certificates = CertificateAuthPlanner(config, report)

    def of(self, route: Route) -> Access:
        """Return what *route* asks of its clients."""
        if not self._plugins:
            return OPEN
        return Access(
            certificate=self._certificate("mtls-auth", route),
            header_certificate=self._certificate("header-cert-auth", route),
            told=_told(self._applying("tls-metadata-headers", route)),
            requests_certificate=self._applying("tls-handshake-modifier", route) is not None,
        )

    def credentials(self) -> Mapping[str, tuple[Match, ...]]:
        """Return what credentials of consumers tell, by the plugin that they are for."""
        kinds = ("mtls-auth", "header-cert-auth")
        return {kind: self._certificates.credentials(kind) for kind in kinds}

    def _certificate(self, name: str, route: Route) -> CertificateAuth | None:
        plugin = self._applying(name, route)
        return None if plugin is None else self._certificates.plan(plugin)

    def consumers(self) -> tuple[Consumer, ...]:
        """Return those as whom the routes planned so far let somebody in."""
        return self._certificates.consumers()

    def _applying(self, name: str, route: Route) -> Plugin | None:
        """Return the plugin of that name that Kong runs for *route*: the one closest to it."""
        for scope in _scopes(route):
            found = self._plugins.get((name, *scope))
            if found is not None:
                return found
        return None


def _told(plugin: Plugin | None) -> tuple[CertificateHeader, ...]:
    """Return the headers that *plugin* tells; without `inject_client_cert_details` it does not."""
    if plugin is None or not plugin.config["inject_client_cert_details"]:
        return ()
    said = plugin.config
    return (
        CertificateHeader(said["client_cert_header_name"], "certificate"),
        CertificateHeader(said["client_serial_header_name"], "serial"),
        CertificateHeader(said["client_cert_issuer_dn_header_name"], "issuer"),
        CertificateHeader(said["client_cert_subject_dn_header_name"], "subject"),
        CertificateHeader(said["client_cert_fingerprint_header_name"], "fingerprint"),
    )


def _scopes(route: Route) -> Iterator[tuple[str | None, str | None]]:
    """Yield the scopes (route, service) that a route's requests are in, closest first."""
    if route.service is not None:
        yield route.id, route.service
    yield route.id, None
    if route.service is not None:
        yield None, route.service
    yield None, None


def _by_scope(config: Config, target: str) -> dict[tuple[str, str | None, str | None], Plugin]:
    return {
        (plugin.name, plugin.route, plugin.service): plugin
        for plugin in config.entities.plugins.values()
        if plugin.enabled and is_compiled(plugin, target)
    }
