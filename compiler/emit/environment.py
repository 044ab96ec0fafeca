"""The Jinja environment: the templates folder and the words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from compiler.emit.words import comment, mark, name, word, words


def templates_folder() -> Path:
    """Return the folder of the templates: inside the installed package, else the checkout's."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


@cache
def environment() -> Environment:
    """Return the environment in which everything printed is spelt by `words.word`."""
    made = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        finalize=word,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(words=words, comment=comment, name=name, mark=mark)
    return made
