"""Services, and destinations, that one route protects and another does not (K510, K540)."""

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
    found = found_in(
        {"name": "s", "url": "http://192.0.2.1", "routes": named, **service}, target=target
    )
    assert all(diagnostic.rule.code == "K510" for diagnostic in found)
    return found


def found_in(
    *services: Any, target: Literal["nginx", "openresty"] = "nginx", **others: Any
) -> list[Diagnostic]:
    document = {
        "_format_version": "3.0",
        "services": services,
        "ca_certificates": [{"id": CA_ID, "cert": certificate("ca.crt")}],
        "consumers": [{"id": GUEST, "username": "guest"}],
        **others,
    }
    outcome = compile_texts(document, CONF, target=target)
    assert outcome.compiled is not None, outcome.diagnostics
    return [found for found in outcome.report if found.rule.code in {"K510", "K540"}]


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


def service(name: str, url: str, plugins: list[dict[str, Any]], **route: Any) -> dict[str, Any]:
    """Return a service with a route of the same name."""
    routes = [{"name": name, "plugins": plugins, **route}]
    return {"name": name, "url": url, "routes": routes}


A, B = {"hosts": ["a.test"]}, {"hosts": ["b.test"]}
WHOLE = {"strip_path": False}


def below(*paths: str, **route: Any) -> dict[str, Any]:
    return {"paths": paths, **route}


@pytest.mark.parametrize("target", ["nginx", "openresty"])
@pytest.mark.parametrize(
    ("guarded", "unguarded"),
    [
        (("http://192.0.2.1", A), ("http://192.0.2.1", B)),
        (("http://192.0.2.1", A), ("http://192.0.2.1:80/", B)),
        (("http://192.0.2.1/a", A), ("http://192.0.2.1/a/", B)),
        (("http://192.0.2.1/a%62", A), ("http://192.0.2.1/ab", B)),
        (("http://192.0.2.1/a", A), ("http://192.0.2.1/", B)),
        (("http://192.0.2.1/a/b", A), ("http://192.0.2.1/a", B)),
        (("http://192.0.2.1:8443", A), ("https://192.0.2.1:8443", B)),
        (("http://x.test", A), ("http://X.test", B)),
        (("http://192.0.2.1", A), ("ws://192.0.2.1", {**B, "protocols": ["ws"]})),
        # What is taken off the path leaves the same.
        (("http://192.0.2.1", below("/a")), ("http://192.0.2.1", below("/b"))),
        (("http://192.0.2.1", below("/a")), ("http://192.0.2.1", below("/"))),
        (("http://192.0.2.1", below("/x")), ("http://192.0.2.1", below("~/y/[0-9]+"))),
        (("http://192.0.2.1", below("/x", "/a")), ("http://192.0.2.1", below("/b", "/x/y"))),
        # Another host, method or header is a way past the longer path.
        (("http://192.0.2.1", below("/a", **A, **WHOLE)), ("http://192.0.2.1", below("/", **B))),
        (("http://192.0.2.1/a", below("/a", **A)), ("http://192.0.2.1", below("/", **B))),
        (("http://192.0.2.1/a", below("/a", **A)), ("http://192.0.2.1", below("/x", **A))),
        (("http://192.0.2.1/a", below("/x", **A)), ("http://192.0.2.1", below("/", **A))),
        (
            ("http://192.0.2.1", below("/a", **WHOLE, methods=["PUT"])),
            ("http://192.0.2.1", below("/")),
        ),
        (
            ("http://192.0.2.1", below("/a", **WHOLE, headers={"x": ["1"]})),
            ("http://192.0.2.1", below("/", headers={"x": ["2"]})),
        ),
        (
            ("http://192.0.2.1", below("/a", **WHOLE, **A)),
            ("http://192.0.2.1", below("/", hosts=["a.test", "b.test"])),
        ),
        (
            ("http://192.0.2.1", below("~/a/[0-9]+", **WHOLE, **A)),
            ("http://192.0.2.1", below("/", **B)),
        ),
        # The host that is asked for there.
        (("http://192.0.2.1", {**A, "preserve_host": True}), ("http://192.0.2.1", B)),
        (("http://192.0.2.1", A), ("http://192.0.2.1", {**B, "preserve_host": True})),
        (
            ("http://192.0.2.1", below("/a", **A, preserve_host=True)),
            ("http://192.0.2.1", below("/b", **A, preserve_host=True)),
        ),
        (
            ("http://192.0.2.1", {**A, "preserve_host": True}),
            ("http://192.0.2.1", below("/", preserve_host=True)),
        ),
    ],
)
def test_a_way_through_another_service_is_reported(
    guarded: tuple[str, Any], unguarded: tuple[str, Any], target: Literal["nginx", "openresty"]
) -> None:
    services = [
        service("guarded", guarded[0], [MTLS], **guarded[1]),
        service("open", unguarded[0], [], **unguarded[1]),
    ]
    for ordered in (services, services[::-1]):
        (found,) = found_in(*ordered, target=target)
        assert found.rule.code == "K540"
        assert found.entity is not None
        assert found.entity.name == "open"


