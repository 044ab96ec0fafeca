"""What Lua authenticates clients by, for the target that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.lua import DataFile, DataTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.access import Access, CertificateAuth, Match, Responders
    from compiler.model.lua import Json
    from compiler.model.nginx import Source
    from compiler.model.plan import Plan

_BY_HEADER = "header-cert-auth"
_MILLISECONDS = 1000


def asks_lua(access: Access, plan: Plan) -> bool:
    """Tell whether Lua decides who is let in."""
    return plan.lua is not None and bool(access.authentications)


def asks_responders(plan: Plan) -> bool:
    """Tell whether Lua asks responders (OCSP) about certificates."""
    return any(
        auth.responders is not None
        for answer in plan.answers
        if asks_lua(answer.access, plan)
        for auth in answer.access.authentications
    )


def rule_name(access: Access, *, by_host: bool) -> str:
    """Return the name of the rule for *access*, which tells the plugins.

    With *by_host* a certificate of the connection counts for the host of its handshake alone.
    """
    plugins = "+".join(auth.plugin.id for auth in access.authentications)
    return plugins if by_host else f"{plugins}@any-host"


def access_data(plan: Plan) -> DataFile:
    """Return the data."""
    asked = {
        rule_name(a.access, by_host=not a.route.snis): (a.access, not a.route.snis)
        for a in plan.answers
        if asks_lua(a.access, plan)
    }
    auths = {
        auth.plugin.id: auth for access, _ in asked.values() for auth in access.authentications
    }
    trusts = {_trust_name(auth): _trust(auth) for auth in auths.values()}
    return DataFile(
        name="access",
        tables=(
            _table("rules", {name: _rule(*found) for name, found in asked.items()}),
            _table("trusts", trusts),
            _table(
                "consumers",
                {c.id: {"username": c.username, "custom_id": c.custom_id} for c in plan.consumers},
            ),
            *(_credentials(f"{kind.replace('-', '_')}_credentials", plan.credentials[kind])
              for kind in ("mtls-auth", _BY_HEADER)),
        ),
    )  # fmt: skip


def _table(name: str, rows: Mapping[str, Json]) -> DataTable:
    keys = sorted(rows)
    sources: tuple[Source | None, ...] = (None,) * len(keys)
    return DataTable(name=name, rows=tuple((key, rows[key]) for key in keys), sources=sources)


def _credentials(name: str, credentials: Iterable[Match]) -> DataTable:
    return _table(
        name,
        {
            match.credential or "": {
                "subject_name": match.name,
                "consumer": match.consumer,
                "ca_certificate": match.authority,
            }
            for match in credentials
        },
    )


def _rule(access: Access, by_host: bool) -> Json:  # noqa: FBT001
    return [_step(auth, by_host=by_host) for auth in access.authentications]


def _step(auth: CertificateAuth, *, by_host: bool) -> Json:
    said, plugin = auth.plugin.config, auth.plugin
    found: dict[str, Json] = {
        "plugin": plugin.name,
        "trust": _trust_name(auth),
        "by_host": by_host and plugin.name != _BY_HEADER,
        "skip_consumer_lookup": auth.lookup is None,
        "authenticated_group_by": auth.group_by,
        "consumer_by": list(said["consumer_by"] or ()),
        "default_consumer": None if auth.lookup is None else auth.lookup.default,
        "anonymous": None if auth.anonymous is None else auth.anonymous.id,
        "san_dirname_matcher": list(said.get("san_dirname_matcher") or ()),
        "cert_cache_ttl": _seconds(said["cert_cache_ttl"]),
    }
    if plugin.name == _BY_HEADER:
        for name in ("certificate_header_name", "certificate_header_format", "secure_source"):
            found[name] = said[name]
    return found


def _seconds(milliseconds: float) -> float:
    found = milliseconds / _MILLISECONDS
    return int(found) if found.is_integer() else found


def _trust_name(auth: CertificateAuth) -> str:
    """Return a name that those share who verify alike, since they share what is remembered."""
    trust, asked = auth.trust, auth.responders
    partial = "+partial" if trust.partial_chains else ""
    found = f"{trust.bundle.name}{partial}:{trust.revocation}"
    if asked is None:
        return found
    proxy = "" if asked.proxy is None else f":{asked.proxy[0]}:{asked.proxy[1]}"
    return f"{found}:{asked.timeout}{proxy}"


def _trust(auth: CertificateAuth) -> Json:
    trust = auth.trust
    return {
        "ca_certificates": [trust.bundle.name],
        "allow_partial_chain": trust.partial_chains,
        "revocation_check_mode": trust.revocation,
        "crls": [found.name for found in trust.lists.each],
        "responders": None if auth.responders is None else _responders(auth.responders),
    }


def _responders(asked: Responders) -> Json:
    host, port = (None, None) if asked.proxy is None else asked.proxy
    if host is not None and ":" in host:
        host = f"[{host.strip('[]')}]"
    return {"timeout": asked.timeout, "proxy_host": host, "proxy_port": port}
