"""Diagnostics of the gateway's own answers, of headers, and of gRPC."""

from __future__ import annotations

from compiler.model.diagnostic import Rule, Severity

ERROR_TEMPLATE_UNREADABLE = Rule(
    code="K420",
    name="error-template-unreadable",
    severity=Severity.ERROR,
    message="{setting} names {path}, which cannot be read: {reason}",
    hint="give an existing file",
)
ERROR_TEMPLATE_INVALID = Rule(
    code="K421",
    name="error-template-invalid",
    severity=Severity.ERROR,
    message="{setting}: {path} holds {problem}",
    hint="write %s for the message and a second %s for the request's id, and %% for a percent sign",
)
ERROR_TEMPLATE_LONG = Rule(
    code="K422",
    name="error-template-too-long-not-compiled",
    severity=Severity.ERROR,
    message="{setting}: {path} is {length} bytes long, and at most {limit} are compiled",
    hint="shorten it, and let it refer to what is large",
)
HEADER_UNKNOWN_TO_NGINX = Rule(
    code="K423",
    name="response-header-not-compiled",
    severity=Severity.WARNING,
    message="headers asks for {header}, which is not compiled: {reason}",
    hint="remove it from headers, or accept that answers go without it",
)
GRPC_NOT_SERVED = Rule(
    code="K424",
    name="grpc-route-not-served",
    severity=Severity.WARNING,
    message="route {route} wants {protocol}, but no entry of proxy_listen has http2",
    hint="add http2 to a listener of proxy_listen",
)

RULES = (
    ERROR_TEMPLATE_UNREADABLE,
    ERROR_TEMPLATE_INVALID,
    ERROR_TEMPLATE_LONG,
    HEADER_UNKNOWN_TO_NGINX,
    GRPC_NOT_SERVED,
)
