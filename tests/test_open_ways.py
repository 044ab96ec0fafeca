"""Services that one route protects and another does not (K510)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from support.compiling import certificate, compile_texts
from support.diffing import CA_ID

if TYPE_CHECKING:
    from compiler.model.diagnostic import Diagnostic

CONF = """\
ssl_cert = ec.crt
ssl_cert_key = ec.key
trusted_ips = 192.0.2.1
nginx_proxy_large_client_header_buffers = 8 24k
"""
GUEST = "55555555-5555-4555-8555-555555555555"


def asking(name: str = "mtls-auth", **config: Any) -> dict[str, Any]:
    said = {"ca_certificates": [CA_ID], "revocation_check_mode": "SKIP", **config}
    return {"name": name, "config": {**said, "skip_consumer_lookup": True}}


MTLS = asking()
HEADER = asking(
    "header-cert-auth", certificate_header_name="X-C", certificate_header_format="url_encoded"
)
GUESTS = asking(anonymous=GUEST)


def reported(
    *routes: dict[str, Any] | None, target: Literal["nginx", "openresty"], **service: Any
) -> list[Diagnostic]:
    """Return what is said of a service with a route for each plugin, None being none."""
    named = [
        {"name": f"r{n}", "hosts": [f"r{n}.test"], "plugins": [plugin] if plugin else []}
        for n, plugin in enumerate(routes)
    ]
    document = {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": "http://192.0.2.1", "routes": named, **service}],
        "ca_certificates": [{"id": CA_ID, "cert": certificate("ca.crt")}],
        "consumers": [{"id": GUEST, "username": "guest"}],
    }
    outcome = compile_texts(document, CONF, target=target)
    assert outcome.compiled is not None, outcome.diagnostics
    return [diagnostic for diagnostic in outcome.report if diagnostic.rule.code == "K510"]


@pytest.mark.parametrize("target", ["nginx", "openresty"])
@pytest.mark.parametrize(
    ("routes", "open_ones"),
    [
        ((MTLS, None), ["r1"]),
        ((None, MTLS), ["r0"]),
        ((None, MTLS, None, MTLS), ["r0", "r2"]),
        ((MTLS, MTLS), []),
        ((None, None), []),
        ((MTLS, {"name": "tls-handshake-modifier"}), ["r1"]),
        ((GUESTS, None), []),
        ((MTLS, GUESTS), []),
    ],
)
def test_each_open_way_is_reported(
    target: Literal["nginx", "openresty"],
    routes: tuple[dict[str, Any] | None, ...],
    open_ones: list[str],
) -> None:
    found = reported(*routes, target=target)
    assert [d.entity.name for d in found if d.entity] == open_ones


def test_a_plugin_of_the_service_closes_all() -> None:
    assert not reported(MTLS, None, target="nginx", plugins=[MTLS])


@pytest.mark.parametrize(
    ("routes", "open_ones"), [((HEADER, None), ["r1"]), ((HEADER, MTLS), []), ((HEADER,), [])]
)
def test_a_certificate_in_a_header_is_one(
    routes: tuple[dict[str, Any] | None, ...], open_ones: list[str]
) -> None:
    found = reported(*routes, target="openresty")
    assert [d.entity.name for d in found if d.entity] == open_ones


def test_both_routes_are_named() -> None:
    (found,) = reported(MTLS, None, target="nginx")
    assert "route r1 leads to service s without" in found.message
    assert [related.message for related in found.related] == ["route r0 asks for one"]
    places = [found.place, found.related[0].place]
    assert all(place is not None and place.line for place in places)
