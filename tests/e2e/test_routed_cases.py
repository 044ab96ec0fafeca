"""Kong's own answers to requests, asked of a running nginx.

What the pure model of Kong's router says (it is compared with Kong's answers in a test of its own)
is what nginx has to do: the route, the request target and the Host that the upstream receives, or
the answer of the gateway itself.
"""

from __future__ import annotations

import itertools
import json
import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import engines, pki, ports
from support.client import https_request
from support.compiling import compile_texts
from support.upstreams import Options, identity, upstream

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.request import Request
from compiler.router.rust_regex import is_exact
from compiler.router.upstream import outcome as outcome_of
from compiler.router.upstream import upstream_host, upstream_uri
from compiler.router.uri import sent_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.client import Response
    from support.compiling import Outcome
    from support.engines import Engine
    from support.upstreams import Upstream

    from compiler.router.patterns import Flavor

CASES = [
    case
    for case in json.loads((Path(__file__).parents[1] / "data/router_cases.json").read_text())
    if case["subsystem"] == "http"
]
PORTS = {"http": (80, 8000, 8443, 8080), "https": (443, 8443, 8080)}
"""The ports of connections that the cases speak of."""

CONF = """\
admin_listen = off
admin_gui_listen = off
status_listen = off
tls_certificate_verify = off
dns_resolver = 127.0.0.1
allow_debug_header = on
"""


