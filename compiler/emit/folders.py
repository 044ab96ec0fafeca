"""Where the files that are no Python lie."""

from __future__ import annotations

from pathlib import Path


def project_folder(name: str) -> Path:
    """Return a folder of the project: inside the installed package, else the checkout's."""
    package = Path(__file__).resolve().parent.parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / name
