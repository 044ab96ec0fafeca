from __future__ import annotations

import itertools
import re
import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from support.gateway import compile_tree, gateway
from support.upstreams import Options, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

CERT = pki.self_signed("gateway.test")
SMALL, LARGE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "1f")


@dataclass(frozen=True)
class Routed:
    gateway: Gateway
    peer: Upstream

    def ask(self, host: str, path: str = "/", **options: Any) -> Response:
        headers = {"Kong-Debug": "1", **options.pop("headers", {})}
        return self.gateway.get(host, path, sni=None, headers=headers, **options)

    def route(self, host: str, path: str = "/", **options: Any) -> str | int:
        """Give the name of the route that answers, else the status."""
        answer = self.ask(host, path, **options)
        return answer.header("Kong-Route-Name") or answer.status

    def target(self, host: str, path: str) -> str:
        answer = self.ask(host, path)
        assert answer.status == 200, (host, path, answer.status)
        return str(answer.json()["target"])


def route(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


@dataclass(frozen=True)
class Joined:
    """How a service's path and a route's are joined; each has a host of its own."""

    host: str
    base: str | None
    path: str
    strip: bool

    @property
    def requests(self) -> list[str]:
        ends = ["", "/", "x", "/x", "/x/", "/a%20b", "/%C3%A9", "?q=%2f&r", "/x?a"]
        if self.path == "/":
            return [f"/{end.removeprefix('/')}" for end in ends]
        ends += [".", "..", "./x", "../x"]
        if self.strip or self.base not in {None, "/"}:
            ends += ["//x", "/./x", "/y/../x", "/%41"]
        return [self.path.removesuffix("/") + end for end in ends]

    def expected(self, target: str) -> str | None:
        """Say what Kong sends for a request target; None where the route does not match."""
        raw, mark, query = target.partition("?")
        uri = normalised(raw)
        if not uri.startswith(self.path):
            return None
        base = self.base or "/"
        if self.strip:
            rest = uri[len(self.path) :]
            for dots in ("./", "../"):
                if rest.startswith(dots):
                    rest = rest[len(dots) :]
                    break
            else:
                rest = "" if rest in {".", ".."} else rest
            if rest:
                sent = f"{base.removesuffix('/')}/{rest.removeprefix('/')}"
            elif base == "/":
                sent = "/"
            else:
                slash = "/" if uri.endswith("/") and uri != "/" else ""
                if base.endswith("/") and uri == "/":
                    slash = "/"
                sent = base.removesuffix("/") + slash
        else:
            sent = base.removesuffix("/") + uri if uri != "/" else base
        return f"{sent}{mark}{query}"


def normalised(path: str) -> str:
    path = path.replace("%41", "A")
    path = re.sub("/{2,}", "/", path)
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == "..":
            kept = kept[:-1]
        if segment not in {".", ".."}:
            kept.append(segment)
        elif last:
            kept.append("")
    return "/" + "/".join(kept)


BASES = (None, "/", "/base", "/base/", "/b%2Fse", "/%5bb%3Fse/")
JOINED = [
    Joined(f"join-{number}.test", base, path, strip)
    for number, (base, path, strip) in enumerate(
        itertools.product(BASES, ("/", "/r", "/r/", "/r/s"), (True, False))
    )
]


def services(port: int) -> list[dict[str, Any]]:
    def service(name: str, *routes: Any, **fields: Any) -> dict[str, Any]:
        return {"name": name, "host": "127.0.0.1", "port": port, "routes": list(routes), **fields}

    https, http = {"protocols": ["https"]}, {"protocols": ["http"]}
    return [
        service(
            "priorities",
            route("host", hosts=["plain.test"]),
            route("host-and-path", hosts=["plain.test"], paths=["/c"]),
            route("long-path", paths=["/a/very/long/path"]),
            route("path", paths=["/p"]),
            route("wildcard-alone", hosts=["*.wild.test"]),
            route("wildcard-and-path", hosts=["*.wild.test"], paths=["/w"]),
            route("mixed-hosts", hosts=["mixed.test", "*.mixed.test"]),
            route("shorter", hosts=["prefix.test"], paths=["/long"]),
            route("longer", hosts=["prefix.test"], paths=["/long/er"]),
            route("dollar", hosts=["prefix.test"], paths=["/$uri/${x}"]),
            route("slash", hosts=["prefix.test"], paths=["/slash/"]),
            route("below-slash", hosts=["prefix.test"], paths=["/slash/below/"]),
            route("as-it-came", hosts=["as-it-came.test"], strip_path=False),
            route("smaller-id", id=SMALL, hosts=["tie.test"], paths=["/"]),
            route("larger-id", id=LARGE, hosts=["tie.test"], paths=["/"]),
        ),
        service(
            "overlaps",
            route("prefix", hosts=["*.x.test"], paths=["/one"]),
            route("suffix", hosts=["a.*"], paths=["/two"]),
            route("suffix-longer", hosts=["a.*"], paths=["/one/longer"]),
            route("wider-prefix", hosts=["*.test"], paths=["/wide"]),
            route("longer-suffix", hosts=["a.x.*"], paths=["/three"]),
        ),
        service(
            "protocols",
            route("https-426", hosts=["426.test"], **https),
            *(
                route(f"https-{status}", hosts=[f"{status}.test"], **https,
                      https_redirect_status_code=status)
                for status in (301, 302, 307, 308)
            ),
            route("http-only", hosts=["http.test"], **http),
            route("http-part", hosts=["parts.test"], paths=["/http"], **http),
            route("https-part", hosts=["parts.test"], paths=["/http/secure"], **https),
            route("both-part", hosts=["parts.test"], paths=["/both"]),
        ),
        service("preserving", route("preserved", hosts=["keep.test"], preserve_host=True),
                route("replaced", hosts=["replace.test"])),
        service("off", route("of-disabled", hosts=["off.test"]), enabled=False),
        *(
            service(f"s-{join.host}", route(f"r-{join.host}", hosts=[join.host], paths=[join.path],
                                            strip_path=join.strip), path=join.base)
            for join in JOINED
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def routed(engine: Engine, folder: Path) -> Iterator[Routed]:
    with upstream() as peer:
        files = {
            "kong.conf": "allow_debug_header = on\nssl_cert = a.pem\nssl_cert_key = a.key\n",
            "a.pem": CERT.cert_pem,
            "a.key": CERT.key_pem,
            "kong.yml": {
                "_format_version": "3.0",
                "services": services(peer.port),
                "routes": [route("without-service", hosts=["no-service.test"])],
            },
        }
        with gateway(engine, folder, files) as served:
            yield Routed(served, peer)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("plain.test", "/", "host"),
        ("plain.test", "/a/very/long/path", "host"),
        ("PLAIN.Test:1234", "/p", "host"),
        ("plain.test", "/c", "host-and-path"),
        ("plain.test", "/cx", "host-and-path"),
        ("other.test", "/a/very/long/path/x", "long-path"),
        ("other.test", "/a/very/long", 404),
        ("a.wild.test", "/", "wildcard-alone"),
        ("b.a.wild.test", "/x", "wildcard-alone"),
        ("a.wild.test", "/p", "path"),
        ("a.wild.test", "/w", "wildcard-and-path"),
        ("wild.test", "/", 404),
        ("wild.test", "/p", "path"),
        ("mixed.test", "/p", "path"),
        ("mixed.test", "/", "mixed-hosts"),
        ("prefix.test", "/long", "shorter"),
        ("prefix.test", "/longest", "shorter"),
        ("prefix.test", "/long/er", "longer"),
        ("prefix.test", "/long/erx/y", "longer"),
        ("prefix.test", "/slash", 404),
        ("prefix.test", "/slash/", "slash"),
        ("prefix.test", "/slash/below", "slash"),
        ("prefix.test", "/slash/below/x", "below-slash"),
        ("tie.test", "/", "larger-id"),
        ("off.test", "/", 404),
    ],
)
def test_kongs_priorities(routed: Routed, host: str, path: str, expected: str | int) -> None:
    assert routed.route(host, path) == expected
    assert routed.route(host, path, tls=False) == expected


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("b.x.test", "/one", "prefix"),
        ("b.x.test", "/one/longer", "prefix"),
        ("b.x.test", "/two", 404),
        ("a.other", "/two", "suffix"),
        ("a.other", "/one", 404),
        ("a.other", "/one/longer", "suffix-longer"),
        ("a.x.test", "/one", "prefix"),
        ("a.x.test", "/two", "suffix"),
        ("a.x.test", "/one/longer", "suffix-longer"),
        ("a.x.test", "/wide", "wider-prefix"),
        ("A.X.Test", "/three", "longer-suffix"),
        ("a.x.other", "/three", "longer-suffix"),
        ("a.x.other", "/two", "suffix"),
        ("a.x.other", "/wide", 404),
        ("z.test", "/wide", "wider-prefix"),
        ("b.x.test", "/wide", "wider-prefix"),
    ],
)
def test_hosts_that_match_a_prefix_and_a_suffix_wildcard(
    routed: Routed, host: str, path: str, expected: str | int
) -> None:
    assert routed.route(host, path) == expected


