"""The Jinja environment: the templates folder and the words."""

from __future__ import annotations

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from compiler.emit.folders import project_folder
from compiler.emit.words import Lines, begin, block, comment, end, name, rows, word, words


class _Environment(Environment):
    """An environment whose templates read attributes of blocks, and nothing else of anything."""

    getattr = staticmethod(getattr)  # type: ignore[assignment]


def environment() -> Environment:
    """Return a new environment in which everything printed is spelt by `words.word`."""
    made = _Environment(
        loader=FileSystemLoader(project_folder("templates")),
        autoescape=False,  # not HTML: finalize spells every word, and refuses text
        finalize=word,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        begin=begin,
        block=block,
        comment=comment,
        end=end,
        lines=Lines(),
        name=name,
        rows=rows,
        words=words,
    )
    return made
