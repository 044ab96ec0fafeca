"""Who asks responders (OCSP), how often, and for how long what they say is remembered."""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.access import context_of
from support.responder import responder, signed
from support.revocation import ROOT, TOLERANT, lets_in, running

if TYPE_CHECKING:
    from pathlib import Path

    from support.access import Gateway
    from support.pki import Cert

pytestmark = pytest.mark.debian

HOUR = timedelta(hours=1)


def test_a_slow_responder_delays_once(workdir: Path) -> None:
    with (
        responder() as it,
        running(
            workdir,
            strict={"timeout": 300},
            tolerant={"timeout": 300, **TOLERANT},
            patient={"timeout": 5000},
        ) as gateway,
    ):
        it.delay = 1
        cert = it.certify(ROOT)
        it.says(cert, "good")
        start = time.monotonic()
        for _ in range(5):
            assert lets_in(gateway, cert, "strict", "tolerant") == {"tolerant"}
        assert 0.3 <= time.monotonic() - start < 1.5
        assert it.count(cert) == 1
        # Others may have more patience.
        assert lets_in(gateway, cert, "patient")
        assert lets_in(gateway, cert, "strict", "tolerant") == {"strict", "tolerant"}


@pytest.mark.parametrize(
    ("answer", "let_in"), [(b"", {"tolerant"}), (b"garbage", set())], ids=["none", "unproven"]
)
def test_what_failed_is_forgotten_soon(workdir: Path, answer: bytes, let_in: set[str]) -> None:
    with responder() as it, running(workdir, strict={}, tolerant=TOLERANT) as gateway:
        cert, other = it.certify(ROOT), it.certify(ROOT)
        for each in (cert, other):
            it.says(each, answer)
            assert lets_in(gateway, each, "strict", "tolerant") == let_in
        it.says(cert, "revoked")
        it.says(other, "good")
        time.sleep(5.2)
        assert lets_in(gateway, cert, "tolerant", "strict") == set()
        assert lets_in(gateway, other, "tolerant", "strict") == {"strict", "tolerant"}
        assert (it.count(cert), it.count(other)) == (2, 2)


@pytest.mark.parametrize("answer", [b"", b"garbage"], ids=["none", "unproven"])
def test_what_failed_in_one_way_is_asked_for_in_another(workdir: Path, answer: bytes) -> None:
    with (
        responder() as it,
        responder() as proxy,
        running(workdir, proxied={"proxy": ("127.0.0.1", proxy.port)}, direct={}) as gateway,
    ):
        cert = it.certify(ROOT)
        proxy.says(cert, answer)
        it.says(cert, "good")
        assert lets_in(gateway, cert, "proxied", "direct") == {"direct"}
        assert lets_in(gateway, cert, "proxied", "direct") == {"proxied", "direct"}


@pytest.mark.parametrize("short", ["ttl", "answer"])
def test_an_answer_is_not_remembered_for_longer_than_it_may(workdir: Path, short: str) -> None:
    seconds = 2
    with (
        responder() as it,
        running(workdir, strict={"ttl": seconds if short == "ttl" else 60}) as gateway,
    ):
        cert = it.certify(ROOT)
        ends = timedelta(seconds=seconds) if short == "answer" else HOUR
        it.says(cert, signed(cert, "good", ends=ends))
        assert lets_in(gateway, cert, "strict")
        it.says(cert, "revoked")
        time.sleep(seconds + 0.5)
        assert not lets_in(gateway, cert, "strict")
        assert it.count(cert) == 2


def test_who_remembers_for_less_time_asks_again(workdir: Path) -> None:
    with (
        responder() as it,
        running(workdir, long={"ttl": 60}, short={"ttl": 1}) as gateway,
    ):
        cert = it.certify(ROOT)
        it.says(cert, "good")
        assert lets_in(gateway, cert, "long", "short") == {"long", "short"}
        it.says(cert, "revoked")
        time.sleep(1.2)
        assert lets_in(gateway, cert, "long") == {"long"}
        assert not lets_in(gateway, cert, "short")


def test_what_is_verified_later_is_no_newer_than_the_answer(workdir: Path) -> None:
    """Rules that verify otherwise share answers; those that verify alike share what came of it."""
    with (
        responder() as it,
        running(
            workdir,
            asking=TOLERANT,
            long={"ttl": 60},
            short={"ttl": 1},
        ) as gateway,
    ):
        cert = it.certify(ROOT)
        it.says(cert, "good")
        assert lets_in(gateway, cert, "asking")
        it.says(cert, "revoked")
        time.sleep(1.2)
        assert lets_in(gateway, cert, "long")
        assert not lets_in(gateway, cert, "short")


