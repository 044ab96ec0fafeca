"""How a command ends when it cannot do its work."""

from __future__ import annotations


class UsageError(Exception):
    """Wrong usage, or a file that cannot be read or written: exit code 2."""


OK, FOUND, USAGE, BUG = 0, 1, 2, 70
"""The exit codes: done, errors or differences found, wrong usage, a bug of ours."""
