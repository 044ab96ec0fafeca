"""Targets that fail: which requests are tried again, and who is taken out until when."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import ports
from support.gateway import gateway
from support.upstreams import Options, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

_PATIENCE = 15.0
CONF = "nginx_worker_processes = 2\n"


def passive(**counts: int) -> dict[str, Any]:
    return {"healthchecks": {"passive": {"unhealthy": counts}}}


ACTIVE = {
    "active": {
        "healthy": {"interval": 1, "successes": 1},
        "unhealthy": {"interval": 1, "tcp_failures": 1},
    }
}


@dataclass
class Pair:
    """A service over a good target and one that drops requests or answers with 503."""

    gateway: Gateway
    bad: Upstream
    good: Upstream

    def ask(self, path: str, method: str = "GET") -> int:
        body = b"text" if method == "POST" else b""
        return self.gateway.get("x.test", path, tls=False, method=method, body=body).status

    def statuses(self, path: str, count: int, method: str = "GET") -> Counter[int]:
        return Counter(self.ask(path, method) for _ in range(count))


def service(name: str, **fields: Any) -> dict[str, Any]:
    routes = [{"name": name, "paths": [f"/{name}"]}]
    return {"name": name, "host": f"{name}.upstream", "routes": routes, **fields}


def group(name: str, *targets: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"{name}.upstream",
        "host_header": "x.test",
        "targets": [{"target": each} for each in targets],
        **fields,
    }


@contextlib.contextmanager
def pair(engine: Engine, folder: Path, **fields: Any) -> Iterator[Pair]:
    """Serve one group of two targets as /s, and the bad one alone as /alone."""
    with upstream(Options(name="bad")) as bad, upstream(Options(name="good")) as good:
        both = group("s", bad.address, good.address, **fields)
        alone = group("alone", bad.address, **fields)
        services = [service("s"), service("alone")]
        entities = {"_format_version": "3.0", "services": services, "upstreams": [both, alone]}
        files = {"kong.conf": CONF, "kong.yml": entities}
        with gateway(engine, folder, files) as served:
            yield Pair(served, bad, good)


@pytest.fixture(scope="module")
def refused(engine: Engine, folder: Path) -> Iterator[Gateway]:
    """Serve groups in which nobody listens on four ports, or on one of two."""
    with ports.reserve(4) as closed, upstream() as good:
        dead = [f"127.0.0.1:{port}" for port in closed]
        services = [service(f"dead-{count}", retries=count) for count in (0, 1, 2, 5)]
        services += [service(f"half-{count}", retries=count) for count in (0, 1, 5)]
        groups = [
            group(found["name"], *(dead if found["name"][0] == "d" else (dead[0], good.address)))
            for found in services
        ]
        entities = {"_format_version": "3.0", "services": services, "upstreams": groups}
        with gateway(engine, folder, {"kong.conf": CONF, "kong.yml": entities}) as served:
            yield served


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_a_refused_connection_is_tried_elsewhere_as_often_as_retries_says(
    refused: Gateway, retries: int, method: str
) -> None:
    before = refused.error_log().count("connect() failed")
    path = f"/dead-{retries}"
    assert refused.get("x.test", path, tls=False, method=method).status == 502
    tried = refused.error_log().count("connect() failed") - before
    # Kong would go round again where all were tried.
    assert tried == min(retries + 1, 4)


@pytest.mark.parametrize(("retries", "statuses"), [(0, {200, 502}), (1, {200}), (5, {200})])
def test_a_good_target_answers_for_a_dead_one(
    refused: Gateway, retries: int, statuses: set[int]
) -> None:
    path = f"/half-{retries}"
    assert {refused.get("x.test", path, tls=False).status for _ in range(12)} == statuses


def test_a_request_that_was_dropped_is_repeated_only_if_that_is_harmless(
    engine: Engine, workdir: Path
) -> None:
    with pair(engine, workdir) as found:
        found.bad.drops = True
        assert found.statuses("/s", 12) == {200: 12}
        dropped = len(found.bad.requests)
        assert dropped > 0
        lost = found.statuses("/s", 12, "POST")
        assert set(lost) == {200, 502}
        assert len(found.bad.requests) == dropped + lost[502]


def test_a_single_target_is_not_asked_again(engine: Engine, workdir: Path) -> None:
    with pair(engine, workdir) as found:
        found.bad.drops = True
        assert found.ask("/alone") == 502
        assert len(found.bad.requests) == 1


def test_without_health_checks_no_target_is_taken_out(engine: Engine, workdir: Path) -> None:
    with pair(engine, workdir) as found:
        found.bad.drops = True
        found.statuses("/s", 40)
        assert len(found.bad.requests) >= 15


@pytest.mark.parametrize("counts", [{"tcp_failures": 3}, {"timeouts": 9, "tcp_failures": 3}])
def test_a_target_that_fails_too_often_is_out_for_all_workers(
    engine: Engine, workdir: Path, counts: dict[str, int]
) -> None:
    with pair(engine, workdir, **passive(**counts)) as found:
        found.bad.drops = True
        assert found.statuses("/s", 60) == {200: 60}
        # Two workers may be asking it at once, but not for longer.
        assert len(found.bad.requests) == 3
        assert found.statuses("/alone", 5) == {502: 5}


@pytest.mark.parametrize("also", [{}, passive(tcp_failures=1)["healthchecks"]])
def test_a_target_comes_back_once_probes_would_have_found_it_healthy(
    engine: Engine, workdir: Path, also: dict[str, Any]
) -> None:
    with pair(engine, workdir, healthchecks={**ACTIVE, **also}) as found:
        found.bad.drops = True
        assert found.statuses("/s", 20) == {200: 20}
        found.bad.drops = False
        seen = len(found.bad.requests)
        assert 0 < seen < 10
        deadline = time.monotonic() + _PATIENCE
        while len(found.bad.requests) == seen and time.monotonic() < deadline:
            assert found.ask("/s") == 200
        assert len(found.bad.requests) > seen


def test_an_answer_is_no_failure_whatever_its_status(engine: Engine, workdir: Path) -> None:
    with upstream(Options(name="bad", status=503)) as bad, upstream() as good:
        entities = {
            "_format_version": "3.0",
            "services": [service("s")],
            "upstreams": [group("s", bad.address, good.address, **passive(http_failures=1))],
        }
        with gateway(engine, workdir, {"kong.conf": CONF, "kong.yml": entities}) as served:
            assert "K407" in served.compiled.stderr
            statuses = [served.get("x.test", "/s", tls=False).status for _ in range(40)]
        assert statuses.count(503) == len(bad.requests) >= 15
