"""What a second process does ahead of the pipeline: it matches pairs before the rest is read."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from compiler.model.diagnostic import Report
from compiler.model.document import MappingNode, SequenceNode
from compiler.read.certificate_lines import certificate_lines
from compiler.read.yaml_document import read_yaml
from compiler.resolve.matches import match_of, match_row
from compiler.second_process import DiedError, can_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from compiler.model.document import Document
    from compiler.model.inputs import SourceText
    from compiler.resolve.matches import Matches
    from compiler.second_process import Answers, SecondProcess


class Ahead:
    """The pairs of a large file, matched in the second process.

    Which ones they are is a guess until the file has been read. Whatever was guessed wrong, or
    cannot be given, is left to the pipeline, which comes to the same result.
    """

    def __init__(self, name: str, answers: Answers) -> None:
        self._name = name
        self._answers = answers

    @classmethod
    def begin(cls, sources: Sequence[SourceText], second: SecondProcess) -> Ahead | None:
        """Start *second* and the matching, where both are worth it."""
        for source in sources:
            lines = certificate_lines(source.name, source.data)
            if lines is not None and can_start():
                return cls(source.name, second.start(_match, source.name, lines))
        return None

    def matches(self, documents: Sequence[Document]) -> Matches:
        """Return what became of the pairs in the one of *documents* that was meant."""
        try:
            digest, rows = next(self._answers)
        except DiedError:
            return {}
        for document in documents:
            if document.file == self._name:
                pairs = _pairs(document.root)
                if _digest(pairs) == digest:
                    return {p: match_of(row, *p) for p, row in zip(pairs, rows, strict=True)}
        return {}


def _match(name: str, lines: bytes) -> Iterator[Any]:
    pairs = _pairs(read_yaml(name, lines, Report()))
    yield _digest(pairs), [match_row(*pair) for pair in pairs]


def _pairs(root: Any) -> list[tuple[str, str]]:
    """Return the texts of every certificate and its key, as far as they are texts."""
    pairs = []
    found = root.get("certificates") if isinstance(root, MappingNode) else None
    for entity in found if isinstance(found, SequenceNode) else ():
        if isinstance(entity, MappingNode):
            certificate, key = entity.get("cert"), entity.get("key")
            if isinstance(certificate, str) and isinstance(key, str):
                pairs.append((certificate, key))
    return pairs


def _digest(pairs: list[tuple[str, str]]) -> bytes:
    """Return what tells whether two processes speak of the same pairs."""
    texts = [text for pair in pairs for text in pair]
    data = f"{[*map(len, texts)]}{''.join(texts)}".encode("utf-8", "surrogatepass")
    return sha256(data).digest()
