"""How names of upstreams are looked up: SRV records, families of addresses, lifetimes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import upstream_rules as rules
from compiler.model.balancing import Lookup
from compiler.model.diagnostic import Severity
from compiler.model.place import place_of

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.model.plan import Features
    from compiler.model.settings import Settings

_CACHE = "nginx keeps answers as long as their TTL says"
_ERRORS = "nginx asks again after 10 s, and keeps addresses while name servers fail"
_HOSTS = "nginx reads no file of hosts; put the names into DNS, or give addresses"
_OLD = {
    "dns_hostsfile": _HOSTS,
    "dns_stale_ttl": _ERRORS,
    "dns_not_found_ttl": _ERRORS,
    "dns_error_ttl": _ERRORS,
    "dns_cache_size": _CACHE,
    "dns_no_sync": _CACHE,
}
_NEW = {
    "resolver_hosts_file": _HOSTS,
    "resolver_stale_ttl": _ERRORS,
    "resolver_error_ttl": _ERRORS,
    "resolver_lru_cache_size": _CACHE,
    "resolver_mem_cache_size": _CACHE,
}


def record_types(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """Return the setting that says which records Kong asks for, and these in their order."""
    name = "resolver_family" if settings.flag("new_dns_client") else "dns_order"
    return name, tuple(entry.upper() for entry in settings.items(name))


def asks_for_srv(name: str, settings: Settings, *, use_srv_name: bool) -> bool:
    """Tell whether the SRV records of *name* are what counts.

    Kong's first client asks for those of any name, which nginx cannot: it has to know before.
    Names that begin with an underscore are made for them; so are, by what the setting is for,
    the targets of an upstream with use_srv_name.
    """
    meant = name.startswith("_") or (use_srv_name and not settings.flag("new_dns_client"))
    return meant and "SRV" in record_types(settings)[1]


def srv_problem(name: str, features: Features) -> tuple[str, str] | None:
    """Return why the SRV records of *name* cannot be looked up and what helps, None if they can."""
    if not features.resolve_peers:
        return "this version of nginx has no such lookup", "use nginx 1.27.3 or newer, or addresses"
    if name.rstrip(".").count(".") < 2:
        return "nginx wants a name of three labels or more", "use a longer name, or addresses"
    return None


def plan_lookup(
    settings: Settings, features: Features, plain_name: str | None, report: Report
) -> Lookup:
    """Return how names are looked up; report the settings that nginx cannot follow.

    *plain_name* is one whose addresses are asked for, None when there is none.
    """
    name, types = record_types(settings)
    both = {"A", "AAAA"} <= set(types)
    only_ipv6 = "AAAA" in types and not both
    if both:
        _report(settings, name, "nginx uses the addresses of both families at once", report)
    elif only_ipv6 and not features.lookup_without_ipv4:
        _report(settings, name, "nginx asks for IPv4 addresses too before 1.23.1", report)
    new = settings.flag("new_dns_client")
    for setting, reason in (_NEW if new else _OLD).items():
        if setting in settings.properties and not settings[setting].is_default:
            _report(settings, setting, reason, report)
    if plain_name is not None and not new and _srv_first(types):
        default = settings[name].is_default
        report.add(
            rules.SRV_FIRST,
            None if default else place_of(settings.origin(name)),
            severity=None if default else Severity.WARNING,
            name=plain_name,
        )
    valid = "resolver_valid_ttl" if new else "dns_valid_ttl"
    seconds = settings.number(valid) if valid in settings.properties else None
    return Lookup(
        ipv4=not (only_ipv6 and features.lookup_without_ipv4),
        ipv6="AAAA" in types,
        # Zero would make nginx follow the records.
        valid=None if seconds is None else max(1, seconds),
    )


def _srv_first(types: tuple[str, ...]) -> bool:
    addresses = [types.index(kind) for kind in ("A", "AAAA") if kind in types]
    return "SRV" in types and (not addresses or types.index("SRV") < min(addresses))


def _report(settings: Settings, setting: str, reason: str, report: Report) -> None:
    report.add(
        rules.DNS_SETTING, place_of(settings.origin(setting)), setting=setting, reason=reason
    )
