"""Where the machine keeps the certificate authorities it trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.model.inputs import FileReader

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""The places Kong looks for `system`, in its order (kong/tools/system.lua)."""


def find_system_ca(files: FileReader, chosen: str | None) -> str | None:
    """Return the path that `system` stands for: *chosen*, else the first bundle that exists."""
    if chosen is not None:
        return chosen
    return next((path for path in SYSTEM_BUNDLES if files.exists(path)), None)
