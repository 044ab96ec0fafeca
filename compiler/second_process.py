"""A second process that does jobs while this one goes on: for large inputs, on a second core.

It is a fork, made before there is much to copy. Jobs and answers go through pipes, so nothing of
them, keys included, is ever in a file or on a command line. It never outlives this process, and
neither Ctrl-C nor a signal to the group reaches it: whoever made it decides when it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import pickle
import signal
import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    Job = Callable[..., Iterator[Any]]
    """A function of a module (it is sent by name) that yields its answers."""

_ANSWER, _ERROR, _DONE = range(3)
_SIZE = 8
_PIPE_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


class DiedError(Exception):
    """The second process is gone, and what it was asked will not be answered."""


def can_start() -> bool:
    """Tell whether a second process works here, and has a core to work on."""
    if not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"):
        return False
    # A fork has one thread; what others held stays held in it for ever.
    return len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


class Answers:
    """What one job answers, in its order."""

    def __init__(self, receive: Callable[[], None]) -> None:
        self._receive = receive
        self._found: deque[tuple[int, Any]] = deque()
        self.complete = False

    def put(self, kind: int, value: Any) -> None:
        """Take an answer that came."""
        self.complete = kind != _ANSWER
        self._found.append((kind, value))

    def __next__(self) -> Any:
        """Return the next answer, waiting for it.

        Raises what the job raised, and DiedError when the process is gone.
        """
        while not self._found:
            self._receive()
        kind, value = self._found.popleft()
        if kind == _ERROR:
            raise value
        if kind == _DONE:
            raise StopIteration
        return value


class SecondProcess:
    """The second process: does one job after another, in the order they are given.

    Used as a context manager it is always gone at the end; after an error at once, whatever it
    is doing. It exists from `start` on, which is for whoever knows that there is enough to do.
    """

    def __init__(self) -> None:
        self.running = False
        self.pid = 0
        self._requests = self._answers = -1
        self._waiting: deque[Answers] = deque()

    def start(self, job: Job | None = None, *args: Any) -> Answers:
        """Make the process and have it do *job*, whose *args* it has without their being sent."""
        asked, answered = os.pipe(), os.pipe()
        parent = os.getpid()
        # A signal in between must not make the fork clean up as if it were the first process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _work(asked, answered, parent, before, (job or _nothing, args))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(asked[0])
        os.close(answered[1])
        self._requests, self._answers = asked[1], answered[0]
        for descriptor in (self._requests, self._answers):
            _widen(descriptor)
        self.running = True
        answers = Answers(self._receive)
        self._waiting.append(answers)
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.kill()

    def ask(self, job: Job, *args: Any) -> Answers:
        """Have *job* done with *args*; a large request waits until earlier jobs are done."""
        answers = Answers(self._receive)
        message = pickle.dumps((job, args), pickle.HIGHEST_PROTOCOL)
        try:
            _send(self._requests, message)
        except BrokenPipeError:
            answers.put(_ERROR, _died())
        else:
            self._waiting.append(answers)
        return answers

    def finish(self) -> None:
        """End it once it has done what it was asked."""
        if self.running:
            self._close()
            os.waitpid(self.pid, 0)

    def kill(self) -> None:
        """End it now."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
            self._close()
            os.waitpid(self.pid, 0)

    def _close(self) -> None:
        self.running = False
        os.close(self._requests)
        os.close(self._answers)

    def _receive(self) -> None:
        """Take the next message and give it to the job that it belongs to."""
        try:
            kind, value = pickle.loads(_receive(self._answers))  # noqa: S301 - from our own fork
        except EOFError:
            while self._waiting:
                self._waiting.popleft().put(_ERROR, _died())
            raise _died() from None
        self._waiting[0].put(kind, value)
        if self._waiting[0].complete:
            self._waiting.popleft()


def _died() -> DiedError:
    return DiedError("the second process was ended")


def _nothing() -> Iterator[Any]:
    """Do the job of a process that is only made."""
    yield from ()


def _work(
    asked: tuple[int, int],
    answered: tuple[int, int],
    parent: int,
    mask: Iterable[int],
    first: tuple[Job, tuple[Any, ...]],
) -> NoReturn:
    """Do jobs until there are no more; nothing of the first process's cleaning up happens here."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        requests, answers = asked[0], answered[1]
        os.close(asked[1])
        os.close(answered[0])
        gc.disable()
        _die_with(parent)
        for descriptor in (requests, answers):
            _widen(descriptor)
        # The work goes on while the first process is busy and takes no answers.
        messages: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=_send_all, args=(answers, messages), daemon=True).start()
        job, args = first
        while True:
            for message in _do(job, args):
                messages.put(message)
            job, args = pickle.loads(_receive(requests))  # noqa: S301 - from the first process
    finally:  # also when there are no more requests, or nobody takes answers
        os._exit(0)


def _do(job: Job, args: tuple[Any, ...]) -> Iterator[bytes]:
    """Do a job and yield messages; whatever goes wrong, the first process is told."""
    try:
        for answer in job(*args):
            yield pickle.dumps((_ANSWER, answer), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001
        yield pickle.dumps((_ERROR, error), pickle.HIGHEST_PROTOCOL)
    else:
        yield pickle.dumps((_DONE, None))


def _send_all(answers: int, messages: SimpleQueue[bytes]) -> NoReturn:
    """Send what comes; end the process when nobody reads any more."""
    try:
        while True:
            _send(answers, messages.get())
    finally:
        os._exit(0)


def _die_with(parent: int) -> None:
    """Have the kernel end this process when the first one ends, however it does (Linux)."""
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _widen(pipe: int) -> None:
    """Let a pipe hold more, which spares both sides most of the waiting; it works without."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(pipe: int, message: bytes) -> None:
    for part in (len(message).to_bytes(_SIZE, "big"), message):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(pipe, rest) :]


def _receive(pipe: int) -> bytearray:
    return _read(pipe, int.from_bytes(_read(pipe, _SIZE), "big"))


def _read(pipe: int, size: int) -> bytearray:
    """Return *size* bytes of *pipe*. Raises EOFError when it ends before."""
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = os.readv(pipe, [rest])
        if count == 0:
            raise EOFError
        rest = rest[count:]
    return data
