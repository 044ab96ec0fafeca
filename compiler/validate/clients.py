"""What plugins ask of clients' certificates that nginx cannot, or that nobody can meet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import access_rules as rules
from compiler.catalog.plugins import LOOKS_UP_CONSUMERS, REQUESTING
from compiler.model.diagnostic import Related
from compiler.model.place import place_of
from compiler.validate.client_headers import check_header
from compiler.validate.plugins import compiled_plugins, scope_of

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Plugin
    from compiler.model.place import Place
    from compiler.model.x509 import X509

_OWN_DIRECTIVES = {
    "http": ("ssl_verify_client",),
    "proxy": (
        "ssl_verify_client",
        "ssl_verify_depth",
        "ssl_client_certificate",
        "ssl_trusted_certificate",
        "ssl_session_tickets",
    ),
}
"""Directives of ours where clients are asked, by Kong's name of the block to inject them into."""

_HARMLESS_COMMANDS = frozenset(
    {
        "ciphersuites",
        "cipherstring",
        "clientsignaturealgorithms",
        "curves",
        "dhparameters",
        "groups",
        "maxprotocol",
        "minprotocol",
        "numtickets",
        "options",
        "recordpadding",
        "signaturealgorithms",
    }
)
"""Commands of OpenSSL (ssl_conf_command) that leave alone whose certificates are believed."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_clients(config: Config, target: str, report: Report) -> None:
    """Report what cannot be compiled of the plugins that ask for certificates."""
    plugins = compiled_plugins(config, target, *REQUESTING, "header-cert-auth")
    if any(plugin.name in LOOKS_UP_CONSUMERS for plugin in plugins):
        _check_consumers(config, report)
    for plugin in plugins:
        if plugin.name in REQUESTING:
            _check_listeners(plugin, config, report)
        if plugin.name == "mtls-auth":
            checker = _Checker(plugin, config, report)
            checker.check()
            if target == "nginx":
                checker.check_without_lua()
        elif plugin.name == "header-cert-auth":
            _Checker(plugin, config, report).check()
            check_header(plugin, config, report)


def _check_consumers(config: Config, report: Report) -> None:
    """Report names that would be more than one header to upstreams."""
    for consumer in config.entities.consumers.values():
        for field in ("username", "custom_id"):
            if _CONTROL.search(getattr(consumer, field) or ""):
                report.add(
                    rules.CONSUMER_NAME,
                    consumer.source.place(field),
                    entity=consumer.ref,
                    consumer=consumer.id,
                    field=field,
                )


def _check_listeners(plugin: Plugin, config: Config, report: Report) -> None:
    for block, names in _OWN_DIRECTIVES.items():
        for name in names:
            _check_injected(block, name, plugin, config, report)
        command = config.settings.directive(block, "ssl_conf_command")
        if command is not None and not _is_harmless(command.value):
            _check_injected(block, "ssl_conf_command", plugin, config, report)
    listeners = config.settings.listeners.get("proxy", ())
    if listeners and not any(listener.ssl for listener in listeners):
        report.add(
            rules.NO_TLS_LISTENER,
            plugin.source.place("name"),
            entity=plugin.ref,
            plugin=plugin.name,
            scope=scope_of(plugin, config),
        )


def _check_injected(block: str, name: str, plugin: Plugin, config: Config, report: Report) -> None:
    directive = config.settings.directive(block, name)
    if directive is not None:
        report.add(
            rules.REQUEST_INJECTED,
            place_of(directive.origin),
            entity=plugin.ref,
            related=(Related("the plugin", plugin.source.place("name")),),
            setting=f"nginx_{block}_{name}",
            plugin=plugin.name,
            scope=scope_of(plugin, config),
        )


def _is_harmless(command: str) -> bool:
    """Tell whether a command of OpenSSL changes neither who is believed nor what is remembered.

    A ticket of one server is taken by another, whoever that believes: Options may not allow them.
    """
    name = re.match(r"\W*(\w+)", command)
    allowed = name is not None and name[1].lower() in _HARMLESS_COMMANDS
    return allowed and re.search(r"(?<![-\w])sessionticket", command.lower()) is None


class _Checker:
    """Checks one mtls-auth plugin."""

    def __init__(self, plugin: Plugin, config: Config, report: Report) -> None:
        self._plugin = plugin
        self._config = config
        self._report = report
        self._scope = scope_of(plugin, config)

    def check(self) -> None:
        """Report what no target can do, and what nobody can meet."""
        known = self._trusted()
        if not self._plugin.config["allow_partial_chain"] and not _has_root(known):
            dangling = _dangling(known)
            ca = dangling[0] if dangling else known[0]
            self._report.add(
                rules.CHAIN_WITHOUT_ROOT,
                self._place("ca_certificates"),
                entity=self._plugin.ref,
                plugin=self._plugin.name,
                scope=self._scope,
                subject=ca.subject,
                issuer=ca.issuer,
            )

    def check_without_lua(self) -> None:
        """Report what nginx alone cannot do."""
        self._check_names()
        if not self._plugin.config["allow_partial_chain"] or not self._uses_lists():
            return
        for ca in _dangling(self._trusted()):
            self._report.add(
                rules.PARTIAL_CHAIN,
                self._place("allow_partial_chain"),
                entity=self._plugin.ref,
                scope=self._scope,
                subject=ca.subject,
                issuer=ca.issuer,
            )

    def _uses_lists(self) -> bool:
        said = self._plugin.config
        lists = self._config.materials.lists_for(said["ca_certificates"])
        return said["revocation_check_mode"] != "SKIP" and bool(lists)

    def _trusted(self) -> list[X509]:
        cas = self._config.materials.cas
        return [cas[i] for i in self._plugin.config["ca_certificates"] if i in cas]

    def _check_names(self) -> None:
        said = self._plugin.config
        rule = rules.SAN_HEADER if said["skip_consumer_lookup"] else rules.LOOKUP_BY_SAN
        self._report.add(rule, self._place(), entity=self._plugin.ref, scope=self._scope)
        if not said["skip_consumer_lookup"]:
            self._check_credentials()

    def _check_credentials(self) -> None:
        cas, credentials = self._config.materials.cas, self._config.entities.mtls_auth_credentials
        tied = {c.ca_certificate for c in credentials.values() if c.ca_certificate in cas}
        untold = {identifier: cas[identifier] for identifier in tied if identifier is not None}
        untold = {i: ca for i, ca in untold.items() if self._is_one_of_several(ca)}
        for credential in credentials.values():
            authority = untold.get(credential.ca_certificate or "")
            if authority is not None:
                self._report.add(
                    rules.CREDENTIAL_AUTHORITY,
                    credential.source.place("ca_certificate"),
                    entity=credential.ref,
                    related=(Related("the plugin's authorities", self._place("ca_certificates")),),
                    scope=self._scope,
                    name=credential.subject_name,
                    authority=authority.subject,
                )

    def _is_one_of_several(self, authority: X509) -> bool:
        """Tell whether some clients that are let in, but not all, are certified by *authority*."""
        trusted = self._trusted()
        return any(ca != authority for ca in trusted) and self._leads_to(authority, trusted)

    def _leads_to(self, authority: X509, trusted: list[X509]) -> bool:
        """Tell whether a chain with *authority* in it may end in one of those *trusted*."""
        seen: list[X509] = []
        waiting = [authority]
        while waiting:
            found = waiting.pop()
            if found in trusted:
                return True
            seen.append(found)
            cas = self._config.materials.cas.values()
            waiting += [ca for ca in cas if found.issued_by(ca) and ca not in seen]
        return False

    def _place(self, name: str = "skip_consumer_lookup") -> Place:
        written = self._plugin.written
        return written.place(name) if name in written else self._plugin.source.place("config")


def _dangling(known: list[X509]) -> list[X509]:
    """Return the authorities that none of *known* certifies."""
    return [ca for ca in known if not any(ca.issued_by(other) for other in known)]


def _has_root(known: list[X509]) -> bool:
    """Tell whether some chain may end among *known*; also where none could be read."""
    return not known or any(ca.issued_by(ca) for ca in known)
