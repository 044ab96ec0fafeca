"""The nginx directives that properties inject, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.catalog.cipher_suites import DH_GROUPS
from compiler.catalog.properties import BLOCKS, DEEPER_CHAIN, NOT_INJECTED, has_deeper_chains
from compiler.model.diagnostic import Related
from compiler.model.place import Default, Derived, place_of
from compiler.model.settings import Directive
from compiler.resolve.injected_text import read_injected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.settings import Listener, Setting

_Blocks = dict[str, list[Directive]]

# The groups whose TLS makes Kong write DH parameters; the Manager's is not among them.
_DHPARAM_GROUPS = ("proxy", "stream", "admin", "status")
_METRICS = {"http": "prometheus_metrics", "stream": "stream_prometheus_metrics"}


def resolve_directives(
    properties: Mapping[str, Setting],
    listeners: Mapping[str, tuple[Listener, ...]],
    version: tuple[int, ...],
    report: Report,
) -> dict[str, tuple[Directive, ...]]:
    """Return what is injected into each block, sorted by name; some have a leader in front."""
    blocks = {block: _injected(block, properties, report) for block in BLOCKS}
    if not any(listener.ssl for group in _DHPARAM_GROUPS for listener in listeners[group]):
        _drop_dh_groups(blocks)
    _add_metrics(blocks, properties["plugins"])
    _enforce_verification(blocks, properties, report)
    if has_deeper_chains(version):
        _add_depth(blocks)
    return {
        block: tuple(sorted(directives, key=lambda directive: directive.leader or directive.name))
        for block, directives in blocks.items()
    }


def _injected(block: str, properties: Mapping[str, Setting], report: Report) -> list[Directive]:
    prefix = f"nginx_{block}_"
    directives = []
    for name, setting in properties.items():
        directive = name.removeprefix(prefix)
        if directive == name or (block, directive) in NOT_INJECTED:
            continue
        if not isinstance(setting.value, str) or setting.value in {"", "NONE"}:
            continue
        if directive == "proxy_tls_verify":
            directive = "proxy_ssl_verify"
            spelling = f"{prefix}{directive}"
            report.add(
                rules.PROXY_TLS_VERIFY, place_of(setting.origin), name=name, spelling=spelling
            )
            if properties.get(spelling) is not None:
                continue
        directives += read_injected(directive, setting, report)
    return directives


def _drop_dh_groups(blocks: _Blocks) -> None:
    """Leave out predefined DH parameters, which Kong makes only for listeners with TLS."""
    for block in ("http", "stream"):
        blocks[block] = [
            directive
            for directive in blocks[block]
            if directive.name != "ssl_dhparam" or directive.value not in DH_GROUPS
        ]


def _add_metrics(blocks: _Blocks, plugins: Setting) -> None:
    """Give the plugin prometheus, if it is loaded, its shared memory."""
    names = plugins.value if isinstance(plugins.value, tuple) else ()
    if names[:1] == ("off",) or not {"bundled", "prometheus"} & set(names):
        return
    for block, zone in _METRICS.items():
        if not any(d.name == "lua_shared_dict" and zone in d.value for d in blocks[block]):
            origin = Derived("plugins", plugins.origin)
            blocks[block].append(Directive("lua_shared_dict", f"{zone} 5m", origin))


def _enforce_verification(
    blocks: _Blocks, properties: Mapping[str, Setting], report: Report
) -> None:
    """Switch verification of upstreams on where `tls_certificate_verify` is, for good."""
    policy = properties.get("tls_certificate_verify")
    if policy is None or policy.value is not True:
        return
    for block, directives in blocks.items():
        contradicting = [d for d in directives if _switches_verification_off(d)]
        for directive in contradicting:
            name = _source(block, directive, properties)
            _report_contradiction(name, directive, policy, report)
        blocks[block] = [d for d in directives if d not in contradicting]
    if not _is_set(blocks["proxy"], "proxy_ssl_verify"):
        origin = Derived("tls_certificate_verify", policy.origin)
        blocks["proxy"].append(Directive("proxy_ssl_verify", "on", origin))


def _switches_verification_off(directive: Directive) -> bool:
    return directive.name in {"proxy_ssl_verify", "grpc_ssl_verify"} and directive.value == "off"


def _source(block: str, directive: Directive, properties: Mapping[str, Setting]) -> str:
    """Return the property that *directive* was injected by, misnamed or not."""
    name = f"nginx_{block}_{directive.leader or directive.name}"
    return name if name in properties else f"nginx_{block}_proxy_tls_verify"


def _report_contradiction(name: str, directive: Directive, policy: Setting, report: Report) -> None:
    place = place_of(policy.origin)
    where = "by default in this version of Kong" if policy.is_default else str(policy.origin)
    report.add(
        rules.VERIFICATION_CONTRADICTED,
        place_of(directive.origin),
        related=[Related("the policy is set here", place)] if place else [],
        name=name,
        policy=f"tls_certificate_verify = on ({where})",
    )


def _add_depth(blocks: _Blocks) -> None:
    """Let chains be as long as this version has it, unless the user says how long.

    A directive of the server wins over one of the http block, so either counts.
    """
    name = "proxy_ssl_verify_depth"
    if not any(_is_set(blocks[block], name) for block in ("proxy", "http")):
        blocks["proxy"].append(Directive(name, DEEPER_CHAIN, Default()))


def _is_set(directives: Iterable[Directive], name: str) -> bool:
    return any(directive.name == name for directive in directives)
