"""Gateways that ask responders (OCSP) whether clients' certificates were revoked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from support import pki
from support.access import BY_LUA, FAILED, Data, Gateway, find_engine, serve, told
from support.upstreams import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.pki import Cert

ROOT, LISTED = pki.ca("Root"), pki.ca("Listed")
TOLERANT = {"mode": "IGNORE_CA_ERROR"}


@contextlib.contextmanager
def running(folder: Path, *, more: str = "", **rules: dict[str, Any]) -> Iterator[Gateway]:
    """Serve rules, of which each tells how its certificates are trusted; `more` are directives."""
    find_engine()
    data = Data()
    for name, options in rules.items():
        trust = {"mode": "STRICT", **options}
        ttl = trust.pop("ttl", 60)
        authorities = trust.pop("authorities", (ROOT, LISTED))
        step = data.step(data.trust(*authorities, **trust), skip_consumer_lookup=True)
        data.rules[name] = [step | {"cert_cache_ttl": ttl}]
    with upstream() as peer, serve(folder, data, peer, ask=f"{BY_LUA} {more}") as gateway:
        yield gateway


def lets_in(gateway: Gateway, cert: Cert, *rules: str) -> set[str]:
    """Give the rules that let a certificate in."""
    found = set()
    for rule in rules or ("strict", "tolerant", "skip"):
        answer = gateway.get(f"/{rule}", cert)
        if answer.status == 200:
            assert told(answer)["X-Client-Cert-Dn"]
            found.add(rule)
        else:
            assert (answer.status, answer.text) == (401, FAILED)
    return found
