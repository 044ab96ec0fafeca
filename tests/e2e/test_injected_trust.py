"""Directives of TLS that are injected around servers: they let nobody in whom a plugin does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import pki
from support.gateway import check, gateway, secured_files
from support.upstreams import identity, upstream

if TYPE_CHECKING:
    from pathlib import Path

    from support.engines import Engine

OURS, OTHERS = pki.ca("Ours"), pki.ca("Others")
ALICE = pki.leaf(OURS, cn="alice", client=True)
MALLORY = pki.leaf(OTHERS, cn="mallory", client=True)
ID = "11111111-0000-4000-8000-000000000001"
HOSTS = {"told.test": True, "untold.test": False}
"""With whether clients are told whose certificates are believed there."""


def files(port: int, setting: str, *, sends_names: bool | None = None) -> dict[str, Any]:
    """Make a gateway that asks at each host, or at one alone that everybody is served by."""
    routes = [
        {"name": host, "hosts": [host], "plugins": [_plugin(sends_ca)]}
        for host, sends_ca in HOSTS.items()
    ]
    if sends_names is not None:
        routes = [{"name": "all", "paths": ["/"], "plugins": [_plugin(sends_names)]}]
    entities = {
        "_format_version": "3.0",
        "services": [{"name": "s", "url": f"http://127.0.0.1:{port}", "routes": routes}],
        "ca_certificates": [{"id": ID, "cert": OURS.cert_pem}],
    }
    return {**secured_files(entities, f"{setting}\n"), "others.pem": OTHERS.cert_pem}


def _plugin(sends_names: bool) -> dict[str, Any]:  # noqa: FBT001
    said = {"ca_certificates": [ID], "skip_consumer_lookup": True, "send_ca_dn": sends_names,
            "revocation_check_mode": "SKIP"}  # fmt: skip
    return {"name": "mtls-auth", "config": said}


@pytest.mark.parametrize("sends_names", [None, True, False], ids=["hosts", "all", "all-untold"])
@pytest.mark.parametrize("directive", ["ssl_trusted_certificate", "ssl_client_certificate"])
def test_authorities_of_the_block_around_let_nobody_in(
    engine: Engine, workdir: Path, directive: str, *, sends_names: bool | None
) -> None:
    setting = f"nginx_http_{directive} = {workdir}/others.pem"
    with upstream() as peer:
        given = files(peer.port, setting, sends_names=sends_names)
        with gateway(engine, workdir, given) as running:
            for host in HOSTS:
                assert running.get(host, client=identity(ALICE)).status == 200
                assert running.get(host, client=identity(MALLORY)).status == 401
            assert len(peer.requests) == len(HOSTS)


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        ("VerifyCAFile others.pem", True),
        ("verifycapath /etc/ssl/certs", True),
        ('"VerifyMode" Peer', True),
        ("Options SessionTicket", True),
        ('options "KTLS,+sessionticket"', True),
        ("Unknown x", True),
        ("Options PrioritizeChaCha,-SessionTicket", False),
        ("Ciphersuites TLS_AES_256_GCM_SHA384", False),
    ],
)
@pytest.mark.parametrize("block", ["http", "proxy"])
def test_commands_that_say_who_is_believed_are_refused(
    workdir: Path, block: str, command: str, *, refused: bool
) -> None:
    """Tickets count: with one that another server gave came whom that had let in."""
    given = files(1, f"nginx_{block}_ssl_conf_command = {command}")
    _, found = check(workdir, given)
    assert ("K508" in {diagnostic["code"] for diagnostic in found}) == refused
