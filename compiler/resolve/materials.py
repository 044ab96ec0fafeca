"""The certificates and keys that settings and entities name, read and parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import tls_rules as rules
from compiler.model.config import CertificatePairs, Materials
from compiler.model.place import place_of
from compiler.model.secret import Secret
from compiler.resolve.error_templates import resolve_templates
from compiler.resolve.pem import (
    PemError,
    as_pem,
    match_pair,
    parse_certificates,
    parse_dhparam,
)
from compiler.resolve.revocation import resolve_lists
from compiler.resolve.upstream_defaults import resolve_upstream_defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.config import UpstreamTlsDefaults
    from compiler.model.diagnostic import EntityRef, Report
    from compiler.model.entities import CaCertificate, Certificate, Entities
    from compiler.model.inputs import FileReader, SourceText
    from compiler.model.place import Place
    from compiler.model.settings import Settings
    from compiler.model.x509 import X509, KeyPair
    from compiler.resolve.matches import Matches
    from compiler.resolve.pem import Match

SERVER_PAIRS = {
    "proxy": ("ssl_cert", "ssl_cert_key"),
    "admin": ("admin_ssl_cert", "admin_ssl_cert_key"),
    "admin_gui": ("admin_gui_ssl_cert", "admin_gui_ssl_cert_key"),
    "status": ("status_ssl_cert", "status_ssl_cert_key"),
}
"""The properties that hold the default pairs of each listener group."""

_HTTPS = frozenset({"https", "wss"})
_GRPCS = frozenset({"grpcs"})

PREDEFINED_DH_GROUPS = frozenset(f"ffdhe{bits}" for bits in (2048, 3072, 4096, 6144, 8192))


def resolve_materials(
    settings: Settings,
    entities: Entities,
    *,
    files: FileReader,
    system_ca: str | None,
    lists: Iterable[SourceText] = (),
    matches: Matches | None = None,
    report: Report,
) -> Materials:
    """Read and parse everything that holds a certificate; report what is broken.

    *lists* are those of revoked certificates; *matches* are pairs of entities that were parsed
    already.
    """
    loader = Loader(settings, files, report)
    client = loader.client_pair()
    protocols = {service.protocol for service in entities.services.values()}

    def defaults(block: str, needed: bool) -> UpstreamTlsDefaults:  # noqa: FBT001
        return resolve_upstream_defaults(
            settings,
            block=block,
            client=client,
            files=files,
            system_ca=system_ca,
            needed=needed,
            report=report,
        )

    cas = _entity_cas(entities.ca_certificates, report)
    return Materials(
        server=_server_pairs(settings, loader),
        certificates=_entity_pairs(entities.certificates, matches or {}, report),
        cas=cas,
        revoked=resolve_lists(lists, cas, report),
        upstream=defaults("proxy", not protocols.isdisjoint(("https", "wss"))),
        grpc_upstream=defaults("grpc", "grpcs" in protocols),
        stream=defaults("sproxy", not protocols.isdisjoint(("tls", "tls_passthrough"))),
        dhparam=loader.dhparam(),
        templates=resolve_templates(settings, files, report),
    )


def lacks_pair(settings: Settings) -> bool:
    """Tell whether a listener has TLS and nothing names its certificate."""
    return any(
        any(listener.ssl for listener in settings.listeners.get(group, ()))
        and not settings.items(certificates)
        for group, (certificates, _) in SERVER_PAIRS.items()
    )


class Loader:
    """Loads what settings name: a path, PEM, or PEM in base64, as Kong does."""

    def __init__(self, settings: Settings, files: FileReader, report: Report) -> None:
        self._settings = settings
        self._files = files
        self._report = report

    def pairs(self, certificates: str, keys: str) -> tuple[KeyPair, ...]:
        """Return the pairs of a list of certificates and a list of keys, matched by position."""
        found = [
            self._pair(certificates, certificate, keys, key)
            for certificate, key in zip(
                self._settings.items(certificates), self._settings.items(keys), strict=False
            )
        ]
        return tuple(pair for pair in found if pair is not None)

    def client_pair(self) -> KeyPair | None:
        """Return the pair sent to all upstreams; None unless client_ssl is on."""
        names = ("client_ssl_cert", "client_ssl_cert_key")
        certificate, key = (self._settings.text(name) for name in names)
        if not self._settings.flag("client_ssl"):
            for name, value in zip(names, (certificate, key), strict=True):
                if value is not None:
                    self._report.add(rules.CLIENT_SSL_OFF, self._place(name), setting=name)
            return None
        if certificate is None or key is None:
            self._report.add(rules.CLIENT_SSL_EMPTY, self._place("client_ssl"))
            return None
        return self._pair(names[0], certificate, names[1], key)

    def dhparam(self) -> str | None:
        """Return the user's DH parameters as PEM, a predefined group's name, or None."""
        name = "ssl_dhparam"
        value = self._settings.text(name)
        if value is None or value in PREDEFINED_DH_GROUPS:
            return value
        text = self._text(name, value)
        if text is None:
            return None
        try:
            parse_dhparam(text)
        except PemError as error:
            self._report.add(rules.MATERIAL_INVALID, self._place(name), what=name, problem=error)
            return None
        return text

    def _pair(self, cert_name: str, cert: str, key_name: str, key: str) -> KeyPair | None:
        certificate = self._text(cert_name, cert)
        private = self._text(key_name, key)
        if certificate is None or private is None:
            return None
        return report_match(
            match_pair(certificate, Secret(private)),
            what=(cert_name, key_name),
            places=(self._place(cert_name), self._place(key_name)),
            report=self._report,
        )

    def _text(self, name: str, value: str) -> str | None:
        pem = None if self._files.exists(value) else as_pem(value)
        if pem is not None:
            return pem
        # A value that is no path may be a mangled key: only what looks like a path is shown.
        shown = value if len(value) <= 256 and "\n" not in value and "/" in value else "no file"
        try:
            return self._files.read(value).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a file name, PEM, or base64 of PEM"
            self._report.add(
                rules.MATERIAL_UNREADABLE,
                self._place(name),
                setting=name,
                path=shown,
                reason=reason,
            )
            return None

    def _place(self, name: str) -> Place | None:
        return place_of(self._settings.origin(name))


def report_match(
    found: Match,
    *,
    what: tuple[str, str],
    places: tuple[Place | None, Place | None],
    report: Report,
    entity: EntityRef | None = None,
) -> KeyPair | None:
    """Return a pair that was parsed, or None; report its fault.

    It is reported under the names *what* at *places* (certificate, key).
    """
    about = found.about
    match found.fault:
        case "certificate":
            report.add(
                rules.MATERIAL_INVALID, places[0], entity=entity, what=what[0], problem=about
            )
        case "key":
            report.add(
                rules.MATERIAL_INVALID, places[1], entity=entity, what=what[1], problem=about
            )
        case "mismatch":
            both = f"{what[0]} and {what[1]}"
            report.add(rules.KEY_MISMATCH, places[1], entity=entity, what=both, subject=about)
        case "order":
            report.add(rules.CHAIN_ORDER, places[0], entity=entity, what=what[0], order=about)
        case None:
            pass
    return found.pair


def has_tls(settings: Settings, group: str) -> bool:
    """Tell whether any listener needs the certificates of *group*; streams have the proxy's."""
    groups = ("proxy", "stream") if group == "proxy" else (group,)
    return any(x.ssl for name in groups for x in settings.listeners.get(name, ()))


