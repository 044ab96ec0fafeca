from __future__ import annotations

import gc
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from support import engines, pki
from support.diffing import Sides
from support.explaining import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.engines import Engine


# A shell that starts us in the background has SIGINT ignored, and processes of tests would inherit
# that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


AS_ON_DEBIAN = frozenset(
    {
        "test_balancing",
        "test_failing_targets",
        "test_limits_of_nginx",
        "test_lookups",
        "test_names",
        "test_odd_expressions",
        "test_odd_paths",
        "test_routed_cases",
        "test_traditional_regexes",
        "test_websockets",
    }
)
"""Tests of what Lua has no part in: with its module they would only show once more what they show
of the same nginx without it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the engine with Lua need not show."""
    left_out = [
        item
        for item in items
        if item.path.stem in AS_ON_DEBIAN
        and isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.callspec.params.get("engine") == "openresty"
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        known = set(left_out)
        items[:] = [item for item in items if item not in known]


@dataclass(frozen=True)
class Certs:
    """A root, an intermediate below it, and leaves of the intermediate."""

    root: pki.Cert
    intermediate: pki.Cert
    ec: pki.Cert  # for example.com
    rsa: pki.Cert  # for example.com
    client: pki.Cert


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("embedded", id="embedded"),
        pytest.param("debian", id="debian", marks=pytest.mark.debian),
        pytest.param("openresty", id="openresty", marks=pytest.mark.debian),
    ],
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each nginx in turn."""
    return engines.find(request.param)


@pytest.fixture(autouse=True)
def _garbage_collector() -> Iterator[None]:
    """Switch the collector on again after commands that ran in the tests' own process."""
    yield
    gc.enable()


@pytest.fixture
def workdir() -> Iterator[Path]:
    """Make a directory that nginx's workers may enter, whoever they run as."""
    folder = Path(tempfile.mkdtemp(prefix="kcompile-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def certs() -> Certs:
    """Certificates that most tests can do with."""
    root = pki.ca("Test Root")
    intermediate = pki.intermediate(root, "Test Intermediate")
    return Certs(
        root=root,
        intermediate=intermediate,
        ec=pki.leaf(intermediate, "example.com"),
        rsa=pki.leaf(intermediate, "example.com", key="rsa"),
        client=pki.leaf(intermediate, "client.example", client=True),
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `--update-golden` rewrite what `golden/` expects."""
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden/**/expected and say nothing"
    )


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sides:
    """Make two inputs that can be compared."""
    return Sides(tmp_path, monkeypatch)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Make a configuration that can be explained."""
    return Gateway(tmp_path, monkeypatch)
