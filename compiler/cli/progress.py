"""A progress bar for people who wait: on a terminal, once a step takes over a second."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

STEPS = (
    "reading entities",
    "resolving entities",
    "reading certificates",
    "checking",
    "planning",
    "writing nginx.conf",
    "writing the tree",
)
_PATIENCE = 1.0
_WIDTH = 24


class Progress:
    """Called with the name of each step as it begins; silent where nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._timer: threading.Timer | None = None
        self._shown = False
        self._step = ""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __call__(self, step: str) -> None:
        """Take note that *step* begins."""
        if not self._watched:
            return
        self._stop_timer()
        with self._lock:
            self._step = step
            if self._shown:
                self._draw()
        self._timer = threading.Timer(_PATIENCE, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_timer()
        with self._lock:
            if self._shown:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
            self._shown = False

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None

    def _appear(self) -> None:
        with self._lock:
            self._shown = True
            self._draw()

    def _draw(self) -> None:
        position = STEPS.index(self._step) if self._step in STEPS else len(STEPS) - 1
        done = _WIDTH * position // len(STEPS)
        bar = "#" * done + "-" * (_WIDTH - done)
        sys.stderr.write(f"\r\x1b[K[{bar}] {self._step}")
        sys.stderr.flush()
