"""Where clients are asked for a certificate, as it is said once (K511, K538)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from support.compiling import certificate, compile_texts
from support.diffing import CA_ID

from compiler.plan.server_names import handshake_of

if TYPE_CHECKING:
    from support.compiling import Outcome

CONF = {"proxy_listen": "0.0.0.0:8443 ssl", "ssl_cert": "ec.crt", "ssl_cert_key": "ec.key"}
CONFIG = {"ca_certificates": [CA_ID], "revocation_check_mode": "SKIP", "skip_consumer_lookup": True}
MTLS = {"name": "mtls-auth", "config": CONFIG}
ANY = {"name": "tls-handshake-modifier"}
SNI = {"protocols": ["https"], "plugins": [MTLS]}
START = "clients are asked for a certificate in handshakes for "
END = ", and neither in those for other server names nor in those without one"


def compiled(
    *routes: dict[str, Any],
    target: Literal["nginx", "openresty"] = "nginx",
    conf: dict[str, str] = CONF,
) -> Outcome:
    named = [{"name": f"r{n}", **route} for n, route in enumerate(routes)]
    document = {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": "http://192.0.2.1", "routes": named}],
        "ca_certificates": [{"id": CA_ID, "cert": certificate("ca.crt")}],
    }
    outcome = compile_texts(document, conf, target=target)
    assert outcome.compiled is not None, outcome.diagnostics
    return outcome


def said(outcome: Outcome) -> list[str]:
    return [d.message for d in outcome.report if d.rule.code in {"K511", "K538"}]


def asking(*hosts: str) -> dict[str, Any]:
    return {"hosts": hosts, "paths": ["/"], "plugins": [MTLS]}


def open_at(*hosts: str) -> dict[str, Any]:
    return {"hosts": hosts, "paths": ["/"]}


HOST = "; it counts for the Host of the same name"


@pytest.mark.parametrize("target", ["nginx", "openresty"])
@pytest.mark.parametrize(
    ("routes", "names", "counts"),
    [
        ([asking("b.test", "A.test"), open_at("c.test")], "a.test, b.test", HOST),
        ([{**open_at("a.test"), "plugins": [ANY]}], "a.test", ""),
        ([asking("*.a.test"), open_at("x.a.test")], "*.a.test (without x.a.test)", HOST),
        ([asking("*.b.a.test"), open_at("*.a.test")], "*.b.a.test", HOST),
        ([asking("a.*"), open_at("*.test")], "*.test, a.*", HOST),
        ([asking("*.test"), open_at("a.*")], "*.test", HOST),
        ([asking("*.long.test", "*.q"), open_at("*.test")], "*.long.test, *.q", HOST),
        ([{**open_at("z.test"), "plugins": [ANY]}, asking("a.test")], "a.test, z.test", HOST),
        (
            [{**SNI, "snis": ["a.test."]}],
            "a.test",
            "; it counts after handshakes for a.test for every Host but others of these names",
        ),
        (
            [{**SNI, "snis": ["b.test", "a.test"], "hosts": ["Y.test", "x.test"]}],
            "a.test, b.test",
            "; it counts after handshakes for a.test, b.test for the Host x.test, y.test",
        ),
        (
            [asking("a.test"), {**SNI, "snis": ["b.test"], "hosts": ["x.test"]}],
            "a.test, b.test",
            HOST + ", and after handshakes for b.test for the Host x.test",
        ),
    ],
)
def test_names_that_ask(
    target: Literal["nginx", "openresty"], routes: list[dict[str, Any]], names: str, counts: str
) -> None:
    assert said(compiled(*routes, target=target)) == [START + names + END + counts]


@pytest.mark.parametrize("target", ["nginx", "openresty"])
@pytest.mark.parametrize(
    ("routes", "names"),
    [
        ([], ""),
        ([asking("a.test")], ""),
        ([open_at("b.test", "a.test")], " but a.test, b.test"),
        ([{**open_at("a.test"), "paths": ["/below"]}], ""),
        ([open_at("*.a.test"), asking("x.a.test")], " but *.a.test (without x.a.test)"),
    ],
)
def test_every_name_asks(
    target: Literal["nginx", "openresty"], routes: list[dict[str, Any]], names: str
) -> None:
    everywhere = {"name": "all", "paths": ["/"], "plugins": [MTLS]}
    because = "route all has neither hosts nor snis"
    assert said(compiled(everywhere, *routes, target=target)) == [
        f"{START}every server name{names}, and in those without one: {because}"
    ]


def test_an_expression_without_a_host_asks_everybody() -> None:
    route = {"expression": 'http.path ^= "/x"', "protocols": ["https"], "plugins": [MTLS]}
    because = "route r0 has an expression that holds for every host"
    assert said(compiled(route, conf={**CONF, "router_flavor": "expressions"})) == [
        f"{START}every server name, and in those without one: {because}"
    ]


def test_ten_names_are_listed() -> None:
    hosts = [f"h{n:02}.test" for n in range(12)]
    assert said(compiled(asking(*hosts[::-1]))) == [
        f"{START}{', '.join(hosts[:10])} and 2 more{END}{HOST}"
    ]
    assert f"{START}{', '.join(hosts[:10])}{END}" in said(compiled(asking(*hosts[:10])))[0]


def test_nothing_is_said_where_nobody_is_asked() -> None:
    assert said(compiled(open_at("a.test"))) == []
    plain = {"proxy_listen": "0.0.0.0:8000"}
    assert said(compiled(asking("a.test"), conf=plain)) == []
    assert said(compiled({"paths": ["/"], "plugins": [MTLS]}, conf=plain)) == []


def test_what_is_said_is_what_is_planned() -> None:
    asked = {"hosts": ["*.a.test", "b.test"], "plugins": [MTLS]}
    outcome = compiled(asked, open_at("x.a.test", "*.y.a.test"))
    assert said(outcome)[0].startswith(f"{START}*.a.test, b.test (without *.y.a.test, x.a.test),")
    assert outcome.compiled is not None
    planned = outcome.compiled.plan.handshakes
    probes = ("z.a.test", "z.z.a.test", "b.test", "x.a.test", "z.y.a.test", "c.test", "a.test")
    found = {name: handshake_of(name, planned) for name in (*probes, None)}
    assert [name for name, handshake in found.items() if handshake and handshake.asks] == [
        "z.a.test", "z.z.a.test", "b.test"]  # fmt: skip
