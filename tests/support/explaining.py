"""A configuration in a folder, and `kcompile explain` on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from compiler.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from click.testing import Result


class Gateway:
    """A folder with a configuration, and the command line run in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        self.folder = folder

    def write(self, entities: Any, **conf: str) -> None:
        text = "".join(f"{name} = {value}\n" for name, value in conf.items())
        (self.folder / "kong.conf").write_text(text)
        document = {"_format_version": "3.0", **entities}
        (self.folder / "kong.json").write_text(json.dumps(document, indent=1))

    def run(self, *words: str) -> Result:
        options = ("-c", "kong.conf", "-e", "kong.json", "--no-env", "--nginx-version", "1.28.0")
        return CliRunner().invoke(app, ["explain", *words, *options])

    def ask(self, *words: str, code: int = 0) -> dict[str, Any]:
        result = self.run(*words, "--format", "json")
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found
