"""Compiling within the tests' own process: from files of a folder, or from texts."""

from __future__ import annotations

import io
import json
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import BytecodeCache

from compiler.catalog import (
    access_rules,
    answer_rules,
    document_rules,
    entity_rules,
    plan_rules,
    policy_rules,
    read_rules,
    revocation_rules,
    settings_rules,
    stream_rules,
    tls_rules,
    upstream_rules,
)
from compiler.cli.build import compile_for
from compiler.cli.gather import Options, gather
from compiler.cli.show import show_diagnostics
from compiler.emit import tree
from compiler.emit.environment import environment
from compiler.model.diagnostic import Report
from compiler.model.inputs import Inputs, SourceText
from compiler.pipeline import compile_inputs
from compiler.resolve.versions import NEWEST_VERSION
from compiler.write.self_signed import self_signed_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment
    from jinja2.bccache import Bucket

    from compiler.model.x509 import KeyPair
    from compiler.pipeline import Compiled


class _Templates(BytecodeCache):
    """Keeps compiled templates in memory: compiling them is most of a small compilation."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._codes:
            bucket.bytecode_from_string(self._codes[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = _Templates()


def _environment() -> Environment:
    made = environment()
    made.bytecode_cache = _TEMPLATES
    return made


tree.environment = _environment

NOW = datetime(2026, 9, 1, tzinfo=UTC)
CATALOGS = (
    access_rules,
    answer_rules,
    read_rules,
    revocation_rules,
    document_rules,
    settings_rules,
    entity_rules,
    tls_rules,
    plan_rules,
    policy_rules,
    upstream_rules,
    stream_rules,
)
GOLDEN = Path(__file__).parents[2] / "golden"


@dataclass(frozen=True)
class Outcome:
    """What a compilation gave."""

    compiled: Compiled | None
    report: Report

    @property
    def codes(self) -> set[str]:
        """The codes of its diagnostics."""
        return {diagnostic.rule.code for diagnostic in self.report}

    @property
    def diagnostics(self) -> str:
        """Its diagnostics as the command line prints them."""
        stream = io.StringIO()
        show_diagnostics(self.report, stream)
        return stream.getvalue()

    @property
    def texts(self) -> dict[str, str]:
        """The configuration files of the tree: no certificates, no keys."""
        return self._read(".conf")

    @property
    def data(self) -> dict[str, str]:
        """What Lua answers from."""
        return self._read(".json")

    def _read(self, suffix: str) -> dict[str, str]:
        assert self.compiled is not None, self.diagnostics
        files = self.compiled.tree.files
        return {path: files[path].data().decode() for path in files if path.endswith(suffix)}

    @property
    def conf(self) -> str:
        """The text of nginx.conf."""
        return self.texts["nginx.conf"]


class TextFiles:
    """A disk that holds only what it is given."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """Return the bytes of *path*."""
        if "\0" in path:
            raise ValueError("embedded null byte")
        if path not in self._files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self._files[path]

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file."""
        return path in self._files


@cache
def self_signed() -> tuple[KeyPair, ...]:
    """Return self-signed pairs, the same ones for all tests: making them is slow."""
    return self_signed_pairs(None, NOW)


def certificate(name: str) -> str:
    """Return the PEM text of a fixed certificate or key of `golden/certs`."""
    return (GOLDEN / "certs" / name).read_text()


def disk() -> TextFiles:
    """Return a disk that holds the fixed certificates by their bare names."""
    return TextFiles({path.name: path.read_bytes() for path in (GOLDEN / "certs").iterdir()})


def compile_texts(
    entities: Any = None,
    conf: str | Mapping[str, str] | None = None,
    *,
    nginx_version: tuple[int, int, int] = (1, 28, 0),
    environment: Mapping[str, str] | None = None,
    files: TextFiles | None = None,
    target: Literal["nginx", "openresty"] = "nginx",
) -> Outcome:
    """Compile entities (a text, or an object that is written as JSON) and a kong.conf."""
    if isinstance(conf, dict):
        conf = "".join(f"{name} = {value}\n" for name, value in conf.items())
    text = entities if isinstance(entities, str) else json.dumps(entities)
    report = Report()
    inputs = Inputs(
        conf=None if conf is None else SourceText("kong.conf", _bytes(str(conf))),
        environment=environment or {},
        entities=() if entities is None else (SourceText("kong.json", _bytes(text)),),
        kong_version=NEWEST_VERSION,
        target=target,
        nginx_version=nginx_version,
        allow_uncompiled=frozenset(),
        system_ca="ca.crt",
        resolv_conf=None,
        names_at_start=False,
        now=NOW,
        files=files or disk(),
    )
    return Outcome(compile_inputs(inputs, self_signed, report), report)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def compile_folder(folder: Path, **more: Any) -> Outcome:
    """Compile the inputs of a golden case, with *folder* as the working directory.

    *more* are options that count for more than the case's.
    """
    with chdir(folder):
        given = [_options(Path(path)) for path in ("../../../options", "options", "../options")]
        chosen = {name: value for options in [*given, more] for name, value in options.items()}
        report = Report()
        options = Options(
            **chosen,
            now=NOW,
            **{k: v for k, v in _inputs().items() if k not in chosen},
        )
        inputs, _ = gather(options, report)
        compiled = compile_for(None, inputs, report, lambda _: None)
    return Outcome(compiled, report)


def _inputs() -> dict[str, Any]:
    """Return the options that name the files which stand in the folder."""
    names = ("kong.yml", "kong.json", "entities")
    found: dict[str, Any] = {"entities": [name for name in names if Path(name).exists()]}
    if Path("kong.conf").exists():
        found["conf"] = Path("kong.conf")
    if Path("env").exists():
        found["env_file"] = Path("env")
    return found


def _options(path: Path) -> dict[str, Any]:
    """Read a file of options: one on a line, as on the command line."""
    if not path.exists():
        return {}
    found: dict[str, Any] = {}
    for line in path.read_text().splitlines():
        name, _, value = line.removeprefix("--").partition(" ")
        field = name.replace("-", "_")
        if field in {"entities", "allow_uncompiled", "crl"}:
            found.setdefault(field, []).append(value)
        else:
            found[field] = value or True
    return found
