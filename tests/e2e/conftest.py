from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.engines import Engine


@pytest.fixture(scope="module")
def folder(engine: Engine) -> Iterator[Path]:
    """Make a directory for the gateways of a module, one for each engine."""
    made = Path(tempfile.mkdtemp(prefix=f"kcompile-{engine.name}-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)
