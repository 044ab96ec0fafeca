"""What nginx cannot read is refused, or written so that it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import engines
from support.compiling import compile_texts

if TYPE_CHECKING:
    from pathlib import Path

    from support.compiling import Outcome
    from support.engines import Engine

CONF = {"proxy_listen": "127.0.0.1:8000, 127.0.0.1:8443 ssl"}


def compiled(engine: Engine, *routes: dict[str, Any], path: str | None = None) -> Outcome:
    service = {"name": "s", "url": "http://192.0.2.1", "routes": list(routes)}
    if path is not None:
        service["path"] = path
    entities = {"_format_version": "3.0", "services": [service]}
    return compile_texts(entities, CONF, nginx_version=engine.version[:3])


def said_by_nginx(outcome: Outcome, engine: Engine, tree: Path) -> str:
    """Return what nginx has against a tree; nothing where it takes it."""
    assert outcome.compiled is not None, outcome.diagnostics
    for path, file in outcome.compiled.tree.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(file.data())
    (tree / "logs/tmp").mkdir(parents=True)
    done = engines.nginx_test(engine, tree)
    return done.stderr if done.returncode else ""


def test_hundreds_of_routes_at_one_path(engine: Engine, workdir: Path) -> None:
    routes = [
        {"name": f"a-route-with-number-{n}", "paths": ["/x"], "headers": {"x-n": [str(n)]}}
        for n in range(300)
    ]
    assert said_by_nginx(compiled(engine, *routes), engine, workdir) == ""
