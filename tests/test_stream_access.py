"""Plugins that are for connections, too, and are compiled for requests alone (K521, K541)."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from support.compiling import compile_texts

CONF = {
    "proxy_listen": "0.0.0.0:8443 ssl",
    "stream_listen": "0.0.0.0:5000 ssl, 0.0.0.0:5001, 0.0.0.0:5002 udp",
    "ssl_cert": "ec.crt",
    "ssl_cert_key": "ec.key",
}
ASKED = {"name": "tls-handshake-modifier", "protocols": ["tls"]}
TOLD = {**ASKED, "name": "tls-metadata-headers", "config": {"inject_client_cert_details": True}}
UNTOLD = {**ASKED, "name": "tls-metadata-headers"}
RESTRICTED = {"name": "ip-restriction", "config": {"deny": ["192.0.2.0/24"]}}


def reported(
    *plugins: dict[str, Any],
    scope: str = "all",
    target: Literal["nginx", "openresty"] = "nginx",
    protocol: str = "tls",
    **service: Any,
) -> list[tuple[str, str]]:
    """Return codes and messages for a route of connections and one of requests."""
    streams = {"name": "db", "protocols": [protocol]}
    streams |= {"snis": ["db.test"]} if "tls" in protocol else {"destinations": [{"port": 5001}]}
    given = {name: {"plugins": list(plugins)} if name == scope else {} for name in ("s", "r")}
    document = {
        "_format_version": "3.0",
        "services": [
            {"name": "db", "url": "tcp://192.0.2.1:5432", "routes": [{**streams, **given["r"]}],
             **given["s"], **service},
            {"name": "web", "url": "http://192.0.2.1", "routes": [{"hosts": ["a.test"]}]},
        ],
        "plugins": plugins if scope == "all" else [],
    }  # fmt: skip
    outcome = compile_texts(document, CONF, target=target)
    found = [(d.rule.code, d.message) for d in outcome.report if d.rule.code in {"K521", "K541"}]
    # Nobody is let in who should not be by what K541 tells of: that is a warning.
    refused = any(code == "K521" for code, _ in found)
    assert (outcome.compiled is None) == refused, outcome.diagnostics
    return found


@pytest.mark.parametrize("target", ["nginx", "openresty"])
@pytest.mark.parametrize("scope", ["all", "s", "r"])
@pytest.mark.parametrize(
    ("plugin", "loss"),
    [
        (ASKED, "no client would be asked for a certificate"),
        ({**ASKED, "protocols": ["https", "tls"]}, "no client would be asked for a certificate"),
        (TOLD, "upstreams would be told nothing of certificates"),
    ],
)
def test_certificates_of_connections(
    plugin: dict[str, Any], loss: str, scope: str, target: Literal["nginx", "openresty"]
) -> None:
    [(code, message)] = reported(plugin, scope=scope, target=target)
    assert code == "K541"
    assert message == (
        f"plugin {plugin['name']} is for the connections of route db, too, and is compiled for "
        f"requests alone: {loss}"
    )


@pytest.mark.parametrize(
    "plugin",
    [UNTOLD, {**ASKED, "enabled": False}, {**ASKED, "protocols": ["https"]},
     {"name": "tls-handshake-modifier"}, {**TOLD, "protocols": ["https", "grpcs"]}],
)  # fmt: skip
def test_plugins_that_do_nothing_for_connections(plugin: dict[str, Any]) -> None:
    assert reported(plugin) == []


@pytest.mark.parametrize("protocol", ["tcp", "udp", "tls_passthrough"])
def test_connections_without_a_handshake_of_the_gateways(protocol: str) -> None:
    assert reported(ASKED, TOLD, protocol=protocol) == []


def test_routes_of_a_disabled_service_do_not_exist() -> None:
    plugins = ASKED, RESTRICTED
    assert {code for code, _ in reported(*plugins)} == {"K521", "K541"}
    assert reported(*plugins, enabled=False) == []