def test_the_path_that_the_upstream_gets(routed: Routed) -> None:
    wrong = []
    for join in JOINED:
        for target in join.requests:
            expected = join.expected(target)
            answer = routed.ask(join.host, target)
            got = answer.json()["target"] if answer.status == 200 else answer.status
            if got != (404 if expected is None else expected):
                wrong.append((join.base, join.path, join.strip, target, expected, got))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("target", ["/p//x", "/p/./x", "/p/y/../x", "/p/%78"])
def test_a_path_that_is_not_rewritten_is_sent_normalised(routed: Routed, target: str) -> None:
    assert routed.target("as-it-came.test", target) == "/p/x"


def test_an_empty_query_is_passed_on(routed: Routed) -> None:
    assert routed.target("prefix.test", "/long/x?") == "/x?"


def test_a_path_that_is_not_rewritten_keeps_its_escapes(routed: Routed) -> None:
    assert routed.target("as-it-came.test", "/p/a%2Fb%3Fc?d=%2f") == "/p/a%2Fb%3Fc?d=%2f"


def test_a_path_that_ends_in_a_slash_never_redirects_to_itself(routed: Routed) -> None:
    for path in ("/slash", "/slash/below"):
        assert routed.ask("prefix.test", path).header("location") is None


@pytest.mark.parametrize("path", ["/./json", "/%2E/json", "//./none", "/./", "/x/.././xml"])
def test_nobody_can_ask_for_an_error(routed: Routed, path: str) -> None:
    answer = routed.ask("unknown.test", path)
    assert (answer.status, answer.json()["message"]) == (404, "no Route matched with those values")
    assert routed.ask("plain.test", path).header("kong-route-name") == "host"


