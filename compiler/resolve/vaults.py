"""References to secrets, `{vault://env/name}`, of which only the vault `env` can be read here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.diagnostic import Report
    from compiler.model.place import Place

_REFERENCE = re.compile(r"\{vault://.*\}\Z", re.DOTALL)
_PARTS = re.compile(
    r"\{vault://(?P<vault>[^/?#]*)/(?P<name>[^/?#]+)(?:/(?P<key>[^?#]+))?(?P<rest>[?#].*)?\}\Z",
    re.DOTALL,
)
_PREFIX = re.compile(r"\?prefix=([A-Za-z0-9_-]*)\Z")


def is_reference(text: str) -> bool:
    """Tell whether *text* stands for a secret in a vault."""
    return _REFERENCE.match(text) is not None


@dataclass(frozen=True, slots=True)
class EnvironmentVault:
    """The vault `env`: secrets in variables, named in upper case with `prefix` before them."""

    environment: Mapping[str, str] = field(repr=False)
    prefix: str
    loaded: bool

    def read(self, reference: str, name: str, place: Place | None, report: Report) -> str | None:
        """Return the secret that *reference*, the value of property *name*, stands for.

        None, and a report, if it is in another vault, missing, or no text.
        """
        parts = _PARTS.match(reference)
        if parts is not None and parts["vault"] != "env":
            report.add(rules.VAULT_NOT_COMPILED, place, name=name, vault=parts["vault"])
            return None
        secret = self._secret(parts)
        if isinstance(secret, str):
            return secret
        report.add(rules.VAULT_UNRESOLVED, place, name=name, problem=secret.problem)
        return None

    def _secret(self, parts: re.Match[str] | None) -> str | _Missing:
        if parts is None:
            return _Missing("the reference is malformed")
        if not self.loaded:
            return _Missing("the property vaults leaves the vault env out")
        prefix = _PREFIX.match(parts["rest"]) if parts["rest"] else None
        if parts["rest"] and prefix is None:
            return _Missing("versions and options other than prefix are not understood")
        variable = f"{prefix[1] if prefix else self.prefix}{parts['name']}"
        variable = variable.replace("-", "_").upper()
        text = self.environment.get(variable)
        if text is None:
            return _Missing(f"{variable} is not set")
        if any("\ud800" <= character <= "\udfff" for character in text):
            return _Missing(f"{variable} is not valid UTF-8")
        return text if parts["key"] is None else _subfield(text, variable, parts["key"])


@dataclass(frozen=True, slots=True)
class _Missing:
    problem: str


def _subfield(text: str, variable: str, key: str) -> str | _Missing:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _Missing(f"{variable} holds no JSON")
    value = document.get(key) if isinstance(document, dict) else None
    if isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value):
        return value
    return _Missing(f"the JSON in {variable} has no text under {key}")