def _server_pairs(settings: Settings, loader: Loader) -> dict[str, tuple[KeyPair, ...]]:
    found = {}
    for group, (certificates, keys) in SERVER_PAIRS.items():
        # Kong looks at a group's certificates only where the group has TLS.
        if has_tls(settings, group):
            pairs = loader.pairs(certificates, keys)
            if pairs:
                found[group] = pairs
    return found


def _entity_pairs(
    certificates: Mapping[str, Certificate], matches: Matches, report: Report
) -> dict[str, CertificatePairs]:
    found = {}
    for certificate in certificates.values():
        matched = matches.get((certificate.cert, certificate.key.reveal()))
        if matched is None:
            matched = match_pair(certificate.cert, certificate.key)
        main = _entity_pair(certificate, matched, "", report)
        alternative = None
        if certificate.cert_alt is not None and certificate.key_alt is not None:
            matched = match_pair(certificate.cert_alt, certificate.key_alt)
            alternative = _entity_pair(certificate, matched, "_alt", report)
        if main is None:
            continue
        if alternative is not None and alternative.leaf.key_type == main.leaf.key_type:
            report.add(
                rules.ALT_SAME_TYPE,
                certificate.source.place("cert_alt"),
                entity=certificate.ref,
                key_type=main.leaf.key_type,
            )
        found[certificate.id] = CertificatePairs(main=main, alternative=alternative)
    return found


def _entity_pair(entity: Certificate, found: Match, suffix: str, report: Report) -> KeyPair | None:
    if found.fault is None:
        return found.pair
    source = entity.source
    return report_match(
        found,
        what=(f"cert{suffix}", f"key{suffix}"),
        places=(source.place(f"cert{suffix}"), source.place(f"key{suffix}")),
        report=report,
        entity=entity.ref,
    )


def _entity_cas(cas: Mapping[str, CaCertificate], report: Report) -> dict[str, X509]:
    found = {}
    for ca in cas.values():
        place = ca.source.place("cert")
        try:
            parsed = parse_certificates(ca.cert)
        except PemError as error:
            report.add(rules.MATERIAL_INVALID, place, entity=ca.ref, what="cert", problem=error)
            continue
        if len(parsed) > 1:
            report.add(rules.CA_SEVERAL, place, entity=ca.ref, count=len(parsed))
            continue
        found[ca.id] = parsed[0]
    return found
