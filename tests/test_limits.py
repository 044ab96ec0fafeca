"""What is reported only of large inputs, or of the machine: rules without a golden case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import GOLDEN, compile_folder, compile_texts

from compiler.cli import build
from compiler.model.diagnostic import Report
from compiler.plan import common_tls, routing

if TYPE_CHECKING:
    from support.compiling import Outcome


def gateway(hosts: int, paths: int, wildcard: str = "") -> dict[str, Any]:
    """Return a gateway of https routes: some with a host, some with none."""
    names = [f"{wildcard}h{n}.example.com" for n in range(hosts)]
    with_host = [{"name": f"h{n}", "hosts": [name]} for n, name in enumerate(names)]
    hostless = [{"name": f"p{n}", "paths": [f"/p{n}"]} for n in range(paths)]
    service = {"name": "s", "url": "https://192.0.2.1/", "routes": with_host + hostless}
    return {"_format_version": "3.0", "services": [service]}


def compiled(hosts: int, paths: int, wildcard: str = "") -> Outcome:
    return compile_texts(gateway(hosts, paths, wildcard), "", nginx_version=(1, 22, 1))


def test_too_many_locations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "LOCATION_LIMIT", 30)
    # A path wins over a wildcard alone, so it stands under each of those.
    assert "K355" not in compiled(1, 5, wildcard="*.").codes
    found = compiled(10, 5, wildcard="*.")
    assert "K355" in found.codes
    assert found.compiled is None


def test_too_many_choices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "CHOICE_LIMIT", 50)
    regexes = [{"name": f"r{n}", "paths": [f"~/.*/{n}"]} for n in range(10)]
    plain = [{"name": f"p{n}", "paths": [f"/p{n}"]} for n in range(10)]
    codes = {
        count: compile_texts(
            {"_format_version": "3.0", "routes": [*regexes[:count], *plain]},
            "proxy_listen = 0.0.0.0:80",
        ).codes
        for count in (3, 10)
    }
    assert "K354" not in codes[3]
    assert "K354" in codes[10]


def test_hosts_share_the_routes_that_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "LOCATION_LIMIT", 30)
    found = compiled(10, 15)
    assert found.conf.count("  location */p") == 15
    assert found.conf.count("  location h") == 10


def test_costly_contexts_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_tls, "_SECONDS_PER_CONTEXT", 0.3)
    assert "K358" not in compiled(0, 2).codes
    found = compiled(0, 5)
    assert "K358" in found.codes
    assert found.compiled is not None
    newer = compile_texts(gateway(0, 5), "", nginx_version=(1, 23, 1))
    assert "K358" not in newer.codes


@pytest.mark.parametrize(("owner", "told"), [(None, True), ((65534, 65534), False)])
def test_keys_that_workers_cannot_read_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, owner: tuple[int, int] | None, *, told: bool
) -> None:
    monkeypatch.setattr(build, "key_owner", lambda _: owner)
    outcome = compile_folder(GOLDEN / "compile" / "sni-exact" / "input")
    assert outcome.compiled is not None
    report = Report()
    build.report_keys(outcome.compiled, report)
    assert [d.rule.code for d in report] == (["K364"] if told else [])
