"""Where the connections of stream services go, and with which TLS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.model.destinations import UpstreamTls
from compiler.model.stream import STREAM_PROTOCOLS
from compiler.plan.destinations import DestinationPlanner, is_address
from compiler.plan.upstream_tls import plan_policy

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.destinations import Destination
    from compiler.model.diagnostic import Report
    from compiler.model.entities import Service
    from compiler.model.plan import Features
    from compiler.model.x509 import Bundle


class StreamDestinationPlanner:
    """Plans the destination of one service after another, of requests' services too."""

    def __init__(
        self, config: Config, features: Features, *, names_at_start: bool, report: Report
    ) -> None:
        self._planner = DestinationPlanner(
            config, features, names_at_start=names_at_start, report=report
        )
        # Injected directives of the http block do not reach streams: they have their own.
        self._materials = replace(config.materials, upstream=config.materials.stream)
        self._report = report
        self._bundles: dict[tuple[str, ...], Bundle] = {}

    def plan(self, service: Service, *, sends_own_name: bool) -> Destination:
        """Return where *service* goes; a stream service whose protocol asks for TLS has it."""
        if service.protocol not in STREAM_PROTOCOLS:
            return self._planner.plan(service, sends_own_name=sends_own_name)
        destination = self.raw(service)
        return self.encrypted(destination) if service.protocol == "tls" else destination

    def raw(self, service: Service) -> Destination:
        """Return where *service* goes, without TLS."""
        return self._planner.plan(service, sends_own_name=False)

    def encrypted(self, destination: Destination) -> Destination:
        """Return *destination* with TLS to it, as its service and the settings ask for.

        The name is that of the upstream's host_header, else the target's own; an address is no
        name to send.
        """
        policy, because = plan_policy(
            destination.service,
            destination.upstream,
            self._materials,
            self._bundles,
            self._report,
        )
        name = _name(destination)
        tls = UpstreamTls(
            policy=policy,
            name=name,
            server_name=name is not None and not is_address(name),
            because=because,
        )
        return replace(destination, tls=tls)


def _name(destination: Destination) -> str | None:
    upstream = destination.upstream
    if upstream is not None and upstream.host_header is not None:
        return upstream.host_header.rpartition(":")[0] or upstream.host_header
    names = {peer.host for peer in destination.peers}
    return names.pop() if len(names) == 1 else None