def test_http_is_told_to_use_https(routed: Routed) -> None:
    assert routed.route("426.test") == "https-426"
    refused = routed.ask("426.test", "/x", tls=False)
    assert refused.status == 426
    assert refused.header("content-type") == "application/json; charset=utf-8"
    assert refused.json()["message"] == "Please use HTTPS protocol"
    assert refused.header("upgrade") == "TLS/1.2, HTTP/1.1"
    assert refused.header("kong-route-name") == "https-426"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_http_is_redirected_to_https(routed: Routed, status: int) -> None:
    host = f"{status}.test"
    answer = routed.ask(host, "/a%2Fb/?q=1&r", tls=False)
    assert answer.status == status
    assert answer.header("location") == f"https://{host}/a%2Fb/?q=1&r"
    assert answer.header("kong-route-name") == f"https-{status}"
    assert answer.header("upgrade") is None
    assert routed.route(host) == f"https-{status}"


def test_http_only_routes_are_matched_over_https_too(routed: Routed) -> None:
    """Kong's router asks for no protocol; only what is https alone is refused without TLS."""
    assert routed.route("http.test", tls=False) == "http-only"
    assert routed.route("http.test") == "http-only"


def test_routes_of_one_host_with_different_protocols(routed: Routed) -> None:
    assert routed.route("parts.test", "/http/x", tls=False) == "http-part"
    assert routed.route("parts.test", "/http/x") == "http-part"
    assert routed.route("parts.test", "/http/secure") == "https-part"
    assert routed.ask("parts.test", "/http/secure", tls=False).status == 426
    assert routed.route("parts.test", "/both") == "both-part"
    assert routed.route("parts.test", "/both", tls=False) == "both-part"


@pytest.mark.parametrize("tls", [True, False])
def test_what_matches_nothing_is_a_404_in_kongs_shape(routed: Routed, *, tls: bool) -> None:
    answer = routed.ask("unknown.test", "/nothing", tls=tls)
    assert answer.status == 404
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert answer.json()["message"] == "no Route matched with those values"
    assert re.fullmatch("[0-9a-f]{32}", answer.json()["request_id"])
    assert answer.header("kong-route-id") is None


def test_a_route_without_service_answers_503(routed: Routed) -> None:
    answer = routed.ask("no-service.test")
    assert answer.status == 503
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert answer.json()["message"] == "no Service found with those values"
    assert answer.header("kong-route-name") == "without-service"
    assert answer.header("kong-service-name") is None