@pytest.mark.parametrize("flavor", ["traditional_compatible", "traditional"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_nginx_routes_as_kong(
    case: dict[str, Any], flavor: Flavor, engine: Engine, workdir: Path
) -> None:
    with served(case, flavor, engine, workdir) as (gateway, outcome):
        model = Model(outcome, flavor)
        found = [(r, gateway.ask(r), model.ask(r)) for r in case["requests"]]
    # Flavor traditional passes over routes with SNIs where TLS is missing and others match.
    has_snis = any(route.get("snis") for route in case["routes"])
    regexes = {path for route in case["routes"] for path in route.get("paths") or ()}
    wrong = [
        f"{r['method']} {r['scheme']} {r.get('host')} {r['path']} {r.get('headers', '')} "
        f"{r.get('sni')}\n      nginx {answer}\n      Kong  {expected}"
        for r, answer, expected in found
        if answer != expected
        and not differs(r, answer, engine, regexes)
        and not (flavor == "traditional" and r["scheme"] == "http" and has_snis)
    ]
    assert not wrong, "\n".join(wrong)


WITH_V1 = [case for case in CASES if any(r.get("path_handling") == "v1" for r in case["routes"])]
AS_WRITTEN = ("/b%2Fc", "/b%3fc/", "/%5B/c%00")


@pytest.mark.parametrize("flavor", ["traditional_compatible", "traditional"])
@pytest.mark.parametrize("case", WITH_V1[::6], ids=lambda case: case["name"])
def test_paths_of_services_are_sent_as_they_are_written(
    case: dict[str, Any], flavor: Flavor, engine: Engine, workdir: Path
) -> None:
    bases = itertools.cycle(AS_WRITTEN)
    # Not a name, which older versions of nginx look up for each request.
    services = [{**s, "host": "10.0.0.1", "path": next(bases)} for s in case["services"]]
    test_nginx_routes_as_kong({**case, "services": services}, flavor, engine, workdir)


class Model:
    """The pure model of Kong's router, which is compared with Kong's own answers elsewhere."""

    def __init__(self, outcome: Outcome, flavor: Flavor) -> None:
        assert outcome.compiled is not None
        entities = outcome.compiled.config.entities
        self._services = entities.services
        self._candidates = candidates(entities.routes.values(), flavor)

    def ask(self, case: dict[str, Any]) -> tuple[Any, ...]:
        request = Request(
            scheme=case["scheme"],
            method=case["method"],
            host=case.get("host"),
            target=case["path"],
            headers=tuple(sent_headers(case)),
            sni=case.get("sni"),
            port=case.get("dst_port"),
        )
        found = match(self._candidates, request)
        if found is None:
            return (404,)
        route = found.candidate.route
        told = outcome_of(found, request)
        if told is not None:
            location = told.location and told.location.encode("utf-8", "surrogateescape")
            return (told.status, route.id, location and location.decode("latin-1"))
        if route.service is None:
            return (503, route.id)
        service = self._services[route.service]
        sent = sent_target(upstream_uri(found, service, request), request.target)
        return (200, route.id, sent, upstream_host(found, service, request))


def sent_headers(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in (request.get("headers") or {}).items():
        for value in values if isinstance(values, list) else [values]:
            yield name, value


def differs(
    request: dict[str, Any],
    answer: tuple[Any, ...],
    engine: Engine,
    regexes: set[str],
) -> bool:
    """Tell whether a difference is one of those that docs/differences.md explains."""
    path = request["path"].partition("?")[0]
    values = [value for _, value in sent_headers(request)]
    repeated = len(values) > len(request.get("headers") or {})
    return (
        # nginx refuses these in Kong, too, before the router sees them.
        (answer == (400,) and bool(re.search(r"%(?![0-9A-Fa-f]{2})| ", path)))
        or (answer == (400,) and bool(re.search(r":\d*\.$", request.get("host") or "")))
        # Kong's normal form would take more than maps can do.
        or (answer == (400,) and bool(ENCODED.search(path)) and bool(NOT_NORMAL.search(path)))
        or (request.get("host") or "").endswith((".", ":"))
        or (answer == (400,) and climbs(path))
        # \\w, \\d and their like mean ASCII to nginx.
        or (
            not path.isascii()
            and any(regex.startswith("~") and not is_exact(regex[1:]) for regex in regexes)
        )
        # A fragment ends the query for nginx, as it does in Kong.
        or "#" in request["path"].partition("?")[2]
        # These stand for themselves in a path that is passed on as it was sent.
        or bool(ENCODED.search(path) and re.search(r'["<>\\^`{|}]', path))
        # An empty query is dropped where the path is not in normal form.
        or (request["path"].endswith("?") and bool(re.search(r"%|//|/\.{1,2}(?:/|$)", path)))
        # A list and a repeated header are the same to nginx, and the older one sees the first.
        or any("," in value for value in values)
        or (repeated and engine.version < (1, 23))
    )


def climbs(path: str) -> bool:
    """Tell whether a path leads above the root: nginx refuses it, in Kong, too."""
    depth = 0
    for segment in re.sub("%2e", ".", path, flags=re.IGNORECASE).split("/"):
        depth += -1 if segment == ".." else segment not in {"", "."}
        if depth < 0:
            return True
    return False


ENCODED = re.compile(r"%(?:2[13-9A-CF]|3[ABDF]|40|5[BD])|#", re.IGNORECASE)
NOT_NORMAL = re.compile(r"/\.{1,2}(?:/|$)|%(?:2E|[46][1-9A-F]|3\d)", re.IGNORECASE)


class Served:
    def __init__(self, listeners: dict[tuple[str, int], int], peers: tuple[Upstream, ...]) -> None:
        self._listeners = listeners
        self._peers = peers

    def ask(self, request: dict[str, Any]) -> tuple[Any, ...]:
        scheme = request["scheme"]
        port = self._listeners[scheme, request.get("dst_port") or PORTS[scheme][0]]
        for peer in self._peers:
            peer.requests.clear()
        headers = [("Kong-Debug", "1"), *sent_headers(request)]
        answer = https_request(
            port,
            request.get("host") or "",
            request["path"].encode("utf-8", "surrogateescape"),
            method=request["method"],
            sni=request.get("sni"),
            headers=headers,
            tls=scheme == "https",
        )
        return self._told(answer)

    def _told(self, answer: Response) -> tuple[Any, ...]:
        route = answer.header("Kong-Route-Id")
        echo = next((peer.last for peer in self._peers if peer.requests), None)
        if echo is not None:
            host = next(value for name, value in echo["headers"] if name == "Host")
            return (answer.status, route, *map(as_text, (echo["target"], host)))
        if route is None:
            return (answer.status,)
        if answer.status == 503:
            return (503, route)
        return (answer.status, route, answer.header("Location"))


def as_text(text: str) -> str:
    """Return as UTF-8 what the upstream read as single bytes."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


@contextmanager
def served(
    case: dict[str, Any], flavor: Flavor, engine: Engine, tree: Path
) -> Iterator[tuple[Served, Outcome]]:
    with ExitStack() as stack:
        keys = [(scheme, port) for scheme, found in PORTS.items() for port in found]
        free = stack.enter_context(ports.reserve(len(keys)))
        listeners = dict(zip(keys, free, strict=True))
        listen = ", ".join(
            f"127.0.0.1:{real}{' ssl' if scheme == 'https' else ''}"
            for (scheme, _), real in listeners.items()
        )
        maps = ", ".join(f"{port}:{real}" for (_, port), real in listeners.items())
        # Kong's router was asked for routes of disabled services, too.
        services = [{**service, "enabled": True} for service in case["services"]]
        outcome = compile_texts(
            {"_format_version": "3.0", "services": services, "routes": case["routes"]},
            f"{CONF}router_flavor = {flavor}\nproxy_listen = {listen}\nport_maps = {maps}\n",
            nginx_version=engine.version[:3],
        )
        if flavor == "traditional" and "is not a host name" in outcome.diagnostics:
            pytest.skip("flavor traditional has no wildcards in snis")
        assert outcome.compiled is not None, outcome.diagnostics
        plain = stack.enter_context(upstream())
        secure = stack.enter_context(upstream(Options(identity=identity(pki.self_signed("up")))))
        write(outcome, tree, {"http": plain.address, "https": secure.address})
        stack.enter_context(engines.start(engine, tree))
        yield Served(listeners, (plain, secure)), outcome


def write(outcome: Outcome, tree: Path, addresses: dict[str, str]) -> None:
    """Write a tree whose upstreams are ours; nothing else of it is changed."""
    assert outcome.compiled is not None
    for path, file in outcome.compiled.tree.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(file.data())
    (tree / "logs/tmp").mkdir(parents=True, exist_ok=True)
    text = outcome.conf
    for group in outcome.compiled.plan.groups:
        block = re.compile(
            rf"(upstream {re.escape(group.name)} \{{.*?\n        server )[^;]+;", re.DOTALL
        )
        address = addresses[group.destination.scheme]
        text = block.sub(lambda m, address=address: f"{m[1]}{address};", text)  # type: ignore[misc]
    looked_up = re.compile(r"set \$upstream_address \S+;(.*?proxy_pass (https?):)", re.DOTALL)
    text = looked_up.sub(lambda m: f"set $upstream_address {addresses[m[2]]};{m[1]}", text)
    (tree / "nginx.conf").write_text(text)
