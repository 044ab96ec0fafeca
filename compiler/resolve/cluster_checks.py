"""What the role of a node in a cluster demands of other properties."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.model.diagnostic import Related
from compiler.model.place import place_of
from compiler.resolve.values import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.settings import Setting

_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?\Z")
_RESERVED = ("kong", "konnect", "insomnia", "mesh", "kic")
_MOST_LABELS = 10
_LONGEST = 63


def check_cluster(properties: Mapping[str, Setting], report: Report) -> None:
    """Report what Kong would not start with in the role it is given."""
    role = properties["role"]
    labels = properties["cluster_dp_labels"]
    for culprit, problem, advice in _conflicts(properties):
        place = place_of(role.origin)
        report.add(
            rules.SETTINGS_CONFLICT,
            place_of(properties[culprit].origin) or place,
            related=[Related("the role is set here", place)] if place else [],
            problem=problem,
            advice=advice,
        )
    if role.value == "data_plane":
        _check_labels(labels, report)


def _conflicts(properties: Mapping[str, Setting]) -> list[tuple[str, str, str]]:
    """Return each conflict as the property to point at, the problem, and what to do."""
    role = properties["role"].value
    if role == "traditional":
        conflicts = []
    elif role == "control_plane":
        conflicts = [*_without_certificate(properties), *_control_plane(properties)]
    else:
        conflicts = [*_without_certificate(properties), *_data_plane(properties)]
    if role != "data_plane" and properties["cluster_dp_labels"].value:
        conflicts.append(
            (
                "cluster_dp_labels",
                "cluster_dp_labels is set, but only a data plane has labels",
                "remove it, or set role = data_plane",
            )
        )
    return conflicts


def _without_certificate(properties: Mapping[str, Setting]) -> list[tuple[str, str, str]]:
    missing = [n for n in ("cluster_cert", "cluster_cert_key") if properties[n].value is None]
    if not missing:
        return []
    role = properties["role"].value
    problem = f"role = {role} needs cluster_cert and cluster_cert_key"
    return [("role", problem, f"set {' and '.join(missing)}")]


def _control_plane(properties: Mapping[str, Setting]) -> list[tuple[str, str, str]]:
    found = []
    found += [
        (name, f"role = control_plane needs {name}, and it is off", f"set {name} to an address")
        for name in ("admin_listen", "cluster_listen")
        if properties[name].value in ((), ("off",)) or _begins_off(properties[name])
    ]
    if properties["cluster_mtls"].value == "pki" and properties["cluster_ca_cert"].value is None:
        problem = "cluster_mtls = pki needs cluster_ca_cert on a control plane"
        found.append(("cluster_mtls", problem, "set cluster_ca_cert"))
    if properties["database"].value == "off":
        problem = "role = control_plane needs a database, and database is off"
        found.append(("database", problem, "set database = postgres"))
    if properties["cluster_use_proxy"].value is True:
        problem = "cluster_use_proxy is on, but a control plane connects to nobody"
        found.append(("cluster_use_proxy", problem, "set it on data planes only"))
    return found


def _data_plane(properties: Mapping[str, Setting]) -> list[tuple[str, str, str]]:
    found = []
    if _begins_off(properties["proxy_listen"]):
        problem = "role = data_plane needs proxy_listen, and it is off"
        found.append(("proxy_listen", problem, "set proxy_listen to an address"))
    database = properties["database"].value
    if database != "off":
        problem = f"role = data_plane has no database, but database is {database}"
        found.append(("database", problem, "set database = off"))
    if properties["cluster_use_proxy"].value is True and properties["proxy_server"].value is None:
        problem = "cluster_use_proxy is on, but proxy_server is not set"
        found.append(("cluster_use_proxy", problem, "set proxy_server"))
    return found


def _begins_off(setting: Setting) -> bool:
    return not isinstance(setting.value, tuple) or setting.value[:1] in {(), ("off",)}


def _check_labels(setting: Setting, report: Report) -> None:
    labels = setting.value if isinstance(setting.value, tuple) else ()
    if len(labels) > _MOST_LABELS:
        report.add(
            rules.SETTINGS_CONFLICT,
            place_of(setting.origin),
            problem=f"cluster_dp_labels has {len(labels)} labels",
            advice=f"have {_MOST_LABELS} at most",
        )
    for label in labels:
        key, _, value = label.partition(":")
        if not _is_word(value) or not _is_word(key) or key.lower().startswith(_RESERVED):
            report.add(
                rules.INVALID_ENTRY,
                place_of(setting.origin),
                name=setting.name,
                entry=show(label, secret=False),
                expected="a label of the form key:value",
                advice=f"begin and end key and value with a letter or digit, use letters, digits "
                f"and . _ - : between, {_LONGEST} characters at most; no key begins with "
                f"{', '.join(_RESERVED)}",
            )


def _is_word(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and _WORD.match(text) is not None
