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

RULES = (STATUS, STREAM_ADDRESSES, ECHO)
