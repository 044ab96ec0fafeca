"""K52x: what plugins decide of requests, beside who asks."""

from compiler.model.diagnostic import Rule, Severity

STATUS = Rule(
    code="K520",
    name="policy-status-not-compiled",
    severity=Severity.ERROR,
    message="plugin {plugin} ({scope}) answers with status {status}, which is {reason}",
    hint="choose a status of {wanted}",
)
STREAM_ADDRESSES = Rule(
    code="K521",
    name="stream-addresses-not-compiled",
    severity=Severity.ERROR,
    message=(
        "plugin ip-restriction is for the connections of route {route}, too, and is compiled for "
        "requests alone: anybody could connect"
    ),
    hint="keep this route on Kong, or give the plugin protocols of requests if that is meant",
)

ECHO = Rule(
    code="K522",
    name="termination-echo-not-compiled",
    severity=Severity.ERROR,
    message="plugin request-termination ({scope}) echoes requests, which nginx cannot",
    hint="switch echo off: then message or body is what is answered",
)

GROUPS_OF_NOBODY = Rule(
    code="K524",
    name="groups-without-authentication",
    severity=Severity.WARNING,
    message=(
        "plugin acl: nobody is let in by route {route}, where no plugin tells who asks: all "
        "requests are answered with 401"
    ),
    hint="add mtls-auth to the route or its service",
)
GROUPS_BY_SUBJECT = Rule(
    code="K525",
    name="denied-subjects-not-compiled",
    severity=Severity.ERROR,
    message=(
        "plugin acl: deny names groups on route {route}, where a client's group is the subject of "
        "its certificate; nginx writes subjects in a form of its own, so that some could be missed"
    ),
    hint="name those that may in allow, as RFC 2253 writes them, or group clients by CN",
)
VALUE = Rule(
    code="K527",
    name="plugin-value-not-compiled",
    severity=Severity.ERROR,
    message="plugin {plugin}: config.{field} has {value}, which {reason}",
    hint="write the value without that, or keep the route on Kong",
)

RULES = (
    STATUS,
    STREAM_ADDRESSES,
    ECHO,
    GROUPS_OF_NOBODY,
    GROUPS_BY_SUBJECT,
    VALUE,
)
