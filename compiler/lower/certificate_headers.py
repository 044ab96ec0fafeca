"""What upstreams are told of a certificate itself (tls-metadata-headers)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.model.nginx import Simple
from compiler.model.words import Code, Expression

if TYPE_CHECKING:
    from compiler.model.access import Access, CertificateHeader
    from compiler.model.plan import Plan

_PLAIN = re.compile(r"[A-Za-z0-9-]+")

_CHAIN = Code('return require("kcompile.client_certificate").escaped_chain()')

_SOURCES = {
    "certificate": "$ssl_client_escaped_cert",
    "serial": "$ssl_client_serial",
    "issuer": "$ssl_client_i_dn",
    "subject": "$ssl_client_s_dn",
    "fingerprint": "$ssl_client_fingerprint",
}


def certificate_headers(plan: Plan) -> dict[str, str]:
    """Return the headers of all routes; where a route tells nothing, a client's own is removed."""
    names = {header.name for answer in plan.answers for header in answer.access.told}
    return {name: _variable(name) for name in sorted(names)}


def remembered_certificate(access: Access) -> tuple[Simple, ...]:
    """Remember what those headers say; nginx has no variable for a chain."""
    return tuple(_remembered(header) for header in access.told)


def _remembered(header: CertificateHeader) -> Simple:
    variable = Expression(_variable(header.name))
    if header.what == "chain":
        return Simple("set_by_lua_block", (variable, _CHAIN))
    return Simple("set", (variable, Expression(_SOURCES[header.what])))


def _variable(name: str) -> str:
    """Return the variable of a header, in the letters that variables have."""
    if _PLAIN.fullmatch(name):
        return f"$told_{name.lower().replace('-', '_')}"
    return "$oddly_told_" + "".join(c if c.isalnum() else f"_{ord(c):x}_" for c in name.lower())