def test_of_many_one_asks(workdir: Path) -> None:
    with responder() as it, running(workdir, strict={}) as gateway:
        it.delay = 0.5
        cert = it.certify(ROOT)
        it.says(cert, "good")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: lets_in(gateway, cert, "strict"), range(8)))
        assert found == [{"strict"}] * 8
        assert it.count(cert) == 1


def test_who_was_revoked_stays_so_when_nobody_answers(workdir: Path) -> None:
    with responder() as it, running(workdir, tolerant={"ttl": 0, **TOLERANT}) as gateway:
        cert, other = it.certify(ROOT), it.certify(ROOT)
        for status in (200, 500):
            it.says(cert, "revoked")
            it.says(other, "good")
            with it.sending(status=status):
                # Of the second time when nobody answers, the failure is recalled.
                for _ in range(2):
                    assert not lets_in(gateway, cert, "tolerant")
                    assert lets_in(gateway, other, "tolerant")
        assert it.count(cert) == 3


def test_a_hold_is_not_remembered_when_nobody_answers(workdir: Path) -> None:
    with responder() as it, running(workdir, tolerant={"ttl": 0, **TOLERANT}) as gateway:
        cert = it.certify(ROOT)
        it.says(cert, "held")
        assert not lets_in(gateway, cert, "tolerant")
        assert "[mtls-auth] certificate revoked for the time being: CN=alice" in gateway.log()
        with it.sending(status=500):
            assert lets_in(gateway, cert, "tolerant")


def test_a_hold_is_not_remembered_for_longer_than_the_answer_holds(workdir: Path) -> None:
    with responder() as it, running(workdir, strict={}) as gateway:
        cert = it.certify(ROOT)
        it.says(cert, signed(cert, "held", ends=timedelta(seconds=2)))
        assert not lets_in(gateway, cert, "strict")
        it.says(cert, "good")
        time.sleep(2.2)
        assert lets_in(gateway, cert, "strict")


def test_who_is_good_again_was_never_revoked(workdir: Path) -> None:
    with responder() as it, running(workdir, tolerant={"ttl": 0, **TOLERANT}) as gateway:
        cert = it.certify(ROOT)
        it.says(cert, "revoked")
        assert not lets_in(gateway, cert, "tolerant")
        it.says(cert, "good")
        assert lets_in(gateway, cert, "tolerant")
        with it.sending(status=500):
            assert lets_in(gateway, cert, "tolerant")


def at_once(gateway: Gateway, cert: Cert, rule: str, count: int = 8) -> list[bool]:
    """Tell of requests that come together whether each is let in."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: bool(lets_in(gateway, cert, rule)), range(count)))


@pytest.mark.parametrize("ttl", [0, 0.1])
@pytest.mark.parametrize("said", ["good", "revoked"])
def test_who_waits_takes_what_was_asked_for_since_it_came(
    workdir: Path, said: Any, ttl: float
) -> None:
    """However short the ttl is: else each asked in turn, until time was up."""
    with (
        responder() as it,
        running(
            workdir, strict={"ttl": ttl, "timeout": 900}, tolerant={"ttl": ttl, **TOLERANT}
        ) as gateway,
    ):
        it.delay = 0.3
        cert = it.certify(ROOT)
        it.says(cert, said)
        for rule in ("strict", "tolerant"):
            assert at_once(gateway, cert, rule) == [said == "good"] * 8
        # Who came first asks, and one who came behind its question for all others.
        assert it.count(cert) < 8


def test_without_a_ttl_each_request_asks(workdir: Path) -> None:
    with responder() as it, running(workdir, strict={"ttl": 0}) as gateway:
        cert = it.certify(ROOT)
        it.says(cert, "good")
        assert lets_in(gateway, cert, "strict")
        assert lets_in(gateway, cert, "strict")
        it.says(cert, "revoked")
        assert not lets_in(gateway, cert, "strict")
        assert it.count(cert) == 3


def times(gateway: Gateway, cert: Cert, rule: str, count: int = 6) -> list[float]:
    """Tell how long requests take that come together and are refused or let in alike."""

    def take(_: int) -> float:
        start = time.monotonic()
        found.add(bool(lets_in(gateway, cert, rule)))
        return time.monotonic() - start

    found: set[bool] = set()
    with ThreadPoolExecutor(count) as pool:
        taken = sorted(pool.map(take, range(count)))
    assert len(found) == 1
    return taken


@pytest.mark.parametrize("before", ["trouble", "revoked"])
def test_while_one_asks_again_others_do_not_wait(workdir: Path, before: str) -> None:
    options: dict[str, Any] = {"ttl": 0, "timeout": 1500, **TOLERANT}
    with responder() as it, running(workdir, tolerant=options) as gateway:
        cert = it.certify(ROOT)
        it.says(cert, "revoked")
        if before == "revoked":
            assert not lets_in(gateway, cert, "tolerant")
        it.delay = 3
        if before == "trouble":
            assert all(each > 1 for each in times(gateway, cert, "tolerant"))
            time.sleep(5.2)
        *others, slowest = times(gateway, cert, "tolerant")
        assert max(others) < 1 < slowest
        assert it.count(cert) == 2


def test_one_asks_for_as_long_as_a_name_is_looked_up(workdir: Path) -> None:
    """That takes what it takes, whatever http_timeout is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, responder() as it:
        silent.bind(("127.0.0.1", 0))
        lookup = f"resolver 127.0.0.1:{silent.getsockname()[1]}; resolver_timeout 2s;"
        with running(workdir, more=lookup, tolerant={"timeout": 200, **TOLERANT}) as gateway:
            cert = it.certify(ROOT, url="http://ocsp.test/")
            assert times(gateway, cert, "tolerant", 1)[0] > 1.8
            time.sleep(5.2)
            with ThreadPoolExecutor(1) as pool:
                first = pool.submit(times, gateway, cert, "tolerant", 1)
                time.sleep(1.6)
                assert times(gateway, cert, "tolerant", 1)[0] < 1
                assert first.result()[0] > 1.8


