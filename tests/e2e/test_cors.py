"""What browsers are told of requests by pages of other sites (cors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from support.gateway import gateway
from support.upstreams import Options, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

ALL_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"
SITE = "https://app.example.com"
NAMES = ("Allow-Origin", "Allow-Credentials", "Expose-Headers", "Allow-Methods", "Allow-Headers",
         "Max-Age", "Allow-Private-Network")  # fmt: skip
CERT_ID = "11111111-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    peer: Upstream

    def ask(self, host: str, origin: str | None = SITE, **options: Any) -> Response:
        headers = {**({} if origin is None else {"Origin": origin}), **options.pop("headers", {})}
        tls = options.pop("tls", False)
        return self.gateway.get(host, options.pop("path", "/"), tls=tls, headers=headers, **options)

    def preflight(self, host: str, origin: str = SITE, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = {"Access-Control-Request-Method": "PUT", **named}
        return self.ask(host, origin, method="OPTIONS", headers=wanted)


def told(answer: Response) -> dict[str, str]:
    """Give what a browser is told, without the prefix that all of it has."""
    found: dict[str, str] = {}
    for name in NAMES:
        values = answer.values(f"Access-Control-{name}")
        assert len(values) < 2, (name, values)
        if values:
            found[name] = values[0]
    return found


def allowing(*origins: str, **config: Any) -> list[dict[str, Any]]:
    return [{"name": "cors", "config": {"origins": list(origins) or None, **config}}]


ROUTES = {
    "any.test": allowing(),
    "star.test": allowing("*", exposed_headers=["X-One", "X-$uri;"]),
    "named.test": allowing("*", credentials=True),
    "one.test": allowing("https://one.test", credentials=True, max_age=3600),
    "list.test": allowing("https://one.test", "http://two.test:8080/", "https://three.test:443",
                          "bare.test", "null"),
    "regex.test": allowing(r"https?://(a|b)\.example\.com", r"^https://[a-z]+\.dev\.test(:\d+)?$",
                           r"(x|y)\.hosts\.test", r"a\.odd\.test|b\.odd\.test", credentials=True),
    "named-group.test": allowing(r"https://(?<uri>\w+)\.example\.com"),
    "mixed.test": allowing("https://one.test", "*"),
    "strict.test": allowing("https://one.test", allow_origin_absent=False),
    "full.test": allowing(SITE, methods=["GET", "PUT"], headers=["X-A", 'X-$uri";'], max_age=0.5,
                          private_network=True),
    "through.test": allowing(SITE, preflight_continue=True, credentials=True),
    "refused.test": [*allowing(SITE),
                     {"name": "ip-restriction", "config": {"deny": ["127.0.0.1"]}}],
    "ended.test": [*allowing(SITE), {"name": "request-termination", "config": {}}],
    "tls.test": [*allowing(SITE), {"name": "mtls-auth", "config": {
        "ca_certificates": [CERT_ID], "skip_consumer_lookup": True}}],
    "off.test": [],
}  # fmt: skip


def entities(port: int, certificate: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}"
    routes = [{"name": h, "hosts": [h], "plugins": p} for h, p in ROUTES.items()]
    return {
        "_format_version": "3.0",
        "ca_certificates": [{"id": CERT_ID, "cert": certificate}],
        "services": [
            {"name": "things", "url": url, "routes": routes},
            {"name": "dead", "url": "http://127.0.0.1:1", "retries": 0, "plugins": allowing(SITE),
             "routes": [{"name": "dead", "hosts": ["dead.test"]},
                        {"name": "own", "hosts": ["own.test"], "plugins": allowing()}]},
        ],
        "routes": [{"name": "alone", "hosts": ["alone.test"], "plugins": allowing(SITE)}],
    }  # fmt: skip


UPSTREAMS = {
    "Access-Control-Allow-Origin": "https://upstream.test",
    "Access-Control-Allow-Credentials": "upstream",
    "Access-Control-Expose-Headers": "X-Upstream",
    "Vary": "Accept",
}


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    certificate = pki.ca("Clients").cert_pem
    with upstream(Options(headers=UPSTREAMS)) as peer:
        files = {"kong.yml": entities(peer.port, certificate), "kong.conf": ""}
        with gateway(engine, folder, files) as running:
            yield Served(running, peer)


def test_any_site(served: Served) -> None:
    for origin in (SITE, None):
        answer = served.ask("any.test", origin)
        assert answer.status == 200
        # What the service says of itself is replaced, and the rest stays.
        assert told(answer) == {"Allow-Origin": "*", "Allow-Credentials": "upstream",
                                "Expose-Headers": "X-Upstream"}  # fmt: skip
        assert answer.values("Vary") == ["Accept"]


def test_headers_that_pages_may_read(served: Served) -> None:
    answer = served.ask("star.test")
    assert told(answer)["Expose-Headers"] == "X-One,X-$uri;"


def test_credentials_of_any_site_name_it(served: Served) -> None:
    answer = served.ask("named.test", "https://evil.test")
    assert told(answer)["Allow-Origin"] == "https://evil.test"
    assert told(answer)["Allow-Credentials"] == "true"
    assert answer.values("Vary") == ["Accept", "Origin"]
    answer = served.ask("named.test", None)
    assert told(answer)["Allow-Origin"] == "*"
    assert told(answer)["Allow-Credentials"] == "upstream"
    assert answer.values("Vary") == ["Accept"]


def test_a_single_site_is_told_whoever_asks(served: Served) -> None:
    for origin in ("https://one.test", "https://evil.test", None):
        answer = served.ask("one.test", origin)
        assert told(answer)["Allow-Origin"] == "https://one.test"
        assert told(answer)["Allow-Credentials"] == "true"
        assert answer.values("Vary") == ["Accept", "Origin"]


@pytest.mark.parametrize(
    ("host", "allowed", "refused"),
    [
        ("list.test",
         {"https://one.test": "https://one.test", "https://one.test:443": "https://one.test",
          "http://two.test:8080": "http://two.test:8080", "https://three.test": "https://three.test",
          "null": "null", "bare.test": "bare.test"},
         ["https://one.test:80", "http://one.test", "https://ONE.test", "https://one.test.evil",
          "https://xone.test", "http://two.test", "https://bare.test", "https://oneXtest", SITE]),
        ("regex.test",
         {"https://a.example.com": "https://a.example.com",
          "http://b.example.com:80": "http://b.example.com",
          "https://x.dev.test:81": "https://x.dev.test:81",
          "http://x.hosts.test:9": "http://x.hosts.test:9",
          "https://a.odd.test": "https://a.odd.test", "https://b.odd.test": "https://b.odd.test"},
         ["https://c.example.com", "https://a.example.com.evil.test", "https://axexample.com",
          "https://evil.test/https://a.example.com", "https://a.example.com:8443",
          "https://A.example.com", "https://x.dev.test:x", "https://z.hosts.test",
          "https://x.hosts.test.evil", "https://a.odd.test.evil", "https://ab.odd.test",
          "https://evil@x.hosts.test", "null"]),
        ("named-group.test", {"https://x.example.com": "https://x.example.com"},
         ["https://x.example.com.evil"]),
        ("mixed.test", {SITE: "*", "https://one.test": "*"}, []),
    ],
)  # fmt: skip
def test_sites(served: Served, host: str, allowed: dict[str, str], refused: list[str]) -> None:
    for origin, wanted in allowed.items():
        answers = served.ask(host, origin), served.preflight(host, origin)
        assert [told(answer).get("Allow-Origin") for answer in answers] == [wanted] * 2, origin
        assert all("Origin" in answer.values("Vary") for answer in answers)
    for origin in refused:
        answers = served.ask(host, origin), served.preflight(host, origin)
        assert all(answer.status == 200 for answer in answers)
        assert [told(answer).get("Allow-Origin") for answer in answers] == [None] * 2, origin
        assert all("Origin" in answer.values("Vary") for answer in answers)
    assert "Allow-Origin" not in told(served.ask(host, None))


def test_without_a_site_nothing_is_told_where_that_is_said(served: Served) -> None:
    assert told(served.ask("strict.test", None))["Allow-Origin"] == "https://upstream.test"
    assert told(served.ask("strict.test"))["Allow-Origin"] == "https://one.test"


def test_preflights_are_answered_by_the_gateway(served: Served) -> None:
    before = len(served.peer.requests)
    answer = served.preflight("any.test", Access_Control_Request_Headers="X-B, X-C")
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")
    assert answer.header("content-type") is None
    assert told(answer) == {"Allow-Origin": "*", "Allow-Methods": ALL_METHODS,
                            "Allow-Headers": "X-B, X-C"}  # fmt: skip
    assert "Allow-Headers" not in told(served.preflight("any.test"))
    answer = served.preflight("full.test", Access_Control_Request_Private_Network="true")
    assert told(answer) == {
        "Allow-Origin": SITE, "Allow-Methods": "GET,PUT", "Allow-Headers": 'X-A,X-$uri";',
        "Max-Age": "0.5", "Allow-Private-Network": "true"}  # fmt: skip
    assert answer.values("Vary") == ["Origin"]
    assert "Allow-Private-Network" not in told(served.preflight("full.test"))
    assert told(served.preflight("one.test"))["Max-Age"] == "3600"
    assert "Expose-Headers" not in told(served.preflight("star.test"))
    assert len(served.peer.requests) == before


def test_other_requests_are_no_preflights(served: Served) -> None:
    for options in (
        {"origin": None, "method": "OPTIONS", "headers": {"Access-Control-Request-Method": "GET"}},
        {"method": "OPTIONS"},
        {"method": "GET", "headers": {"Access-Control-Request-Method": "GET"}},
    ):
        before = len(served.peer.requests)
        answer = served.ask("any.test", **options)  # type: ignore[arg-type]
        assert answer.status == 200
        assert "Allow-Methods" not in told(answer)
        assert len(served.peer.requests) == before + 1


def test_a_preflight_may_go_on_to_the_service(served: Served) -> None:
    before = len(served.peer.requests)
    answer = served.preflight("through.test")
    assert len(served.peer.requests) == before + 1
    assert told(answer) == {"Allow-Origin": "https://upstream.test",
                            "Allow-Credentials": "upstream",
                            "Expose-Headers": "X-Upstream"}  # fmt: skip
    assert told(served.ask("through.test"))["Allow-Origin"] == SITE


def test_preflights_come_before_all_that_refuses(served: Served) -> None:
    for host in ("refused.test", "ended.test", "tls.test", "alone.test", "dead.test"):
        assert served.preflight(host).status == 200, host
        assert told(served.preflight(host))["Allow-Origin"] == SITE


@pytest.mark.parametrize(
    ("host", "status"),
    [("refused.test", 403), ("ended.test", 503), ("tls.test", 401), ("alone.test", 503),
     ("dead.test", 502)],
)  # fmt: skip
def test_pages_can_read_the_gateways_own_errors(served: Served, host: str, status: int) -> None:
    answer = served.ask(host)
    assert answer.status == status
    assert told(answer) == {"Allow-Origin": SITE}
    assert answer.values("Vary") == ["Origin"]


def test_routes_without_it_pass_on_what_their_service_says(served: Served) -> None:
    answer = served.ask("off.test")
    assert {f"Access-Control-{name}": value for name, value in told(answer).items()} | {
        "Vary": "Accept"
    } == UPSTREAMS
    assert answer.values("Vary") == ["Accept"]
    assert told(served.ask("unknown.test")) == {}
    before = len(served.peer.requests)
    served.preflight("off.test")
    assert len(served.peer.requests) == before + 1


def test_the_routes_own_takes_the_place_of_the_services(served: Served) -> None:
    assert told(served.ask("own.test"))["Allow-Origin"] == "*"


def test_no_site_can_write_a_header(served: Served) -> None:
    answer = served.ask("named.test", "https://a.test; $uri \" ' \\")
    assert told(answer)["Allow-Origin"] == "https://a.test; $uri \" ' \\"
