"""Where a service's requests go, with which TLS, and what decided it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from compiler.model.config import Because
from compiler.model.place import FromFile, Place
from compiler.plan.destinations import is_address
from compiler.plan.stream_destinations import StreamDestinationPlanner
from compiler.plan.versions import features_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.config import Config
    from compiler.model.destinations import Destination
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Route, Service
    from compiler.model.inputs import Inputs

_PORT = re.compile(r":[0-9]*\Z")

Reasons = dict[str, tuple[Because, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAnswer:
    """A service's destination; `because` holds, per TLS field, what decided, winner first.

    `routes` are all routes of the service; `renaming` those with preserve_host, for which the
    client's Host takes the place of the destination's name.
    """

    service: Service
    destination: Destination
    because: Reasons
    routes: tuple[Route, ...]
    renaming: tuple[Route, ...]


def find_service(services: Mapping[str, Service], wanted: str) -> Service | None:
    """Return the service whose name, else whose id, is *wanted*."""
    named = next((s for s in services.values() if s.name == wanted), None)
    return named or next((s for s in services.values() if s.id.lower() == wanted.lower()), None)


def near_services(services: Mapping[str, Service], wanted: str) -> list[str]:
    """Return the names that look most like *wanted*, best first."""
    names = [service.label for service in services.values()]
    return get_close_matches(wanted, names, 3)


def explain_service(
    service: Service, config: Config, inputs: Inputs, report: Report
) -> ServiceAnswer:
    """Return where *service* sends requests, also when no route leads there."""
    routes = tuple(r for r in config.entities.routes.values() if r.service == service.id)
    renaming = tuple(route for route in routes if route.preserve_host)
    planner = StreamDestinationPlanner(
        config,
        features_of(inputs.nginx_version),
        names_at_start=inputs.names_at_start,
        report=report,
    )
    own_name = not routes or len(renaming) < len(routes)
    destination = planner.plan(service, sends_own_name=own_name)
    return ServiceAnswer(
        service=service,
        destination=destination,
        because=_because(destination, renaming, only_renaming=not own_name),
        routes=routes,
        renaming=renaming,
    )


def of_request(answer: ServiceAnswer, route: Route, host: str) -> ServiceAnswer:
    """Return *answer* as it is for a request by *route*, to which *host* is sent as Host."""
    destination = replace(answer.destination, host_header=host)
    tls = destination.tls
    if tls is not None and route.preserve_host:
        # nginx takes the port away from the name that it verifies.
        name = _PORT.sub("", host).lower()
        tls = replace(tls, name=name, server_name=not is_address(name))
        destination = replace(destination, tls=tls)
    renaming = (route,) if route.preserve_host else ()
    because = _because(destination, renaming, only_renaming=route.preserve_host)
    return replace(answer, destination=destination, because=because, renaming=renaming)


def _because(
    destination: Destination, renaming: tuple[Route, ...], *, only_renaming: bool
) -> Reasons:
    tls = destination.tls
    if tls is None:
        return {}
    own = _name_because(destination)
    clients = tuple(
        _written(route.source.place("preserve_host"), f"routes.{route.label}.preserve_host")
        for route in renaming
    )
    return {
        "verify": tls.because["verify"],
        "depth": tls.because["depth"],
        "trusted_certificates": tls.because["trusted"],
        "name": (*clients, *own) if only_renaming else (*own, *clients),
        "server_name": (_server_name_because(destination),),
        "client_certificate": tls.because["client"],
    }


def _name_because(destination: Destination) -> tuple[Because, ...]:
    """Return what the verified name was taken from."""
    service, upstream = destination.service, destination.upstream
    field = "url" if service.source.get("url") else "host"
    host = _written(service.source.place(field), f"services.{service.label}.{field}")
    if upstream is None:
        return (host,)
    field = "host_header" if upstream.host_header is not None else "targets"
    own = _written(upstream.source.place(field), f"upstreams.{upstream.name}.{field}")
    return own, host


def _server_name_because(destination: Destination) -> Because:
    tls = destination.tls
    if tls is not None and tls.server_name:
        return Because("Kong sends the name as SNI")
    if tls is not None and tls.name is not None:
        return Because("an address is never sent as SNI")
    return Because("the names of the targets differ")


def _written(place: Place, name: str) -> Because:
    return Because(name, FromFile(Place(place.file, place.line)))
