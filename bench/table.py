"""The table that `make bench` prints: what was measured, and the target that it is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_WIDTH = 54


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table; without a target its value is only told."""

    what: str
    unit: str
    value: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    detail: str = ""
    problem: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.value is None:
            return f"could not run: {self.problem}"
        if self.at_most is not None:
            return "ok" if self.value <= self.at_most else "MISSED"
        if self.at_least is not None:
            return "ok" if self.value >= self.at_least else "MISSED"
        return ""

    def __str__(self) -> str:
        shown = (
            "-" if self.value is None else f"{self.value:.{0 if self.unit in {'MB', ''} else 2}f}"
        )
        target = ""
        if self.at_most is not None:
            target = f"at most {self.at_most:g} {self.unit}"
        if self.at_least is not None:
            target = f"at least {self.at_least:g} {self.unit}"
        line = f"{self.what:<{_WIDTH}}{shown:>8} {self.unit:<3} {target:<16}{self.verdict:<8}"
        return f"{line}{self.detail}".rstrip()

    def document(self) -> dict[str, Any]:
        """Return the row for results.json."""
        return {**asdict(self), "verdict": self.verdict}
