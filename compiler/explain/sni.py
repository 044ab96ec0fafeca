"""Which certificate a TLS client gets, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.catalog.plugins import REQUESTING
from compiler.plan.destinations import is_address
from compiler.plan.make import one_per_type
from compiler.plan.server_names import handshake_of
from compiler.plan.sni import lookups, names_served, normal_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.access import Handshake
    from compiler.model.config import Config
    from compiler.model.entities import Certificate, Sni
    from compiler.model.settings import Directive
    from compiler.model.sni import ServedCertificate, SniPlan
    from compiler.model.x509 import KeyPair

NO_SNI, DEFAULT = "no-sni", "default"

_CLIENT_BLOCKS = ("proxy", "http")
"""The blocks whose `ssl_verify_client` reaches the proxy's listeners, innermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SniAnswer:
    """What a client that sends `server_name` (None: no SNI) is answered with.

    `tried` holds what is looked up, in order, as (rule, name). `pairs` are those that are
    served, at most one of each key type; none where the compiler generates the default pair.
    `sni` and `certificate` are the entities that decided, if any. `requested_by` is the
    directive by which certificates of clients are asked for, `handshake` what routes have them
    asked for. Without `asked_is_known` what routes ask could not be planned.
    """

    server_name: str | None
    rule: str
    tried: tuple[tuple[str, str], ...]
    sni: Sni | None
    certificate: Certificate | None
    pairs: tuple[KeyPair, ...]
    requested_by: Directive | None
    handshake: Handshake | None
    asked_is_known: bool

    @property
    def requests_certificate(self) -> bool | None:
        """Tell whether the client is asked for a certificate, None where that is not known."""
        if self.requested_by is not None:
            return True
        return (self.handshake is not None and self.handshake.asks) if self.asked_is_known else None

    @property
    def source(self) -> str:
        """Return where the certificate comes from."""
        if self.certificate is not None:
            return "entity"
        return "ssl_cert" if self.pairs else "generated"

    @property
    def covered(self) -> bool | None:
        """Tell whether the certificate is valid for the name; None where that is unknown."""
        if self.server_name is None or not self.pairs:
            return None
        return any(pair.leaf.covers(self.server_name) for pair in self.pairs)


def has_tls(config: Config) -> bool:
    """Tell whether the proxy listens for TLS at all, be it for requests or for connections."""
    listeners = config.settings.listeners
    return any(x.ssl for group in ("proxy", "stream") for x in listeners.get(group, ()))


class SniExplainer:
    """Answers for one name after another; *handshakes* are None where they could not be planned."""

    def __init__(self, config: Config, handshakes: Sequence[Handshake] | None = None) -> None:
        self._handshakes = handshakes or ()
        self._asked_is_known = handshakes is not None or not _asks(config)
        default = one_per_type(config.materials.server.get("proxy", ()))
        self._plan = names_served(config, default)
        self._snis = {normal_name(sni.name): sni for sni in config.entities.snis.values()}
        self._requested_by = _requested_by(config)

    def explain(self, server_name: str | None) -> SniAnswer:
        """Return what a client that sends *server_name* gets."""
        if server_name is None or is_address(server_name):
            # Clients send no address as SNI; for Kong it would be no name to look up either.
            return self._default(server_name, NO_SNI if server_name is None else DEFAULT, (), None)
        tried = tuple(lookups(server_name))
        for rule, name in tried:
            served = _find(self._plan, rule, name)
            if served is not None:
                return self._found(server_name, rule, tried, self._snis[name], served)
        return self._default(server_name, DEFAULT, tried, server_name)

    def _found(
        self,
        server_name: str,
        rule: str,
        tried: tuple[tuple[str, str], ...],
        sni: Sni,
        served: ServedCertificate,
    ) -> SniAnswer:
        others = () if served.alternative is None else (served.alternative,)
        return SniAnswer(
            server_name=server_name,
            rule=rule,
            tried=tried,
            sni=sni,
            certificate=served.entity,
            pairs=(served.main, *others),
            requested_by=self._requested_by,
            handshake=handshake_of(server_name, self._handshakes),
            asked_is_known=self._asked_is_known,
        )

    def _default(
        self,
        server_name: str | None,
        rule: str,
        tried: tuple[tuple[str, str], ...],
        sent: str | None,
    ) -> SniAnswer:
        return SniAnswer(
            server_name=server_name,
            rule=rule,
            tried=tried,
            sni=None,
            certificate=None,
            pairs=self._plan.default,
            requested_by=self._requested_by,
            handshake=handshake_of(sent, self._handshakes),
            asked_is_known=self._asked_is_known,
        )


def _find(plan: SniPlan, rule: str, name: str) -> ServedCertificate | None:
    match rule:
        case "exact":
            return plan.exact.get(name)
        case "prefix-wildcard":
            return plan.prefix.get(name)
        case "suffix-wildcard":
            return plan.suffix.get(name)
        case _:
            return plan.catch_all


def _asks(config: Config) -> bool:
    """Tell whether some plugin may have clients asked for a certificate."""
    plugins = config.entities.plugins.values()
    return any(plugin.enabled and plugin.name in REQUESTING for plugin in plugins)


def _requested_by(config: Config) -> Directive | None:
    """Return the injected directive that asks clients for a certificate, if one does."""
    for block in _CLIENT_BLOCKS:
        directive = config.settings.directive(block, "ssl_verify_client")
        if directive is not None:
            return None if directive.value == "off" else directive
    return None
