"""Paths that hide what they are: nginx finds Kong's route for them, refuses, and never another."""

from __future__ import annotations

import random
import re
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import compile_texts
from support.gateway import gateway
from support.upstreams import upstream

from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.request import Request
from compiler.router.upstream import upstream_uri
from compiler.router.uri import sent_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

TOKENS = (
    "/", "/", "/", "//", "/.", "/..", "a", "admin", "admin", "x", "%2F", "%2f", "%5c", "%61", "%2e",
    "%2E%2e", "%25", "%252F", "%C3%A9", "%c3%a9", "é", ";", "#", "%23", "%3f", "?", "?a=%2F", "%20",
    "%00", "%0a", ".", "..", "~", "%7E", ":", "%3A", "%FF", "+", "&", "%", "%zz", '"', "|", "\\",
)  # fmt: skip
ROUTES = [
    {"name": "root", "paths": ["/"]},
    {"name": "admin", "paths": ["/admin"]},
    {"name": "admin-kept", "paths": ["/admin/x"], "strip_path": False},
    {"name": "regex", "paths": ["~/a/(x|admin)$"]},
    {"name": "encoded", "paths": ["/a%2Fx"]},
    {"name": "accented", "paths": ["/é"]},
    {"name": "spaced", "paths": ["/x y"]},
]
BASES = {"plain": (None, "/base", "/base/"), "as-written": ("/%5B", "/ba%2Fse", "/ba%3fse/")}


def entities(bases: tuple[str | None, ...], port: int) -> dict[str, Any]:
    parts = (("plain", ROUTES[:2]), ("based", ROUTES[2:5]), ("slashed", ROUTES[5:]))
    return {
        "_format_version": "3.0",
        "services": [
            {"name": name, "host": "127.0.0.1", "port": port, "path": base, "routes": routes}
            for base, (name, routes) in zip(bases, parts, strict=True)
        ],
    }


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    peer: Upstream
    entities: dict[str, Any]


@pytest.fixture(scope="module", params=BASES)
def served(request: pytest.FixtureRequest, engine: Engine, folder: Path) -> Iterator[Served]:
    own = folder / request.param
    own.mkdir(mode=0o755)
    with upstream() as peer:
        given = entities(BASES[request.param], peer.port)
        files = {"kong.conf": "allow_debug_header = on\n", "kong.yml": given}
        with gateway(engine, own, files) as found:
            yield Served(found, peer, given)


@pytest.mark.parametrize("seed", range(4))
def test_odd_paths_go_where_kong_sends_them(served: Served, seed: int) -> None:
    found, peer = served.gateway, served.peer
    outcome = compile_texts(served.entities, {"proxy_listen": "127.0.0.1:80"})
    assert outcome.compiled is not None, outcome.diagnostics
    entities = outcome.compiled.config.entities
    known = candidates(entities.routes.values(), "traditional_compatible")
    draw = random.Random(seed)
    wrong = []
    for _ in range(250):
        target = "/" + "".join(draw.choices(TOKENS, k=draw.randint(1, 6)))
        peer.requests.clear()
        answer = found.get("x.test", target.encode(), tls=False, headers={"Kong-Debug": "1"})
        request = Request(scheme="http", host="x.test", target=target)
        expected = match(known, request)
        if answer.status == 400 or expected is None:
            if answer.status not in {400, 404} or peer.requests:
                wrong.append((target, answer.status, None))
            continue
        route = expected.candidate.route
        service = entities.services[route.service or ""]
        sent = sent_target(upstream_uri(expected, service, request), target)
        got = peer.last["target"].encode("latin-1").decode() if peer.requests else None
        if answer.header("Kong-Route-Name") != route.name or not same(got, sent):
            wrong.append((target, answer.header("Kong-Route-Name"), got, route.name, sent))
    assert not wrong, "\n".join(map(str, wrong))


def test_an_upstream_cannot_send_a_request_to_another_route(engine: Engine, workdir: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /admin\r\nContent-Length: 4\r\n\r\nmine"
    with socket.create_server(("127.0.0.1", 0)) as listener, upstream() as admin:
        thread = threading.Thread(target=answer_once, args=(listener, answer))
        thread.start()
        services = [
            {"name": "own", "url": f"http://127.0.0.1:{listener.getsockname()[1]}",
             "routes": [{"name": "own", "paths": ["/own"]}]},
            {"name": "admin", "url": f"http://{admin.address}",
             "routes": [{"name": "admin", "paths": ["/admin"]}]},
        ]  # fmt: skip
        files = {"kong.yml": {"_format_version": "3.0", "services": services}}
        with gateway(engine, workdir, files) as found:
            told = found.get("x.test", "/own", tls=False)
        thread.join()
    assert (told.status, told.text, admin.requests) == (200, "mine", [])


def answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def same(got: str | None, sent: str) -> bool:
    """Compare targets; what docs/differences.md says of paths passed on as sent is equal."""
    return got is not None and _plain(got) == _plain(sent)


def _plain(target: str) -> str:
    path, mark, query = target.partition("?")
    raw = path.encode()
    # Characters that should have been escaped, and lower-case digits of escapes.
    raw = re.sub(rb'[^\x21-\x7e]|["<>\\^`{|}]', lambda m: b"%%%02X" % m[0][0], raw)
    path = re.sub("%[0-9a-fA-F]{2}", lambda m: m[0].upper(), raw.decode("ascii"))
    # nginx ends the query at a fragment, in Kong, too; an empty query may be dropped.
    query = query.partition("#")[0]
    return path + (mark + query if query else "")
