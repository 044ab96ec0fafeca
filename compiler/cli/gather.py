"""The command line's options to the compiler's inputs."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from compiler.cli.engine import TARGETS, find_lua_module, find_stream_module, find_version
from compiler.cli.failures import UsageError
from compiler.model.inputs import Inputs, LuaModule, SourceText
from compiler.read.environment import parse_env_file
from compiler.read.files import DiskFiles
from compiler.resolve.versions import NEWEST_VERSION, parse_kong_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compiler.model.diagnostic import Report

SUFFIXES = (".yml", ".yaml", ".json")
FALLBACK_NGINX = (1, 28, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given on the command line, before anything is read."""

    conf: Path | None = None
    entities: Sequence[str] = ()
    env_file: Path | None = None
    no_env: bool = False
    system_ca: str | None = None
    crl: Sequence[str] = ()
    resolv_conf: str | None = None
    kong_version: str | None = None
    target: str = "nginx"
    nginx_version: str | None = None
    nginx: str | None = None
    allow_uncompiled: Sequence[str] = ()
    names_at_start: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def gather(options: Options, report: Report) -> tuple[Inputs, DiskFiles]:
    """Read what the options name. Raises UsageError for what cannot be read or understood."""
    if options.target not in TARGETS:
        raise UsageError(f"--target {options.target}: is none of {', '.join(TARGETS)}")
    files = DiskFiles()
    version_given = options.nginx_version is not None
    lua = LuaModule()
    if options.target == "openresty":
        lua = find_lua_module(options.nginx, version_given=version_given)
    inputs = Inputs(
        conf=_source(files, str(options.conf)) if options.conf is not None else None,
        environment=_environment(options, files, report),
        entities=tuple(source for given in options.entities for source in _entities(files, given)),
        kong_version=_kong_version(options.kong_version),
        target=options.target,
        nginx_version=_nginx_version(options),
        allow_uncompiled=frozenset(options.allow_uncompiled),
        system_ca=_existing(options.system_ca, "--system-ca"),
        resolv_conf=_existing(options.resolv_conf, "--resolv-conf"),
        names_at_start=options.names_at_start,
        now=_now(options.now),
        files=files,
        crls=tuple(_file(files, name) for name in dict.fromkeys(options.crl)),
        stream=find_stream_module(options.nginx, options.target, version_given=version_given),
        lua=lua,
    )
    return inputs, files


def _source(files: DiskFiles, name: str) -> SourceText:
    if name == "-":
        data = sys.stdin.buffer.read()
        files.remember(name, data)
        return SourceText(name, data)
    return _file(files, name)


def _file(files: DiskFiles, name: str) -> SourceText:
    try:
        return SourceText(name, files.read(name))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {name}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return what went wrong with a file, in words."""
    return getattr(error, "strerror", None) or "it is no file name"


def _entities(files: DiskFiles, given: str) -> list[SourceText]:
    if given == "-" or not Path(given).is_dir():
        return [_source(files, given)]
    found = sorted(_below(given))
    if not found:
        raise UsageError(f"{given} holds no file that ends in {', '.join(SUFFIXES)}")
    return [_source(files, path) for path in found]


def _below(folder: str) -> Iterator[str]:
    """Yield the files of entities below *folder*; what cannot be read is not passed over."""

    def fail(error: OSError) -> NoReturn:
        raise UsageError(f"cannot read {error.filename}: {reason(error)}") from error

    for parent, _, names in os.walk(folder, onerror=fail):
        for path in (Path(parent, name) for name in names):
            # A link to nothing is read, too, so that it is complained about.
            if path.suffix in SUFFIXES and (path.is_file() or not path.exists()):
                yield str(path)


def _environment(options: Options, files: DiskFiles, report: Report) -> Mapping[str, str]:
    if options.env_file is not None:
        return parse_env_file(_source(files, str(options.env_file)), report)
    return {} if options.no_env else dict(os.environ)


def _kong_version(text: str | None) -> tuple[int, ...]:
    try:
        return NEWEST_VERSION if text is None else parse_kong_version(text)
    except ValueError as error:
        raise UsageError(f"--kong-version: {error}") from error


def _nginx_version(options: Options) -> tuple[int, int, int]:
    text = options.nginx_version
    if text is None:
        return find_version(options.nginx, options.target) or FALLBACK_NGINX
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise UsageError(
            f"--nginx-version: {text!r} is no nginx version: write X.Y.Z, as in 1.28.0"
        )
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def _existing(path: str | None, option: str) -> str | None:
    if path is not None and not Path(path).is_file():
        raise UsageError(f"{option}: {path} is not a file")
    return path


def _now(now: datetime) -> datetime:
    """Return the time of the build: SOURCE_DATE_EPOCH fixes it, as for other build tools."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else now
