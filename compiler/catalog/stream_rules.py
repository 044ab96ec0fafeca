"""K38x and K39x: connections of stream listeners, and the routes that take them."""

from compiler.model.diagnostic import Rule, Severity

ROUTE_NOT_SERVED = Rule(
    code="K380",
    name="stream-route-not-served",
    severity=Severity.WARNING,
    message="route {route} wants {protocols}, but {problem}",
    hint="add {wanted} to stream_listen",
)
SERVICE_MISMATCH = Rule(
    code="K381",
    name="service-protocol-mismatch",
    severity=Severity.ERROR,
    message=(
        "route {route} takes {protocols}, but its service {service} has the protocol {protocol}"
    ),
    hint="give the service one of the protocols {fitting}",
)
NAME_WILDCARD = Rule(
    code="K382",
    name="stream-sni-wildcard-not-compiled",
    severity=Severity.ERROR,
    message="route {route}: the wildcard of {sni} is not a whole label, which is not compiled yet",
    hint="write *.example.com or example.*",
)
LISTENER_FLAGS = Rule(
    code="K383",
    name="stream-listener-flags-conflict",
    severity=Severity.ERROR,
    message="stream_listen: {address} has udp together with {flags}, which nginx refuses",
    hint="remove {flags}",
)
TAKES_OTHERS = Rule(
    code="K384",
    name="stream-route-takes-others",
    severity=Severity.WARNING,
    message=(
        "route {route} is for {protocols}, and takes {what} of {listeners} too: where no server "
        "name is read, Kong compares neither names nor protocols"
    ),
    hint="give the route destinations, with the ports that it is for",
)
CLOSES = Rule(
    code="K385",
    name="stream-route-closes",
    severity=Severity.WARNING,
    message=(
        "route {route} takes connections of {listeners}, which are closed: the listener has ssl, "
        "the route neither tls nor tls_passthrough"
    ),
    hint="add tls to its protocols, or give it destinations",
)
NO_SERVICE = Rule(
    code="K386",
    name="stream-route-without-service",
    severity=Severity.WARNING,
    message="route {route} has no service: the connections that it takes are closed",
    hint="give it a service",
)
DATAGRAMS_WITH_TLS = Rule(
    code="K387",
    name="datagrams-with-tls",
    severity=Severity.ERROR,
    message=(
        "route {route} takes datagrams of {listeners} for service {service}, whose protocol is "
        "{protocol}: Kong would send them on without TLS"
    ),
    hint="give the service the protocol udp, or keep datagrams from the route by destinations",
)
UDP_SERVICE_OVER_TCP = Rule(
    code="K388",
    name="udp-service-over-tcp",
    severity=Severity.ERROR,
    message=(
        "route {route} takes connections of {listeners} for service {service}, whose protocol is "
        "udp: Kong would speak TLS to it"
    ),
    hint="give the service the protocol tcp, which serves datagrams too",
)
VERIFY_NAMELESS = Rule(
    code="K389",
    name="stream-verify-without-name",
    severity=Severity.ERROR,
    message=(
        "service {service} is to be verified ({because}), but there is no name to compare its "
        "certificate with: {reason}"
    ),
    hint="set host_header of its upstream, give it a host with a name, or preserve_host of the "
    "route",
)
TLS_UNUSED = Rule(
    code="K390",
    name="passthrough-ignores-tls",
    severity=Severity.WARNING,
    message=(
        "service {service} sets {fields}, which route {route} does not use: tls_passthrough hands "
        "the client's own TLS on"
    ),
    hint="remove {fields}, or make the route's protocol tls",
)
TOO_MANY_ROWS = Rule(
    code="K391",
    name="too-many-stream-rows",
    severity=Severity.ERROR,
    message=(
        "the names, sources and destinations of the routes of {listeners} cross in more than "
        "{limit} ways, more than can be written down"
    ),
    hint="give the routes destinations with ports, or use fewer networks",
)
ROUTE_FLAVOR = Rule(
    code="K393",
    name="stream-route-flavor-not-compiled",
    severity=Severity.ERROR,
    message="route {route}: routes of streams are not compiled for router_flavor {flavor}",
    hint="use traditional_compatible, or keep this route on Kong",
)
MODULE_MISSING = Rule(
    code="K392",
    name="stream-module-missing",
    severity=Severity.ERROR,
    message="stream_listen is set, but the nginx that was found has no stream module",
    hint="install it (Debian: libnginx-mod-stream), or name another nginx with --nginx",
)

RULES = (
    ROUTE_NOT_SERVED, SERVICE_MISMATCH, NAME_WILDCARD, LISTENER_FLAGS, TAKES_OTHERS, CLOSES,
    NO_SERVICE, DATAGRAMS_WITH_TLS, UDP_SERVICE_OVER_TCP, VERIFY_NAMELESS, TLS_UNUSED,
    TOO_MANY_ROWS, ROUTE_FLAVOR, MODULE_MISSING,
)  # fmt: skip