def test_preserve_host(routed: Routed) -> None:
    for host, path, expected in (
        ("keep.test", "/", "keep.test"),
        ("KEEP.test:99", "/", "KEEP.test:99"),
        ("replace.test", "/", f"127.0.0.1:{routed.peer.port}"),
    ):
        headers = dict(routed.ask(host, path).json()["headers"])
        assert headers["Host"] == expected


def test_debug_headers_only_for_those_who_ask(routed: Routed) -> None:
    shown = routed.ask("plain.test")
    names = ("kong-route-id", "kong-route-name", "kong-service-id", "kong-service-name")
    assert all(shown.header(name) for name in names)
    assert shown.header("kong-service-name") == "priorities"
    for headers in ({}, {"Kong-Debug": "0"}):
        hidden = routed.gateway.get("plain.test", "/", headers=headers)
        assert not any(hidden.header(name) for name in names)


def test_forwarded_headers_of_strangers_are_replaced(routed: Routed) -> None:
    forged = {f"X-Forwarded-{name}": "forged" for name in ("Proto", "Host", "Port", "For")}
    forged |= {"X-Real-IP": "forged"}
    echo = dict(routed.ask("keep.test:99", "/p/q?r", headers=forged).json()["headers"])
    assert echo["X-Forwarded-Proto"] == "https"
    assert echo["X-Forwarded-Host"] == "keep.test"
    assert echo["X-Forwarded-Port"] == str(routed.gateway.https_port)
    assert echo["X-Forwarded-For"] == "forged, 127.0.0.1"
    assert echo["X-Real-IP"] == "127.0.0.1"


def test_forwarded_paths_and_prefixes(routed: Routed) -> None:
    forged = {"X-Forwarded-Path": "/forged", "X-Forwarded-Prefix": "/forged"}
    echo = dict(routed.ask("prefix.test", "/long/er/x?q=1", headers=forged).json()["headers"])
    assert echo["X-Forwarded-Path"] == "/long/er/x"
    assert echo["X-Forwarded-Prefix"] == "/long/er"
    echo = dict(routed.ask("prefix.test", "/$uri/${x}/y").json()["headers"])
    assert echo["X-Forwarded-Prefix"] == "/$uri/${x}"
    echo = dict(routed.ask("plain.test", "/x", headers=forged).json()["headers"])
    assert echo["X-Forwarded-Path"] == "/x"
    assert "X-Forwarded-Prefix" not in echo


def simple(port: int, **fields: Any) -> dict[str, Any]:
    routes = [
        route("any", paths=["/"]),
        route("secure", paths=["/secure"], protocols=["https"]),
        route("redirected", paths=["/moved"], protocols=["https"], https_redirect_status_code=301),
    ]
    service = {"name": "s", "host": "127.0.0.1", "port": port, "routes": routes, **fields}
    return {"_format_version": "3.0", "services": [service]}


def test_trusted_peers_are_believed(engine: Engine, workdir: Path) -> None:
    with upstream() as peer:
        conf = "trusted_ips = 127.0.0.1/32\nreal_ip_header = X-Forwarded-For\n"
        files = {"kong.conf": conf, "kong.yml": simple(peer.port)}
        given = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "public.test",
            "X-Forwarded-Port": "443",
            "X-Forwarded-For": "192.0.2.7",
            "X-Forwarded-Path": "/seen",
            "X-Forwarded-Prefix": "/outside",
        }
        with gateway(engine, workdir, files) as served:
            answer = served.get("inner.test", "/secure/x", tls=False, headers=given)
            assert answer.status == 200
            echo = dict(answer.json()["headers"])
            assert {name: echo.get(name) for name in given} == {
                **given,
                "X-Forwarded-For": "192.0.2.7, 127.0.0.1",
            }
            assert echo["X-Real-IP"] == "192.0.2.7"
            plain = {**given, "X-Forwarded-Proto": "http"}
            assert served.get("inner.test", "/secure", headers=plain).status == 426
            moved = served.get("inner.test", "/moved/x?y", headers=plain)
            assert moved.header("location") == "https://public.test/moved/x?y"
            # Kong believes any value, and only the first of several headers.
            bare = dict(served.get("inner.test", "/", tls=False).json()["headers"])
            assert (bare["X-Forwarded-Proto"], bare["X-Forwarded-Host"]) == ("http", "inner.test")


def test_untrusted_peers_are_not_believed(engine: Engine, workdir: Path) -> None:
    with upstream() as peer:
        files = {"kong.conf": "trusted_ips = 192.0.2.1\n", "kong.yml": simple(peer.port)}
        given = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.test"}
        with gateway(engine, workdir, files) as served:
            assert served.get("a.test", "/secure", tls=False, headers=given).status == 426
            moved = served.get("a.test", "/moved", tls=False, headers=given)
            assert moved.header("location") == "https://a.test/moved"
            echo = dict(served.get("a.test", "/", headers=given).json()["headers"])
            assert echo["X-Forwarded-Host"] == "a.test"


