"""The certificates and keys that settings and entities name, read and parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import tls_rules as rules
from compiler.model.config import CertificatePairs, Materials
from compiler.model.place import place_of
from compiler.model.secret import Secret
from compiler.resolve.error_templates import resolve_templates
from compiler.resolve.pem import (
    KeyMismatchError,
    PemError,
    as_pem,
    make_pair,
    parse_certificates,
    parse_dhparam,
)
from compiler.resolve.upstream_defaults import resolve_upstream_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.config import UpstreamTlsDefaults
    from compiler.model.diagnostic import EntityRef, Report
    from compiler.model.entities import CaCertificate, Certificate, Entities
    from compiler.model.inputs import FileReader
    from compiler.model.place import Place
    from compiler.model.settings import Settings
    from compiler.model.x509 import X509, KeyPair

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
    report: Report,
) -> Materials:
    """Read and parse everything that holds a certificate; report what is broken."""
    loader = Loader(settings, files, report)
    client = loader.client_pair()
    protocols = {service.protocol for service in entities.services.values()}

    def upstream_defaults(prefix: str, secure: frozenset[str]) -> UpstreamTlsDefaults:
        return resolve_upstream_defaults(
            settings,
            prefix=prefix,
            client=client,
            files=files,
            system_ca=system_ca,
            needed=bool(protocols & secure),
            report=report,
        )

    return Materials(
        server=_server_pairs(settings, loader),
        certificates=_entity_pairs(entities.certificates, report),
        cas=_entity_cas(entities.ca_certificates, report),
        upstream=upstream_defaults("proxy", _HTTPS),
        grpc_upstream=upstream_defaults("grpc", _GRPCS),
        dhparam=loader.dhparam(),
        templates=resolve_templates(settings, files, report),
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
        return load_pair(
            certificate,
            Secret(private),
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


def load_pair(
    certificate: str,
    key: Secret,
    *,
    what: tuple[str, str],
    places: tuple[Place | None, Place | None],
    report: Report,
    entity: EntityRef | None = None,
) -> KeyPair | None:
    """Parse a pair; report under the names *what* at *places* (certificate, key)."""
    try:
        certificates = parse_certificates(certificate)
    except PemError as error:
        report.add(rules.MATERIAL_INVALID, places[0], entity=entity, what=what[0], problem=error)
        return None
    try:
        pair, disorder = make_pair(certificates, key)
    except KeyMismatchError:
        report.add(
            rules.KEY_MISMATCH,
            places[1],
            entity=entity,
            what=f"{what[0]} and {what[1]}",
            subject=certificates[0].subject,
        )
        return None
    except PemError as error:
        report.add(rules.MATERIAL_INVALID, places[1], entity=entity, what=what[1], problem=error)
        return None
    if disorder is not None:
        report.add(rules.CHAIN_ORDER, places[0], entity=entity, what=what[0], order=disorder)
    return pair


def _server_pairs(settings: Settings, loader: Loader) -> dict[str, tuple[KeyPair, ...]]:
    found = {}
    for group, (certificates, keys) in SERVER_PAIRS.items():
        # Kong looks at a group's certificates only where the group has TLS.
        if any(listener.ssl for listener in settings.listeners.get(group, ())):
            pairs = loader.pairs(certificates, keys)
            if pairs:
                found[group] = pairs
    return found


def _entity_pairs(
    certificates: Mapping[str, Certificate], report: Report
) -> dict[str, CertificatePairs]:
    found = {}
    for certificate in certificates.values():
        main = _entity_pair(certificate, certificate.cert, certificate.key, "", report)
        alternative = None
        if certificate.cert_alt is not None and certificate.key_alt is not None:
            alternative = _entity_pair(
                certificate, certificate.cert_alt, certificate.key_alt, "_alt", report
            )
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


def _entity_pair(
    entity: Certificate, certificate: str, key: Secret, suffix: str, report: Report
) -> KeyPair | None:
    source = entity.source
    return load_pair(
        certificate,
        key,
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
