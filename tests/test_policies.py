"""What is refused of plugins that decide requests, beyond the golden cases."""

from __future__ import annotations

from typing import Any

import pytest
from support.compiling import Outcome, compile_texts

CONF = {"proxy_listen": "127.0.0.1:8000"}
ID = "11111111-0000-4000-8000-000000000001"
DENIED = {"deny": ["192.0.2.0/24"]}


def compiled(*plugins: dict[str, Any], **others: Any) -> Outcome:
    route = {"name": "r", "paths": ["/"], "plugins": list(plugins)}
    service = {"name": "s", "url": "http://192.0.2.1", "routes": [route]}
    return compile_texts({"_format_version": "3.0", "services": [service], **others}, CONF)


def plugin(kind: str, **config: Any) -> dict[str, Any]:
    return {"name": kind, "config": config}


@pytest.mark.parametrize("status", [99, 200, 399, 403.5, 600, -1])
def test_statuses_that_are_no_error(status: float) -> None:
    assert "K520" in compiled(plugin("ip-restriction", **DENIED, status=status)).codes


@pytest.mark.parametrize("status", [100, 199, 301, 302, 303, 307, 308])
def test_statuses_that_cannot_end_a_request(status: int) -> None:
    assert "K520" in compiled(plugin("request-termination", status_code=status)).codes


def test_more_statuses_than_there_are_codes() -> None:
    def routes(count: int) -> list[dict[str, Any]]:
        return [
            {"paths": [f"/{status}"], "protocols": ["http", "https"],
             "plugins": [plugin("ip-restriction", **DENIED, status=status)]}
            for status in range(400, 400 + count)
        ]  # fmt: skip

    assert "K520" not in compiled(routes=routes(70)).codes
    assert "K520" in compiled(routes=routes(71)).codes


@pytest.mark.parametrize("field", ["consumer", "consumer_group"])
@pytest.mark.parametrize("name", ["ip-restriction", "request-termination"])
def test_plugins_of_consumers_are_refused(name: str, field: str) -> None:
    config = DENIED if name == "ip-restriction" else {}
    outcome = compiled(
        consumers=[{"id": ID, "username": "alice"}],
        consumer_groups=[{"id": ID, "name": "all"}],
        plugins=[{**plugin(name, **config), field: {"id": ID}}],
    )
    assert "K340" in outcome.codes
    assert outcome.compiled is None


def test_plugins_inside_a_consumer_group_are_refused_as_well() -> None:
    group = {"name": "gold", "plugins": [plugin("rate-limiting", minute=5)]}
    outcome = compiled(consumer_groups=[group])
    assert "plugin rate-limiting (consumer group gold) is not compiled" in outcome.diagnostics
    assert outcome.compiled is None


def test_what_overrides_plugins_for_a_consumer_group_is_counted() -> None:
    override = {"name": "rate-limiting-advanced", "config": {"limit": [1], "window_size": [1]}}
    outcome = compiled(consumer_groups=[{"name": "gold", "consumer_group_plugins": [override]}])
    assert "1 consumer_group_plugins read, but not compiled" in outcome.diagnostics


def test_a_type_that_would_end_its_header() -> None:
    bad = plugin("request-termination", body="x", content_type="text/html\r\nX-Own: 1")
    assert "K527" in compiled(bad).codes


@pytest.mark.parametrize(
    ("entry", "refused"),
    [
        (r"https://(a|b)\.test$", False),
        (r"(?i)https://a\.test", False),
        (r"https://(?<name>a)\.test", False),
        (r"https://(?<name>a)\k<name>\.test", True),
        (r"(*UTF8)https://a\.test", True),
        (r"(?x)https://a\.test #", True),
        (r"https://\Qa.test", True),
        ("https://a\\.test\n", True),
    ],
)
def test_sites(entry: str, refused: bool) -> None:  # noqa: FBT001
    assert ("K527" in compiled(plugin("cors", origins=[entry])).codes) is refused
