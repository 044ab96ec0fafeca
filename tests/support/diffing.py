"""Two inputs in a folder, and `kcompile diff` on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from click.testing import Result

    from support.pki import Cert

CERT_ID = "11111111-1111-4111-8111-111111111111"
OTHER_ID = "22222222-2222-4222-8222-222222222222"
CA_ID = "33333333-3333-4333-8333-333333333333"
OTHER_CA_ID = "44444444-4444-4444-8444-444444444444"

OPTIONS = ("--no-env", "--nginx-version", "1.28.0", "--allow-uncompiled", "key-auth")


class Sides:
    """Two inputs in a folder, and the command line run on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        self.folder = folder

    def write(self, old: Any, new: Any, old_conf: str = "", new_conf: str | None = None) -> None:
        new_conf = old_conf if new_conf is None else new_conf
        for name, entities, conf in (("old", old, old_conf), ("new", new, new_conf)):
            side = self.folder / name
            side.mkdir(exist_ok=True)
            (side / "kong.conf").write_text("tls_certificate_verify = off\n" + conf)
            document = {"_format_version": "3.0", **entities}
            (side / "kong.json").write_text(json.dumps(document, indent=1))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["diff", *(words or ("old", "new")), *OPTIONS])

    def document(self, *, code: int = 0) -> dict[str, Any]:
        result = self.run("old", "new", "--format", "json")
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return the changes by kind, each kind but once."""
        listed = self.document()["changes"]
        found = {change["kind"]: change for change in listed}
        assert len(found) == len(listed), [change["message"] for change in listed]
        return found

    def messages(self) -> list[str]:
        return [change["message"] for change in self.document()["changes"]]


def pair(cert: Cert, *names: str, **more: str) -> dict[str, Any]:
    snis = [{"name": name} for name in names]
    return {"cert": cert.chain_pem, "key": cert.key_pem, "snis": snis, **more}


def service(name: str = "billing", **fields: Any) -> dict[str, Any]:
    route = {"name": f"{name}-api", "paths": [f"/{name}"], **fields.pop("route", {})}
    return {"name": name, "url": f"https://{name}.internal:8443", "routes": [route], **fields}


def services(**fields: Any) -> dict[str, Any]:
    return {"services": [service(**fields)]}
