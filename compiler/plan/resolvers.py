"""Which name servers nginx asks for the names of upstreams and responders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import plan_rules as rules
from compiler.plan.destinations import is_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compiler.model.destinations import Destination
    from compiler.model.diagnostic import Report
    from compiler.model.inputs import FileReader, Inputs
    from compiler.model.settings import Settings

RESOLV_CONF = "/etc/resolv.conf"

_LOCAL = "127.0.0.1"
"""What the C library asks when resolv.conf names no server (resolv.conf(5))."""


def plan_resolvers(
    settings: Settings,
    named: Sequence[Destination],
    inputs: Inputs,
    report: Report,
    *,
    responders: bool = False,
) -> tuple[str, ...]:
    """Return the name servers for the upstreams in *named*; none when all have addresses.

    With *responders* there are some in any case: certificates name those (OCSP).

    Kong asks those of dns_resolver (resolver_address with the new client), else those of
    /etc/resolv.conf; nginx has no such default, so that file is read here, and said.
    """
    if not named and not responders:
        return ()
    new_client = settings.flag("new_dns_client")
    chosen = settings.items("resolver_address" if new_client else "dns_resolver")
    if chosen:
        return tuple(_server(item) for item in chosen)
    source = inputs.resolv_conf or RESOLV_CONF
    servers = tuple(_server(item) for item in _name_servers(inputs.files, source)) or (_LOCAL,)
    report.add(
        rules.NO_RESOLVER,
        None,
        names=f"upstream names such as {named[0].peers[0].host}"
        if named
        else "names of responders (OCSP) in clients' certificates",
        source=source,
        servers=", ".join(servers),
    )
    return servers


def _name_servers(files: FileReader, path: str) -> list[str]:
    try:
        text = files.read(path).decode("utf-8", "replace")
    except OSError:
        return []
    words = [line.split() for line in text.splitlines()]
    found = [w[1] for w in words if len(w) >= 2 and w[0] == "nameserver"]
    return [server for server in found if is_address(server)]


def _server(text: str) -> str:
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
