"""How upstreams are verified where a service says nothing: injected directives and policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import tls_rules as rules
from compiler.catalog.properties import DEEPER_CHAIN, has_deeper_chains
from compiler.model.config import Because, UpstreamTlsDefaults
from compiler.model.place import Default, Derived, place_of
from compiler.model.x509 import Bundle
from compiler.resolve.pem import PemError, as_pem, parse_certificates
from compiler.resolve.system_ca import find_system_ca

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.model.inputs import FileReader
    from compiler.model.settings import Directive, Settings
    from compiler.model.x509 import X509, KeyPair

BLOCKS = {
    "proxy": ("location", "proxy", "http"),
    "grpc": ("proxy", "http"),
    "sproxy": ("sproxy", "stream"),
}
"""The blocks whose injected directives reach requests, gRPC or streams, innermost first.

Kong's location for gRPC is one of its own, into which nothing is injected.
"""

POLICY = "tls_certificate_verify"

_NGINX_DEPTH = 1


def resolve_upstream_defaults(
    settings: Settings,
    *,
    block: str,
    client: KeyPair | None,
    files: FileReader,
    system_ca: str | None,
    needed: bool,
    report: Report,
) -> UpstreamTlsDefaults:
    """Work out what the injected `*_ssl_*` directives and tls_certificate_verify ask for.

    *block* is the proxy's server, that of streams, or `grpc` for requests in gRPC: directives that
    are injected into one do not reach the others. *needed* tells whether any service speaks TLS:
    else the machine's CAs are no input.
    """
    resolver = _Resolver(settings, files, system_ca, block=block, needed=needed, report=report)
    verify, verify_because = resolver.verify()
    depth, depth_because = resolver.depth()
    trusted, trusted_because = resolver.trusted(verify=verify)
    return UpstreamTlsDefaults(
        verify=verify,
        depth=depth,
        trusted=trusted,
        client=client,
        because={"verify": verify_because, "depth": depth_because, "trusted": trusted_because},
        block=block,
    )


class _Resolver:
    def __init__(
        self,
        settings: Settings,
        files: FileReader,
        system_ca: str | None,
        *,
        block: str,
        needed: bool,
        report: Report,
    ) -> None:
        self._prefix = "grpc" if block == "grpc" else "proxy"
        self._settings = settings
        self._block = block
        self._files = files
        self._system_ca = system_ca
        self._needed = needed
        self._report = report

    def verify(self) -> tuple[bool, Because]:
        """Return whether upstreams are verified by default, and why."""
        found = self._directive("ssl_verify")
        if found is None:
            if self._settings.flag(POLICY):
                return True, Because(POLICY, self._settings.origin(POLICY))
            return False, Because(f"nginx's default: {self._prefix}_ssl_verify off")
        block, directive = found
        if directive.value not in ("on", "off"):
            self._invalid(block, directive, "on or off")
        return directive.value == "on", _because(block, directive)

    def depth(self) -> tuple[int, Because]:
        """Return how many intermediates are allowed by default, and why."""
        found = self._directive("ssl_verify_depth")
        if (
            found is None
            and self._block != "grpc"
            and has_deeper_chains(self._settings.kong_version)
        ):
            name = f"nginx_{self._block}_proxy_ssl_verify_depth"
            return int(DEEPER_CHAIN), Because(name, Default())
        if found is None:
            default = f"{self._prefix}_ssl_verify_depth {_NGINX_DEPTH}"
            return _NGINX_DEPTH, Because(f"nginx's default: {default}")
        block, directive = found
        if not directive.value.isdecimal():
            self._invalid(block, directive, "a whole number")
            return _NGINX_DEPTH, _because(block, directive)
        return int(directive.value), _because(block, directive)

    def trusted(self, *, verify: bool) -> tuple[Bundle | None, Because]:
        """Return the certificate authorities that are trusted by default, and why."""
        found = self._directive("ssl_trusted_certificate")
        if found is not None:
            block, directive = found
            name = f"nginx_{block}_{directive.name}"
            certificates = self._load(name, directive.value, directive)
            bundle = Bundle(certificates=certificates) if certificates else None
            return bundle, _because(block, directive)
        if verify and self._needed and self._settings.flag(POLICY):
            return self._from_policy()
        return None, Because("no CA is trusted by default")

    def _from_policy(self) -> tuple[Bundle | None, Because]:
        name = "lua_ssl_trusted_certificate"
        because = Because(name, self._settings.origin(name))
        certificates: dict[X509, None] = {}
        for source in self._settings.items(name):
            path = find_system_ca(self._files, self._system_ca) if source == "system" else source
            if path is None:
                return None, because
            certificates.update(dict.fromkeys(self._load(name, path, None)))
        if not certificates:
            return None, because
        return Bundle(certificates=tuple(certificates)), because

    def _load(self, name: str, value: str, directive: Directive | None) -> tuple[X509, ...]:
        origin = self._settings.origin(name) if directive is None else directive.origin
        place = place_of(origin)
        value = value.strip("\"'") if directive is not None else value
        text = None if self._files.exists(value) else as_pem(value)
        try:
            if text is None:
                text = self._files.read(value).decode("utf-8", "replace")
            return parse_certificates(text)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a file name"
            self._report.add(
                rules.MATERIAL_UNREADABLE, place, setting=name, path=value[:256], reason=reason
            )
        except PemError as error:
            self._report.add(
                rules.MATERIAL_INVALID, place, what=f"{name} ({value[:256]})", problem=error
            )
        return ()

    def _directive(self, name: str) -> tuple[str, Directive] | None:
        for block in BLOCKS[self._block]:
            directive = self._settings.directive(block, f"{self._prefix}_{name}")
            if directive is not None:
                return block, directive
        return None

    def _invalid(self, block: str, directive: Directive, wanted: str) -> None:
        self._report.add(
            rules.TRUSTED_DIRECTIVE_INVALID,
            place_of(directive.origin),
            setting=f"nginx_{block}_{directive.name}",
            value=directive.value,
            wanted=wanted,
        )


def _because(block: str, directive: Directive) -> Because:
    if isinstance(directive.origin, Derived):
        return Because(directive.origin.setting, directive.origin.origin)
    return Because(f"nginx_{block}_{directive.name}", directive.origin)
