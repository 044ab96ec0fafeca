"""Settings and listeners that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compiler.diff.changes import Change, risk
from compiler.diff.masking import names_secret
from compiler.model.diagnostic import EntityRef
from compiler.model.place import Derived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.diff.changes import Risk
    from compiler.diff.masking import Masker
    from compiler.model.settings import Listener, Setting, Settings, Value

_LEFT_OUT = frozenset({"declarative_config", "declarative_config_string"})
"""What they name is compared as entities."""

_UNORDERED = frozenset({"headers", "headers_upstream", "plugins", "trusted_ips", "vaults"})
_SUITES = ("old", "intermediate", "modern")
_SAFER_ON = frozenset({"tls_certificate_verify", "client_ssl"})
_SAFER_OFF = frozenset({"allow_debug_header", "anonymous_reports", "real_ip_recursive"})
_VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_LISTENER_FIELDS = (
    "ssl", "http2", "proxy_protocol", "deferred", "bind", "reuseport", "backlog", "ipv6only",
    "so_keepalive", "udp",
)  # fmt: skip
_ABSENT = "absent"


def setting_changes(old: Settings, new: Settings, masker: Masker) -> Iterator[Change]:
    """Yield the settings whose values differ, with where the new ones come from."""
    for name in sorted(old.properties.keys() | new.properties.keys()):
        if name in _LEFT_OUT or name.removesuffix("_listen") != name:
            continue
        before, after = old.properties.get(name), new.properties.get(name)
        # Also what stays is shown to the masker: lines of nginx.conf around a change may hold it.
        shown = _shown(before, masker), _shown(after, masker)
        if _value(before) == _value(after) or _follows(before, after):
            continue
        origin = f" ({after.origin})" if after is not None else ""
        yield Change(
            kind="setting-changed",
            risk=_risk(name, _value(before), _value(after)),
            entity=EntityRef("setting", name, name),
            before=shown[0],
            after=shown[1],
            message=f"{name}: {_spelt(shown[0])} → {_spelt(shown[1])}{origin}",
        )


def _follows(before: Setting | None, after: Setting | None) -> bool:
    """Tell whether a setting only follows from another one, which is listed itself."""
    origins = [setting.origin for setting in (before, after) if setting is not None]
    return all(isinstance(origin, Derived) for origin in origins)


def _value(setting: Setting | None) -> Value | frozenset[str]:
    if setting is None:
        return None
    if setting.name in _UNORDERED and isinstance(setting.value, tuple):
        return frozenset(setting.value)
    if setting.name.endswith("ssl_protocols") and isinstance(setting.value, str):
        return frozenset(setting.value.split())
    return setting.value


def _shown(setting: Setting | None, masker: Masker) -> Any:
    if setting is None or setting.value is None:
        return None
    value = setting.value
    if setting.sensitive and value:
        return masker.secret(", ".join(value) if isinstance(value, tuple) else value)
    if isinstance(value, tuple):
        shown = [masker.text(item) for item in value]
        return sorted(shown) if setting.name in _UNORDERED else shown
    if isinstance(value, str) and setting.name.startswith("nginx_") and names_secret(value):
        return masker.secret(value)
    return masker.text(value) if isinstance(value, str) else value


def _spelt(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _risk(name: str, before: Any, after: Any) -> Risk:
    if name in _SAFER_ON or name.endswith("proxy_ssl_verify"):
        return risk(weakens=_is_on(before), strengthens=_is_on(after))
    if name in _SAFER_OFF:
        return risk(weakens=_is_on(after), strengthens=_is_on(before))
    if name == "ssl_cipher_suite" and before in _SUITES and after in _SUITES:
        was, is_now = _SUITES.index(before), _SUITES.index(after)
        return risk(weakens=is_now < was, strengthens=is_now > was)
    if name.endswith("ssl_protocols"):
        was, is_now = _oldest(before), _oldest(after)
        return risk(weakens=is_now < was, strengthens=is_now > was)
    if name == "trusted_ips":
        old, new = before or frozenset(), after or frozenset()
        return risk(weakens=bool(new - old), strengthens=bool(old - new))
    return "neutral"


def _is_on(value: Any) -> bool:
    return value is True or value == "on"


def _oldest(versions: Any) -> int:
    """Return how old the oldest protocol is; without a word about it, nginx's default."""
    found = [_VERSIONS.index(v) for v in versions or () if v in _VERSIONS]
    return min(found, default=_VERSIONS.index("TLSv1.2"))


def listener_changes(old: Settings, new: Settings) -> Iterator[Change]:
    """Yield the addresses that are listened on no longer, newly, or in another way."""
    for group in sorted(old.listeners.keys() | new.listeners.keys()):
        before = {_address(item): item for item in old.listeners.get(group, ())}
        after = {_address(item): item for item in new.listeners.get(group, ())}
        for address in sorted(before.keys() | after.keys()):
            was, is_now = before.get(address), after.get(address)
            if was != is_now:
                yield _listener(group, address, was, is_now)


def _address(listener: Listener) -> str:
    return f"{listener.address}/udp" if listener.udp else listener.address


def _listener(group: str, address: str, was: Listener | None, is_now: Listener | None) -> Change:
    name = f"{group} {address}"
    if was is None or is_now is None:
        there = is_now if was is None else was
        what = "added" if was is None else "removed"
        kind = "with TLS" if there is not None and there.ssl else "without TLS"
        message = f"listener {name}: {what}, {kind}"
        # Whatever is no longer listened on protects nothing less.
        opened = was is None and there is not None and not there.ssl
        level = risk(weakens=opened, strengthens=what == "removed" and kind == "without TLS")
    else:
        what = "changed"
        differing = [f for f in _LISTENER_FIELDS if getattr(was, f) != getattr(is_now, f)]
        parts = [f"{f} {_spelt(getattr(was, f))} → {_spelt(getattr(is_now, f))}" for f in differing]
        message = f"listener {name}: {', '.join(parts)}"
        level = risk(weakens=was.ssl and not is_now.ssl, strengthens=is_now.ssl and not was.ssl)
    return Change(
        kind=f"listener-{what}",
        risk=level,
        entity=EntityRef("listener", name, name),
        before=_fields(was),
        after=_fields(is_now),
        message=message,
    )


def _fields(listener: Listener | None) -> dict[str, Any] | None:
    if listener is None:
        return None
    return {name: getattr(listener, name) for name in ("ip", "port", *_LISTENER_FIELDS)}
