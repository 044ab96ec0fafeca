"""What upstreams are told of certificates (tls-metadata-headers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.access import CertificateHeader

if TYPE_CHECKING:
    from compiler.model.entities import Plugin


def plan_certificate_headers(
    plugin: Plugin, *, with_intermediates: bool
) -> tuple[CertificateHeader, ...]:
    """Return the headers that *plugin* tells; without `inject_client_cert_details` it does not.

    *with_intermediates* is for a Kong that tells them and a target that knows them.
    """
    said = plugin.config
    if not said["inject_client_cert_details"]:
        return ()
    return (
        CertificateHeader(
            said["client_cert_header_name"], "chain" if with_intermediates else "certificate"
        ),
        CertificateHeader(said["client_serial_header_name"], "serial"),
        CertificateHeader(said["client_cert_issuer_dn_header_name"], "issuer"),
        CertificateHeader(said["client_cert_subject_dn_header_name"], "subject"),
        CertificateHeader(said["client_cert_fingerprint_header_name"], "fingerprint"),
    )
