"""The routes that gateways are compared with: service and route N have a host and a path, `/api/N`.

Every tenth, beginning with number 5, asks for a method and a header too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

CONF = """\
proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{secure} ssl
admin_listen = off
admin_gui_listen = off
status_listen = off
nginx_worker_processes = 1
proxy_access_log = off
ssl_cert = {folder}/cert.pem
ssl_cert_key = {folder}/key.pem
"""
SERVICE = """\
- name: service-{n}
  url: http://127.0.0.1:{upstream}
  routes:
  - name: route-{n}
    hosts: [{host}]
    paths: [{path}]
"""
CONDITIONS = """\
    methods: [GET]
    headers:
      x-tenant: [{tenant}]
"""
CERTIFIED = "bench.test"
"""The name that the certificate of every gateway is for; clients send none."""

SENT = "/orders/42?page=2"
"""What upstreams get of each request, when the route's path is taken away."""


class Request(NamedTuple):
    """What a client asks a route for."""

    path: str
    host: str
    tenant: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that clients send."""
        return {"Host": self.host, **({"X-Tenant": self.tenant} if self.tenant else {})}


def host(number: int) -> str:
    """Return the host of a route."""
    return f"host-{number}.example.com"


def path(number: int) -> str:
    """Return the path of a route."""
    return f"/api/{number}"


def tenant(number: int) -> str:
    """Return the header's value that a route asks for; nothing where it asks for none."""
    return f"tenant-{number}" if number % 10 == 5 else ""


def request(number: int) -> Request:
    """Return a request for a route."""
    return Request(path(number) + SENT, host(number), tenant(number))


def entities(count: int, upstream: int) -> str:
    """Return *count* services with a route each, all of which lead to the port *upstream*."""
    return '_format_version: "3.0"\nservices:\n' + "".join(
        SERVICE.format(n=n, host=host(n), path=path(n), upstream=upstream)
        + (CONDITIONS.format(tenant=tenant(n)) if tenant(n) else "")
        for n in range(count)
    )


def hostless(hosts: int, paths: int) -> str:
    """Return routes of *hosts* hosts and routes of *paths* paths that every host has."""
    return (
        '_format_version: "3.0"\nservices:\n- name: all\n  host: 127.0.0.1\n  routes:\n'
        + "".join(
            (
                *(
                    f"  - name: host-{n}\n    hosts: [{host(n)}]\n    paths: [/own]\n"
                    for n in range(hosts)
                ),
                *(f"  - name: path-{n}\n    paths: [{path(n)}/]\n" for n in range(paths)),
            )
        )
    )


def listed(requests: Iterable[Request]) -> str:
    """Return requests as load.lua reads them."""
    return "".join(f"{' '.join(request).strip()}\n" for request in requests)