@pytest.mark.parametrize(
    ("guarded", "unguarded"),
    [
        (("http://192.0.2.1/admin", A), ("http://192.0.2.1/public", B)),
        (("http://192.0.2.1/", A), ("http://192.0.2.1/public", B)),
        (("http://192.0.2.1/ab", A), ("http://192.0.2.1/a", B)),
        (("http://192.0.2.1", A), ("http://192.0.2.1:81", B)),
        (("http://192.0.2.1", A), ("http://192.0.2.2", B)),
        (
            ("http://192.0.2.1", A),
            ("grpc://192.0.2.1:80", {**B, "protocols": ["grpc"]}),
        ),
        (
            ("http://192.0.2.1", below("/admin", **A, **WHOLE)),
            ("http://192.0.2.1", below("/public", **B, **WHOLE)),
        ),
        # The longer path wins, so that requests for it are asked for a certificate.
        (("http://192.0.2.1", below("/a", **A, **WHOLE)), ("http://192.0.2.1", below("/", **A))),
        (("http://192.0.2.1/a", below("/a", **A)), ("http://192.0.2.1", below("/", **A))),
        (("http://192.0.2.1/a/b", below("/x/a", **A)), ("http://192.0.2.1", below("/x", **A))),
        (
            ("http://192.0.2.1", below("/a", **WHOLE, hosts=["a.test", "b.test"])),
            ("http://192.0.2.1", below("/", **A)),
        ),
        (
            ("http://192.0.2.1", below("~/a/[0-9]+", **WHOLE, **A)),
            ("http://192.0.2.1", below("/", **A)),
        ),
        (("http://192.0.2.1", A), ("http://192.0.2.1", below("~/a/[0-9]+", **WHOLE, **B))),
        (
            ("http://192.0.2.1", {**A, "preserve_host": True}),
            ("http://192.0.2.1", {**B, "preserve_host": True}),
        ),
    ],
)
def test_what_is_another_destination_is_none_of_its_ways(
    guarded: tuple[str, Any], unguarded: tuple[str, Any]
) -> None:
    services = [
        service("guarded", guarded[0], [MTLS], **guarded[1]),
        service("open", unguarded[0], [], **unguarded[1]),
    ]
    assert found_in(*services) == []


@pytest.mark.parametrize(
    ("plugins", "others", "codes"),
    [
        ([MTLS], [MTLS], []),
        ([], [], []),
        ([GUESTS], [], []),
        ([MTLS], [GUESTS], []),
        ([MTLS], [{"name": "tls-handshake-modifier"}], ["K540"]),
    ],
)
def test_who_is_let_in_by_two_services(
    plugins: list[dict[str, Any]], others: list[dict[str, Any]], codes: list[str]
) -> None:
    url = "http://192.0.2.1"
    found = found_in(service("one", url, plugins, **A), service("two", url, others, **B))
    assert [diagnostic.rule.code for diagnostic in found] == codes


@pytest.mark.parametrize(
    ("urls", "targets", "hosts", "codes"),
    [
        (("http://u", "http://u"), "11", (None, None), ["K540"]),
        (("http://u:1", "http://u:2"), "11", (None, None), ["K540"]),
        (("http://u/a", "http://u/b"), "11", (None, None), []),
        (("http://u", "http://v"), "11", (None, None), ["K540"]),
        (("http://u", "http://v"), "12", (None, None), []),
        (("http://u", "http://v"), "11", ("u.test", "v.test"), []),
        (("http://u", "http://192.0.2.1:8000"), "11", (None, None), ["K540"]),
    ],
)
def test_upstreams_are_what_their_targets_are(
    urls: tuple[str, str], targets: str, hosts: tuple[str | None, str | None], codes: list[str]
) -> None:
    upstreams = [
        {"name": name, "targets": [{"target": f"192.0.2.{number}:8000"}]}
        | ({} if host is None else {"host_header": host})
        for name, number, host in zip("uv", targets, hosts, strict=True)
    ]
    services = service("one", urls[0], [MTLS], **A), service("two", urls[1], [], **B)
    found = found_in(*services, upstreams=upstreams)
    assert [diagnostic.rule.code for diagnostic in found] == codes


def test_each_open_route_is_reported_once() -> None:
    url = "http://192.0.2.1"
    guarded = [service(f"g{n}", url, [MTLS], hosts=[f"g{n}.test"]) for n in range(3)]
    guarded += [
        service(f"p{n}", url, [MTLS], paths=[f"/p{n}"], hosts=[f"g{n}.test"], **WHOLE)
        for n in range(3)
    ]
    unguarded = [
        service("o0", url, [], paths=["/p0", "/p1", "/p2"], **WHOLE),
        service("o1", url, [], paths=["/o", "/p"]),
    ]
    in_part = service("p", url, [MTLS], hosts=["p.test"])
    in_part["routes"] += [{"name": "q", "hosts": ["q.test"]}]
    found = found_in(*guarded, *unguarded, in_part)
    reported = [(d.rule.code, d.entity and d.entity.name) for d in found]
    assert sorted(reported) == [("K510", "q"), ("K540", "o0"), ("K540", "o1")]


def test_both_services_are_named() -> None:
    guarded = service("one", "http://x.test:81/a", [MTLS], **A)
    (found,) = found_in(guarded, service("two", "http://x.test:81", [], **B))
    assert found.message == (
        "route two of service two leads to x.test:81, path /a without the client's certificate "
        "that route one of service one asks for"
    )
    assert [related.message for related in found.related] == [
        "route one asks for one",
        "service one is the same destination",
    ]
    places = [found.place, *(related.place for related in found.related)]
    assert all(place is not None and place.line for place in places)
