"""The second process: what it does, and what is left when it, or we, are ended."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from compiler.second_process import DiedError, SecondProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Newer Pythons warn of forks where there are threads: those of the tests' runner do nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

LARGE = 5_000_000


def double(*numbers: int) -> Iterator[int]:
    for number in numbers:
        yield 2 * number


def fail(error: Exception) -> Iterator[Any]:
    yield "before"
    raise error


def die() -> Iterator[Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield None


def sleep() -> Iterator[Any]:
    yield os.getpid()
    time.sleep(60)
    yield None


def large_then_touch(size: int, path: Path) -> Iterator[bytes]:
    yield bytes(size)
    path.touch()
    yield b"done"


def length(data: bytes) -> Iterator[int]:
    yield len(data)


@pytest.fixture
def second() -> Iterator[SecondProcess]:
    with SecondProcess() as process:
        process.start()
        yield process


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended and was waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_jobs_are_answered_in_their_order(second: SecondProcess) -> None:
    first, other = second.ask(double, 1, 2), second.ask(double, 3)
    assert next(other) == 6
    assert (next(first), next(first)) == (2, 4)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("a")])
def test_what_a_job_raises_is_raised_here(second: SecondProcess, error: Exception) -> None:
    answers = second.ask(fail, error)
    assert next(answers) == "before"
    with pytest.raises(type(error)) as found:
        next(answers)
    assert found.value.args == error.args
    assert next(second.ask(double, 1)) == 2


def test_it_goes_on_while_nobody_takes_its_answers(second: SecondProcess, tmp_path: Path) -> None:
    answers = second.ask(large_then_touch, LARGE, tmp_path / "touched")
    deadline = time.monotonic() + 20
    while not (tmp_path / "touched").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(next(answers)) == LARGE


def test_the_first_job_is_not_sent() -> None:
    with SecondProcess() as second:
        function = (n for n in (1, 2))  # what no pipe could carry
        answers = second.start(lambda: function)
        assert next(second.ask(double, 1)) == 2
        assert (next(answers), next(answers)) == (1, 2)


def test_a_large_request_can_follow_a_large_answer(second: SecondProcess, tmp_path: Path) -> None:
    first = second.ask(large_then_touch, LARGE, tmp_path / "touched")
    assert next(second.ask(length, bytes(LARGE))) == LARGE
    assert len(next(first)) == LARGE


def test_one_that_died_is_an_error_for_all_that_waits(second: SecondProcess) -> None:
    answers, later = second.ask(die), second.ask(double, 1)
    for waiting in (answers, later, second.ask(double, 2), second.ask(length, bytes(LARGE))):
        with pytest.raises(DiedError):
            next(waiting)


def test_nothing_is_left_of_it() -> None:
    with SecondProcess() as second:
        second.start()
        pid = next(second.ask(double, 1)) and second.pid
        assert not is_gone(pid)
    assert is_gone(pid)


def test_after_an_error_it_is_ended_at_once() -> None:
    def interrupted() -> None:
        with SecondProcess() as second:
            second.start()
            pids.append(next(second.ask(sleep)))
            raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert is_gone(pids[0])


def test_a_signal_to_all_does_not_reach_it(second: SecondProcess) -> None:
    next(second.ask(double, 1))
    os.kill(second.pid, signal.SIGINT)
    assert next(second.ask(double, 2)) == 4
