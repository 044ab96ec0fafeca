"""Envoy and Caddy with the same routes, certificate and upstream as the gateway compiled.

None of the gateways logs requests: one writes a line at once where another lets a thread do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routes import CERTIFIED, host, path, tenant

if TYPE_CHECKING:
    from pathlib import Path

_HTTP = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True)
class Site:
    """What a gateway is made of."""

    folder: Path
    """Holds cert.pem and key.pem."""

    port: int
    upstream: int
    count: int


def envoy(site: Site) -> dict[str, Any]:
    """Return the configuration of Envoy."""
    listener = {
        "address": _address(site.port),
        "filter_chains": [
            {"filters": [_http_manager(site)], "transport_socket": _server_tls(site.folder)}
        ],
    }
    clusters = [_cluster(n, site.upstream) for n in range(site.count)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _http_manager(site: Site) -> dict[str, Any]:
    hosts = [_virtual_host(n) for n in range(site.count)]
    return {
        "name": "http",
        "typed_config": {
            "@type": f"{_HTTP}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "use_remote_address": True,
            "normalize_path": True,
            "merge_slashes": True,
            "route_config": {"virtual_hosts": hosts},
            "http_filters": [
                {
                    "name": "router",
                    "typed_config": {"@type": f"{_HTTP}.filters.http.router.v3.Router"},
                }
            ],
        },
    }


def _virtual_host(number: int) -> dict[str, Any]:
    match: dict[str, Any] = {"prefix": f"{path(number)}/"}
    if tenant(number):
        asked = {":method": "GET", "x-tenant": tenant(number)}
        match["headers"] = [
            {"name": name, "string_match": {"exact": value}} for name, value in asked.items()
        ]
    route = {"cluster": f"service-{number}", "prefix_rewrite": "/"}
    return {
        "name": host(number),
        "domains": [host(number), f"{host(number)}:*"],
        "routes": [{"match": match, "route": route}],
    }


def _cluster(number: int, upstream: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(upstream)}}
    return {
        "name": f"service-{number}",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": f"service-{number}",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def _server_tls(folder: Path) -> dict[str, Any]:
    certificate = {
        "certificate_chain": {"filename": str(folder / "cert.pem")},
        "private_key": {"filename": str(folder / "key.pem")},
    }
    return {
        "name": "tls",
        "typed_config": {
            "@type": f"{_HTTP}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [certificate]},
        },
    }


def caddy(site: Site) -> dict[str, Any]:
    """Return the configuration of Caddy."""
    server = {
        "listen": [f"127.0.0.1:{site.port}"],
        "protocols": ["h1"],
        "routes": [_caddy_route(n, site.upstream) for n in range(site.count)],
        "tls_connection_policies": [{"default_sni": CERTIFIED, "fallback_sni": CERTIFIED}],
        "automatic_https": {"disable": True},
    }
    pair = {
        "certificate": str(site.folder / "cert.pem"),
        "key": str(site.folder / "key.pem"),
    }
    return {
        "admin": {"disabled": True},
        "apps": {
            "http": {"servers": {"proxy": server}},
            "tls": {"certificates": {"load_files": [pair]}},
        },
    }


def _caddy_route(number: int, upstream: int) -> dict[str, Any]:
    match: dict[str, Any] = {
        "host": [host(number)],
        "path": [path(number), f"{path(number)}/*"],
    }
    if tenant(number):
        match |= {"method": ["GET"], "header": {"X-Tenant": [tenant(number)]}}
    return {
        "match": [match],
        "handle": [
            {"handler": "rewrite", "strip_path_prefix": path(number)},
            {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{upstream}"}]},
        ],
        "terminal": True,
    }
