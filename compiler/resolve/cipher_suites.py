"""`ssl_cipher_suite`: the settings that it decides, whoever else sets them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.catalog.cipher_suites import CIPHER_SUITES, INTERMEDIATE_BEFORE_3_6
from compiler.catalog.properties_shape import http_and_stream
from compiler.model.diagnostic import Related
from compiler.model.place import Default, Derived, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.catalog.cipher_suites import CipherSuite
    from compiler.model.diagnostic import Report
    from compiler.model.settings import Setting

_NOT_REPLACED = ("ssl_protocols", "ssl_prefer_server_ciphers")
"""Kong leaves these as they are set, and passes the suite's values on in their place."""


def suite_settings(
    properties: Mapping[str, Setting], version: tuple[int, ...], report: Report
) -> dict[str, Setting]:
    """Return the settings that the cipher suite decides; report what users set in vain.

    Every suite but `custom` wins over the properties it stands for, and even over the
    `nginx_http_ssl_*` and `nginx_stream_ssl_*` that name the directives themselves.
    """
    chosen = properties["ssl_cipher_suite"]
    suite = _suite(str(chosen.value), version)
    if suite is None:
        return {}
    decided = _decided(suite)
    for name in (*_NOT_REPLACED, *decided):
        _check_in_vain(properties[name], chosen, report)
    return {
        name: replace(
            setting,
            value=value,
            origin=Derived("ssl_cipher_suite", chosen.origin),
            overridden=((setting.value, setting.origin), *setting.overridden),
        )
        for name, value in decided.items()
        for setting in [properties[name]]
    }


def _suite(name: str, version: tuple[int, ...]) -> CipherSuite | None:
    if name == "intermediate" and version < (3, 6):
        return INTERMEDIATE_BEFORE_3_6
    return CIPHER_SUITES.get(name)


def _decided(suite: CipherSuite) -> dict[str, str | None]:
    decided: dict[str, str | None] = {"ssl_ciphers": suite.ciphers}
    decided |= dict.fromkeys(http_and_stream("ssl_protocols"), suite.protocols)
    decided |= dict.fromkeys(
        http_and_stream("ssl_prefer_server_ciphers"), suite.prefer_server_ciphers
    )
    if suite.decides_dhparam:
        decided |= dict.fromkeys(("ssl_dhparam", *http_and_stream("ssl_dhparam")), suite.dhparam)
    return decided


def _check_in_vain(setting: Setting, chosen: Setting, report: Report) -> None:
    if isinstance(setting.origin, Default | Derived) or not setting.value:
        return
    place = place_of(chosen.origin)
    report.add(
        rules.SETTING_WITHOUT_EFFECT,
        place_of(setting.origin),
        related=[Related("the cipher suite is set here", place)] if place else [],
        loser=setting.name,
        scope="",
        winner=f"ssl_cipher_suite = {chosen.value} ({chosen.origin})",
        advice=f"set ssl_cipher_suite = custom if you mean it, or remove {setting.name}",
    )
