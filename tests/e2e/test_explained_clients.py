"""What `explain` says of clients' certificates is what a running gateway does."""

from __future__ import annotations

import json
import os
from contextlib import chdir
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from support.gateway import gateway, secured_files
from support.upstreams import identity, upstream
from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

AUTHORITIES = {
    f"11111111-0000-4000-8000-00000000000{n}": pki.ca(f"Authority {n}") for n in range(3)
}
ONE, OTHER, UNTRUSTED = AUTHORITIES
ALICE, GUEST = (f"22222222-0000-4000-8000-00000000000{digit}" for digit in (1, 2))
CONF = """\
allow_debug_header = on
"""


def mtls(*cas: str, **config: Any) -> list[dict[str, Any]]:
    said = {"revocation_check_mode": "SKIP", "skip_consumer_lookup": True, **config}
    return [{"name": "mtls-auth", "config": {"ca_certificates": list(cas), **said}}]


def entities(port: int) -> dict[str, Any]:
    hosts = {
        "one": mtls(ONE),
        "other": mtls(OTHER),
        "both": mtls(ONE, OTHER),
        "known": mtls(ONE, skip_consumer_lookup=False),
        "guests": mtls(ONE, anonymous=GUEST, skip_consumer_lookup=False),
        "any": [{"name": "tls-handshake-modifier"}],
        "open": [],
    }
    routes = [{"name": n, "hosts": [f"{n}.test"], "plugins": p} for n, p in hosts.items()]
    routes += [
        {"name": "wild", "hosts": ["*.wild.test"], "plugins": mtls(ONE)},
        {"name": "below", "hosts": ["open.wild.test"]},
        {"name": "part", "hosts": ["one.test"], "paths": ["/open"]},
        {"name": "snis", "snis": ["api.sni.test"], "paths": ["/snis"], "protocols": ["https"],
         "plugins": mtls(OTHER)},
    ]  # fmt: skip
    return {
        "_format_version": "3.0",
        "services": [{"name": "site", "url": f"http://127.0.0.1:{port}", "routes": routes}],
        "ca_certificates": [{"id": i, "cert": ca.cert_pem} for i, ca in AUTHORITIES.items()],
        "consumers": [{"id": ALICE, "username": "alice"}, {"id": GUEST, "username": "guest"}],
    }


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    peer: Upstream
    folder: Path
    options: tuple[str, ...]

    def explained(self, *words: str) -> dict[str, Any]:
        command = ["explain", *words, *self.options, "--format", "json"]
        with chdir(self.folder):
            result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def asked(self, url: str, sni: str | None, client: pki.Cert | None) -> Response:
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        options: dict[str, Any] = {"headers": {"Kong-Debug": "1"}, "tls": scheme == "https"}
        if scheme == "https":
            options["client"] = None if client is None else identity(client)
            # As on the command line: without one it is the host, and an empty one is not sent.
            options["sni"] = host if sni is None else sni or None
        return self.gateway.get(host, slash + path, **options)


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    with upstream() as peer:
        files = secured_files(entities(peer.port), CONF)
        with gateway(engine, folder, files) as found:
            options = ("-c", "kong.conf", "-e", "kong.yml", "--no-env", *engine.arguments)
            yield Served(found, peer, folder, options)


def alice(authority: str) -> pki.Cert:
    return pki.leaf(AUTHORITIES[authority], cn="alice", client=True)


CLIENTS = {authority: alice(authority) for authority in AUTHORITIES}

REQUESTS: list[tuple[str, str | None]] = [
    ("https://one.test/", None),
    ("https://one.test/open", None),
    ("https://one.test/open", "nobody.test"),
    ("https://one.test/open", "other.test"),
    ("http://one.test/open", None),
    ("http://one.test/", None),
    ("https://one.test/", ""),
    ("https://one.test/", "nobody.test"),
    ("https://one.test/", "open.test"),
    ("https://one.test/", "other.test"),
    ("https://other.test/", None),
    ("https://both.test/", None),
    ("https://both.test/", "one.test"),
    ("https://known.test/", None),
    ("http://known.test/", None),
    ("https://guests.test/", None),
    ("https://guests.test/", "nobody.test"),
    ("https://guests.test/", "other.test"),
    ("http://guests.test/", None),
    ("https://any.test/", None),
    ("https://any.test/", "nobody.test"),
    ("https://any.test/", "one.test"),
    ("https://open.test/", None),
    ("https://open.test/", "one.test"),
    ("https://a.wild.test/", None),
    ("https://a.wild.test/", "b.wild.test"),
    ("https://open.wild.test/", None),
    ("https://open.wild.test/", "a.wild.test"),
    ("https://x.test/snis", "api.sni.test"),
    ("https://x.test/snis", "one.test"),
    ("https://x.test/snis", ""),
    ("http://x.test/snis", None),
    ("https://nobody.test/", None),
    ("https://nobody.test/", "one.test"),
]


def test_whom_a_request_lets_in(served: Served) -> None:
    wrong = []
    for url, sni in REQUESTS:
        said = served.explained("request", "GET", url, *(() if sni is None else ("--sni", sni)))
        for shown, client in ((None, None), *CLIENTS.items()):
            before = len(served.peer.requests)
            answer = served.asked(url, sni, client)
            found = answer.status, answer.header("Kong-Route-Name"), _who(served, before)
            # Who connects to another name is asked for nothing there, or for what does not count.
            shows = shown if url.startswith("https:") and sni in {None, "api.sni.test"} else None
            wanted = expected(said, shows)
            if found != wanted:
                wrong.append((url, sni, shown, found, wanted))
    assert not wrong, os.linesep.join(map(str, wrong))


def _who(served: Served, before: int) -> str | None:
    if len(served.peer.requests) == before:
        return None
    return {name.lower(): value for name, value in served.peer.last["headers"]}.get("x-consumer-id")


def expected(said: dict[str, Any], shown: str | None) -> tuple[int, str | None, str | None]:
    """Say what is told of a client that shows a certificate of the authority *shown*."""
    route = said["route"] and said["route"]["name"]
    auth, status = said["client_auth"], said["status"]
    if status != 200 or auth is None:
        return status, route, None
    if shown not in auth["ca_certificates"]:
        return (401, route, None) if auth["anonymous"] is None else (200, route, auth["anonymous"])
    return 200, route, None if auth["consumers"] is None else ALICE


@pytest.mark.parametrize(
    "name",
    ["one.test", "other.test", "both.test", "guests.test", "any.test", "open.test", "a.wild.test",
     "open.wild.test", "api.sni.test", "sni.test", "nobody.test", None],
)  # fmt: skip
def test_who_is_asked(served: Served, name: str | None) -> None:
    said = served.explained("sni", *(() if name is None else (name,)))
    done = served.gateway.raw_handshake(None if name is None else name.encode(), version="1.2")
    assert said["client_certificate"] == ("requested" if done.requested else "not-requested")