def test_debug_headers_are_off_by_default(engine: Engine, workdir: Path) -> None:
    with upstream() as peer, gateway(engine, workdir, {"kong.yml": simple(peer.port)}) as served:
        answer = served.get("a.test", headers={"Kong-Debug": "1"})
        assert answer.status == 200
        assert answer.header("kong-route-name") is None


def test_debug_headers_without_any_route_or_service(engine: Engine, workdir: Path) -> None:
    for entities in ({}, {"routes": [route("alone", hosts=["a.test"])]}):
        files: dict[str, Any] = {
            "kong.conf": "allow_debug_header = on\n",
            "kong.yml": {"_format_version": "3.0", **entities},
        }
        with gateway(engine, workdir, files) as served:
            answer = served.get("a.test", headers={"Kong-Debug": "1"})
            assert answer.status == (503 if entities else 404)
            assert (answer.header("kong-route-name") == "alone") == bool(entities)


def test_timeouts_and_retries(engine: Engine, workdir: Path) -> None:
    fields = {"connect_timeout": 1500, "read_timeout": 2500, "write_timeout": 3500, "retries": 2}
    made = compile_tree(engine, workdir, {"kong.yml": simple(9, **fields)})
    conf = (made.tree / "nginx.conf").read_text()
    for directive in (
        "proxy_connect_timeout 1500ms;",
        "proxy_read_timeout 2500ms;",
        "proxy_send_timeout 3500ms;",
        "proxy_next_upstream_tries 3;",
    ):
        assert conf.count(directive) == 3


@pytest.mark.parametrize(
    "injected",
    [
        "nginx_http_resolver = 127.0.0.1",
        "nginx_http_proxy_next_upstream_tries = 2",
        "nginx_http_proxy_redirect = off",
        "nginx_http_proxy_set_header = X-Injected yes",
        "nginx_proxy_default_type = text/plain",
        "nginx_proxy_add_header = X-Injected yes",
        "nginx_location_proxy_read_timeout = 7s",
    ],
)
def test_what_is_injected_never_stands_beside_our_own(
    engine: Engine, workdir: Path, injected: str
) -> None:
    with upstream() as peer:
        entities = simple(peer.port, read_timeout=5000)
        named = {"name": "named", "host": "named.test", "routes": [route("n", paths=["/n"])]}
        entities["services"].append(named)
        conf = f"dns_resolver = 127.0.0.2\n{injected}\n"
        with gateway(engine, workdir, {"kong.conf": conf, "kong.yml": entities}) as served:
            assert served.get("a.test").status == 200


def test_weights_of_targets(engine: Engine, workdir: Path) -> None:
    with (
        upstream(Options(name="heavy")) as heavy,
        upstream(Options(name="light")) as light,
        upstream(Options(name="none")) as none,
    ):
        weights = [(heavy, 300), (light, 100), (none, 0)]
        targets = [{"target": peer.address, "weight": weight} for peer, weight in weights]
        entities = simple(80)
        entities["services"][0]["host"] = "group"
        entities["upstreams"] = [{"name": "group", "targets": targets}]
        files = {"kong.conf": "nginx_worker_processes = 1\n", "kong.yml": entities}
        with gateway(engine, workdir, files) as served:
            seen = Counter(served.get("a.test").json()["upstream"] for _ in range(40))
    assert seen == {"heavy": 30, "light": 10}


def test_odd_requests_find_their_host(engine: Engine, workdir: Path) -> None:
    routes = [
        route("plain", id=SMALL, hosts=["a.test"]),
        route("port", id=LARGE, hosts=["a.test:81"]),
        route("rest", paths=["/"]),
    ]
    files = {
        "kong.conf": "allow_debug_header = on\n",
        "kong.yml": {"_format_version": "3.0", "routes": routes},
    }
    with gateway(engine, workdir, files) as found:
        for host, name in (("a.test:81", "port"), ("a.test:081", "port"), ("a.test:8", "plain")):
            answer = found.get(host, tls=False, headers={"Kong-Debug": "1"})
            assert answer.header("Kong-Route-Name") == name, host
        with socket.create_connection(("127.0.0.1", found.http_port), timeout=5) as client:
            client.sendall(b"GET /\r\n")
            told = client.recv(4096)
    assert b"no Service found" in told
