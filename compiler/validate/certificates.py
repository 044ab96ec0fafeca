"""What is wrong with certificates, seen before a client sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import tls_rules as rules
from compiler.model.diagnostic import Severity
from compiler.model.place import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from compiler.model.config import Config
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Certificate, Sni
    from compiler.model.place import Place
    from compiler.model.x509 import X509, KeyPair

_CA_EXPIRY_TOLERATED_FROM = (3, 15)
"""From this version Kong warns of an expired CA where it refused the configuration before."""

_SETTINGS = {
    "proxy": "ssl_cert",
    "admin": "admin_ssl_cert",
    "admin_gui": "admin_gui_ssl_cert",
    "status": "status_ssl_cert",
}


def check_certificates(config: Config, *, now: datetime, report: Report) -> None:
    """Report dates, chains, CA flags, and names that a certificate is not for."""
    moment = now.timestamp()
    for what, pair, entity in _pairs(config):
        chain = pair.chain
        for found in chain:
            if not found.begins <= moment <= found.ends:
                _report_dates(what, found, _place(what, entity, config), entity, moment, report)
        if len(chain) > 1:
            _check_chain(what, chain[-1], _place(what, entity, config), entity, report)
    _check_defaults(config, report)
    _check_cas(config, now=now, report=report)
    for sni in config.entities.snis.values():
        _check_sni(sni, config, report)


def _pairs(config: Config) -> Iterator[tuple[str, KeyPair, Certificate | None]]:
    """Yield every pair with what it is called (a setting, or a field of the entity)."""
    for group, pairs in config.materials.server.items():
        for pair in pairs:
            yield _SETTINGS[group], pair, None
    client = config.materials.upstream.client
    if client is not None:
        yield "client_ssl_cert", client, None
    for identifier, found in config.materials.certificates.items():
        entity = config.entities.certificates[identifier]
        yield "cert", found.main, entity
        if found.alternative is not None:
            yield "cert_alt", found.alternative, entity


def _place(what: str, entity: Certificate | None, config: Config) -> Place | None:
    """Return where a pair stands."""
    if entity is None:
        return place_of(config.settings.origin(what))
    return entity.source.place(what)


def _report_dates(
    what: str,
    found: X509,
    place: Place | None,
    entity: Certificate | None,
    moment: float,
    report: Report,
) -> None:
    expired = found.ends < moment
    date = found.not_after if expired else found.not_before
    report.add(
        rules.CERTIFICATE_EXPIRED if expired else rules.CERTIFICATE_NOT_YET_VALID,
        place,
        entity=None if entity is None else entity.ref,
        what=what,
        subject=found.subject,
        date=f"{date:%Y-%m-%d %H:%M} UTC",
    )


def _check_chain(
    what: str, last: X509, place: Place | None, entity: Certificate | None, report: Report
) -> None:
    """Say where a chain stops short of a root, when it has begun to be one."""
    if not last.issued_by(last) and not last.is_ca:
        report.add(
            rules.CHAIN_INCOMPLETE,
            place,
            entity=None if entity is None else entity.ref,
            what=what,
            subject=last.subject,
            issuer=last.issuer,
        )


def _check_defaults(config: Config, report: Report) -> None:
    missing = []
    for group, setting in _SETTINGS.items():
        groups = {group, "stream"} if group == "proxy" and _ends_streams(config) else {group}
        listeners = [x for name in groups for x in config.settings.listeners.get(name, ())]
        if not any(listener.ssl for listener in listeners):
            continue
        if not config.settings.items(setting):
            missing.append(setting)
        types = [pair.leaf.key_type for pair in config.materials.server.get(group, ())]
        for key_type in sorted({t for t in types if types.count(t) > 1}):
            report.add(
                rules.KEY_TYPE_REPEATED,
                place_of(config.settings.origin(setting)),
                setting=setting,
                key_type=key_type,
            )
    if missing:
        report.add(rules.SELF_SIGNED, None, settings=", ".join(missing))


def _ends_streams(config: Config) -> bool:
    """Tell whether a route ends the TLS of stream listeners, which have the proxy's certificate."""
    return any("tls" in route.protocols for route in config.entities.routes.values())


def _check_cas(config: Config, *, now: datetime, report: Report) -> None:
    tolerated = config.settings.kong_version >= _CA_EXPIRY_TOLERATED_FROM
    for identifier, found in config.materials.cas.items():
        entity = config.entities.ca_certificates[identifier]
        place = entity.source.place("cert")
        if not found.is_ca:
            report.add(rules.CA_FLAG_MISSING, place, entity=entity.ref, subject=found.subject)
        if found.not_after < now:
            report.add(
                rules.CA_EXPIRED,
                place,
                entity=entity.ref,
                severity=Severity.WARNING if tolerated else None,
                subject=found.subject,
                date=f"{found.not_after:%Y-%m-%d %H:%M} UTC",
            )


def _check_sni(sni: Sni, config: Config, report: Report) -> None:
    name = sni.name.lower().removesuffix(".")
    reason = _unreachable(name)
    if reason is not None:
        place = sni.source.place("name")
        report.add(rules.SNI_UNREACHABLE, place, entity=sni.ref, sni=sni.name, reason=reason)
        return
    pairs = config.materials.certificates.get(sni.certificate)
    if pairs is None or name == "*" or name.endswith("*"):
        return
    for pair in pairs.pairs:
        if not _covers(pair.leaf, name):
            report.add(
                rules.SNI_NOT_COVERED,
                sni.source.place("name"),
                entity=sni.ref,
                sni=sni.name,
                names=", ".join(pair.leaf.names[:5]) or "no name at all",
            )
            return


def _covers(leaf: X509, name: str) -> bool:
    """Tell whether *leaf* is valid for every name that an SNI stands for."""
    return name in leaf.names if name.startswith("*") else leaf.covers(name)


def _unreachable(name: str) -> str | None:
    """Say why no client's name ever finds this SNI, None when some may."""
    if name == "*" or "*" not in name:
        return None
    if name.startswith("*"):
        if not name.startswith("*."):
            return "the wildcard is not a whole label"
        if "." not in name[2:]:
            return "a prefix wildcard is looked up only for names of three labels or more"
        return None
    return None if name.endswith(".*") else "the wildcard is not a whole label"
