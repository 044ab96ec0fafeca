"""What each route asks of its clients: which plugin of each kind applies, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from compiler.catalog.plugin_schemas_tls import INTERMEDIATES_TOLD_SINCE
from compiler.model.access import OPEN, Access
from compiler.plan.addresses import plan_addresses
from compiler.plan.certificate_auth import CertificateAuthPlanner
from compiler.plan.certificate_headers import plan_certificate_headers
from compiler.plan.memberships import memberships, plan_groups
from compiler.plan.origins import plan_cross_origin
from compiler.plan.scopes import ScopedPlugins
from compiler.plan.termination import plan_termination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compiler.model.access import (
        CertificateAuth,
        CertificateHeader,
        CrossOrigin,
        GroupRule,
        Match,
    )
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Consumer, Plugin, Route

_T = TypeVar("_T")


class AccessPlanner:
    """Plans what routes ask for; equal ones are asked for once."""

    def __init__(self, config: Config, target: str, report: Report) -> None:
        self._plugins = ScopedPlugins(config, target)
        self._certificates = CertificateAuthPlanner(config, target, report)
        self._report = report
        self._tells_intermediates = (
            target == "openresty" and config.settings.kong_version >= INTERMEDIATES_TOLD_SINCE
        )
        self._planned: dict[str, Any] = {}
        self._accesses: dict[tuple[int, ...], Access] = {}
        self.memberships = memberships(config)

    def of(self, route: Route) -> Access:
        """Return what *route* asks of its clients."""
        if not self._plugins:
            return OPEN
        parts: dict[str, Any] = {
            "cross_origin": self._of("cors", route, self._cross_origin),
            "certificate": self._certificate("mtls-auth", route),
            "header_certificate": self._certificate("header-cert-auth", route),
            "told": self._of("tls-metadata-headers", route, self._certificate_headers) or (),
            "requests_certificate": self._plugins.applying("tls-handshake-modifier", route)
            is not None,
            "addresses": self._of("ip-restriction", route, plan_addresses),
            "groups": self._of("acl", route, self._groups),
            "termination": self._of("request-termination", route, plan_termination),
        }
        if not any(parts.values()):
            return OPEN
        # Parts are kept, so that equal ones are the same.
        key = tuple(map(id, parts.values()))
        if key not in self._accesses:
            self._accesses[key] = Access(**parts)
        return self._accesses[key]

    def _certificate_headers(self, plugin: Plugin) -> tuple[CertificateHeader, ...]:
        return plan_certificate_headers(plugin, with_intermediates=self._tells_intermediates)

    def _cross_origin(self, plugin: Plugin) -> CrossOrigin:
        return plan_cross_origin(plugin, self._report)

    def _groups(self, plugin: Plugin) -> GroupRule:
        return plan_groups(plugin, self.memberships)

    def credentials(self) -> Mapping[str, tuple[Match, ...]]:
        """Return what credentials of consumers tell, by the plugin that they are for."""
        kinds = ("mtls-auth", "header-cert-auth")
        return {kind: self._certificates.credentials(kind) for kind in kinds}

    def _certificate(self, name: str, route: Route) -> CertificateAuth | None:
        return self._of(name, route, self._certificates.plan)

    def looks_up_responders(self) -> bool:
        """Tell whether asking responders takes name servers, where the target asks them."""
        return self._certificates.looks_up_responders()

    def consumers(self) -> tuple[Consumer, ...]:
        """Return those as whom the routes planned so far let somebody in."""
        return self._certificates.consumers()

    def _of(self, name: str, route: Route, plan: Callable[[Plugin], _T]) -> _T | None:
        """Return what *plan* makes of the plugin of that name for *route*, None without one."""
        plugin = self._plugins.applying(name, route)
        if plugin is None:
            return None
        if plugin.id not in self._planned:
            self._planned[plugin.id] = plan(plugin)
        planned: _T = self._planned[plugin.id]
        return planned
