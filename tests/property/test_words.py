"""Laws of quoting: whatever a user wrote, nginx reads back exactly that."""

from __future__ import annotations

import http.client
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nginx_syntax import parse
from support import engines
from support.ports import free_port

from compiler.emit.marks import Marker
from compiler.emit.words import comment, name, quote, word, words
from compiler.model.words import Expression, Literal, Raw, expression

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "\"'\\;{}#$ \t\r\n~*()|%^?&=<>[]abntr:/.@\x01\x02\x1b\x7f\x85\xa0é\u2028\U0001f600"
TEXTS = st.text(st.sampled_from(HOSTILE) | st.characters(exclude_categories=["Cs"]))


@example("\\\t")
@example("\\")
@settings(max_examples=1000)
@given(TEXTS.filter(lambda text: "\0" not in text and len(text.encode()) < 4000))
def test_quoted_text_is_read_back(text: str) -> None:
    (found,) = parse(f"d {quote(text)};")
    assert found.args == (text,)


@example(["\x01", "\x01=\x02", "\x01-1\x02"])
@given(st.lists(TEXTS.filter(lambda text: "\0" not in text), max_size=5))
def test_words_stay_apart(texts: list[str]) -> None:
    written, _ = Marker().strip(f"d {words([Literal(text) for text in texts])};")
    (found,) = parse(written)
    assert found.args == tuple(texts)


@given(TEXTS)
def test_a_comment_does_not_end_its_line(text: str) -> None:
    assert parse(f"# {comment(text)}\n") == ()


@given(TEXTS)
def test_an_expression_of_user_text_has_no_variable_of_theirs(text: str) -> None:
    assert expression(text).replace("${literal_dollar}", "").count("$") == 0


@pytest.mark.parametrize("value", ["text", None, 1.5, ("a",), b"a"])
def test_what_has_no_meaning_cannot_be_printed(value: object) -> None:
    with pytest.raises(TypeError):
        word(value)


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        (True, "on"),
        (False, "off"),
        (8, "8"),
        (Literal("a b"), '"a b"'),
        (Literal(""), '""'),
        (Literal("~^/a$"), "~^/a$"),
        (Expression("$host"), "$host"),
        (Raw("a b; c"), "a b; c"),
    ],
)
def test_meaning_decides_the_spelling(value: object, spelt: str) -> None:
    assert str(word(value)) == spelt


def test_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize("text", ["", "a b", "a;", "A", "a\n", "$", "a{"])
def test_a_name_is_no_user_text(text: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        name(text)


def test_nginx_reads_what_was_written(engine: engines.Engine, workdir: Path) -> None:
    chosen = random.Random(7)
    # A dollar sign would be a variable in `return`: how it is spelt there is another matter.
    letters = HOSTILE.replace("$", "")
    texts = ["".join(chosen.choices(letters, k=chosen.randint(1, 30))) for _ in range(300)]
    port = free_port()
    locations = "".join(
        f"location = /{i} {{ return 200 {quote(t)}; }}" for i, t in enumerate(texts)
    )
    (workdir / "logs").mkdir()
    (workdir / "nginx.conf").write_text(
        f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port}; {locations} }} }}",
        newline="",
    )
    with engines.start(engine, workdir):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for number, text in enumerate(texts):
            connection.request("GET", f"/{number}")
            assert connection.getresponse().read().decode() == text
        connection.close()
