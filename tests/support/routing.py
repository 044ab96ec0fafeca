"""Routes, services and requests of Kong's cases, for the model of its router."""

from __future__ import annotations

from typing import Any

from compiler.model.document import MappingNode
from compiler.model.entities import Route, Service
from compiler.router.request import Request

NOWHERE = MappingNode("kong.yml", (1, 1))
LISTS = ("protocols", "methods", "hosts", "paths", "snis", "sources", "destinations")


def route(**given: Any) -> Route:
    """Make a route with Kong's defaults."""
    fields: dict[str, Any] = {
        "id": "00000000-0000-4000-8000-000000000000",
        "name": None,
        "protocols": ("http", "https"),
        "https_redirect_status_code": 426,
        "regex_priority": 0,
        "strip_path": True,
        "preserve_host": False,
        "path_handling": "v0",
        "request_buffering": True,
        "response_buffering": True,
        "expression": None,
        "priority": None,
        "created_at": None,
    }
    fields |= given
    fields |= {name: tuple(fields.get(name) or ()) for name in LISTS}
    headers = given.get("headers") or {}
    fields["headers"] = {name: tuple(values) for name, values in headers.items()}
    service = given.get("service")
    fields["service"] = service["id"] if isinstance(service, dict) else service
    return Route(source=NOWHERE, **fields)


def service(**given: Any) -> Service:
    """Make a service with Kong's defaults."""
    fields: dict[str, Any] = {
        "id": "00000000-0000-4000-8000-00000000000a",
        "name": None,
        "protocol": "http",
        "host": "up.test",
        "port": 80,
        "path": None,
        "retries": 5,
        "connect_timeout": 60000,
        "write_timeout": 60000,
        "read_timeout": 60000,
        "enabled": True,
        "client_certificate": None,
        "tls_verify": None,
        "tls_verify_depth": None,
        "ca_certificates": None,
        "tls_sans": None,
    }
    return Service(source=NOWHERE, **fields | given)


def request(case: dict[str, Any]) -> Request:
    """Make the request that a case describes."""
    headers = [
        (name, value)
        for name, values in (case.get("headers") or {}).items()
        for value in (values if isinstance(values, list) else [values])
    ]
    sni = case.get("sni") or case.get("preread_sni")
    scheme = case.get("scheme") or ("tls" if sni else "tcp")
    return Request(
        # Kong's own tests pass any word for plaintext.
        scheme=scheme if scheme in {"https", "tcp", "tls"} else "http",
        method=case.get("method", "GET"),
        host=case.get("host"),
        target=case.get("path", "/"),
        headers=tuple(headers),
        sni=sni,
        port=case.get("dst_port"),
        destination=case.get("dst_ip"),
        source=case.get("src_ip"),
        source_port=case.get("src_port"),
    )