def test_what_failed_before_an_answer_is_forgotten(workdir: Path) -> None:
    with (
        responder() as it,
        running(workdir, strict={"ttl": 0, "timeout": 5000}) as gateway,
    ):
        cert = it.certify(ROOT)
        it.says(cert, "unknown")
        assert not lets_in(gateway, cert, "strict")
        time.sleep(5.2)
        it.says(cert, "good")
        assert lets_in(gateway, cert, "strict")
        it.delay = 0.2
        assert at_once(gateway, cert, "strict", 3) == [True] * 3


WATCH = """
location = /watch { content_by_lua_block {
    local sleep = ngx.sleep
    ngx.sleep = function(seconds)
        ngx.log(ngx.NOTICE, "waits for ", seconds, " s")
        return sleep(seconds)
    end
} }
"""


def test_who_waits_looks_less_and_less_often(workdir: Path) -> None:
    with responder() as it, running(workdir, more=WATCH, strict={"timeout": 5000}) as gateway:
        gateway.get("/watch")
        cert = it.certify(ROOT)
        it.says(cert, "good")
        it.delay = 2
        assert at_once(gateway, cert, "strict", 2) == [True] * 2
        waits = [float(found) for found in re.findall(r"waits for (\S+) s", gateway.log())]
        assert waits == [0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5]


def leave(gateway: Gateway, cert: Cert, path: str) -> None:
    """Ask, and go before there is an answer."""
    with (
        socket.create_connection(("127.0.0.1", gateway.https_port), timeout=10) as plain,
        context_of(cert).wrap_socket(plain, server_hostname="gateway.test") as secured,
    ):
        secured.sendall(f"GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode())
        time.sleep(0.2)


def test_who_waits_for_one_that_is_gone_asks_itself(workdir: Path) -> None:
    with (
        responder() as it,
        running(workdir, more="lua_check_client_abort on;", strict={"timeout": 1000}) as gateway,
    ):
        cert = it.certify(ROOT)
        it.says(cert, "good")
        it.delay = 0.6
        leave(gateway, cert, "/strict")
        it.delay = 0
        assert at_once(gateway, cert, "strict", 3) == [True] * 3
        assert 2 <= it.count(cert) <= 4


SAID_BY_LUA = """
location = /turns {{ content_by_lua_block {{
    local answers = require("kcompile.answers")
    local question = {{ key = "a key", way = " a way" }}
    {code}
}} }}
"""


def said_by_lua(workdir: Path, code: str) -> list[str]:
    """Give the words that Lua says of a question."""
    with running(workdir, more=SAID_BY_LUA.format(code=code), strict={}) as gateway:
        return gateway.get("/turns").text.split()


def test_a_turn_that_was_taken_over_is_not_ended(workdir: Path) -> None:
    code = """
    local first = answers.take_turn(question, 9)
    local late = answers.take_turn(question, 9, true)
    answers.end_turn(question, first)
    ngx.say(answers.take_turn(question, 9) and "free" or "taken")
    answers.end_turn(question, late)
    ngx.say(answers.take_turn(question, 9) and "free" or "taken")
    """
    assert said_by_lua(workdir, code) == ["taken", "free"]


def test_an_older_question_that_is_answered_later_changes_nothing(workdir: Path) -> None:
    code = """
    local now = ngx.now()
    local newer = { status = "revoked", since = now - 1, holds_until = now + 9 }
    local older = { status = "good", since = now - 2, holds_until = now + 9 }
    answers.remember(question, newer, 9)
    ngx.say(answers.remember(question, older, 9).status)
    ngx.say(answers.recall(question, 9, now).status)
    """
    assert said_by_lua(workdir, code) == ["revoked", "revoked"]
