"""Kong 3.10's own answers for connections, asked of a running nginx.

Clients' addresses come by PROXY protocol, as they are; local addresses are moved into 127.0.0.0/8,
and ports are told by port_maps.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from support import engines
from support.stream_cases import CASES
from support.streams import asked, free, service, stream_gateway
from support.upstreams import Options, upstream

if TYPE_CHECKING:
    from pathlib import Path

    from support.engines import Engine

_MOVED = {
    "10.0.0.0/8": "127.64.0.0/10", "10.0.0.0/24": "127.64.0.0/24", "10.0.0.1/24": "127.64.0.1/24",
    "10.0.0.1": "127.64.0.1", "10.0.0.2": "127.64.0.2", "10.1.2.3": "127.65.2.3",
    "192.168.0.0/16": "127.168.0.0/16", "192.168.0.9": "127.168.0.9",
}  # fmt: skip
EVERY = 4
"""Each fourth set is enough for Debian's nginx."""


def moved(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the routes with local addresses that this machine has, for TLS and without."""
    return [
        {
            **route,
            "protocols": ["tcp", "tls"],
            "destinations": [
                {**end, **({"ip": _MOVED.get(end["ip"], end["ip"])} if "ip" in end else {})}
                for end in route.get("destinations", ())
            ] or None,
        }
        for route in routes
    ]  # fmt: skip


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def can_be_asked(request: dict[str, Any]) -> bool:
    """Tell whether a client can send it here, and is to be answered as Kong does."""
    name = request.get("sni", "")
    return ":" not in request["dst_ip"] and name == name.lower() and not name.endswith(".")


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_kongs_answers(workdir: Path, case: dict[str, Any]) -> None:
    ask_all(engines.find("embedded"), workdir, case)


@pytest.mark.debian
@pytest.mark.parametrize("case", CASES[::EVERY], ids=by_name)
def test_kongs_answers_of_an_older_nginx(workdir: Path, case: dict[str, Any]) -> None:
    ask_all(engines.find("debian"), workdir, case)


def ask_all(engine: Engine, workdir: Path, case: dict[str, Any]) -> None:
    """Serve a case's routes and compare what each of its requests gets."""
    requests = [request for request in case["requests"] if can_be_asked(request)]
    ports = sorted({(request["dst_port"], "sni" in request) for request in requests})
    with contextlib.ExitStack() as stack:
        local = dict(zip(ports, stack.enter_context(free(len(ports))), strict=True))
        services = []
        for route in moved(case["routes"]):
            peer = stack.enter_context(upstream(Options(name=route["id"])))
            services.append(service(f"s{peer.port}", f"tcp://{peer.address}", route))
        listen = ", ".join(
            f"0.0.0.0:{port} proxy_protocol{' ssl' * ssl}" for (_, ssl), port in local.items()
        )
        maps = ", ".join(f"{wanted}:{port}" for (wanted, _), port in local.items())
        conf = f"port_maps = {maps}\ntrusted_ips = 127.0.0.0/8\n"
        entities = {"services": services}
        stack.enter_context(stream_gateway(engine, workdir, listen, entities, conf=conf))
        for request in requests:
            port = local[request["dst_port"], "sni" in request]
            family = "TCP6" if ":" in request["src_ip"] else "TCP4"
            to = _MOVED.get(request["dst_ip"], request["dst_ip"])
            their = "::1" if family == "TCP6" else to
            line = f"PROXY {family} {request['src_ip']} {their} {request['src_port']} {port}"
            assert asked(port, request.get("sni"), to=to, proxy=line) == request["expect"], request
