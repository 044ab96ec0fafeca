"""Whatever an `error_template_*` holds is what clients read: nothing of it is nginx's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nginx_syntax import Directive, parse
from support.compiling import TextFiles, compile_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKENS = (
    ";", "}", "{", "\n", "\r", "\t", "$", "${", '"', "'", "\\", "\\n", "#", " ", "$uri", "${uri}",
    "é", "\x01", "\x7f", "\udcff", "a", "0", "\ufeff", "return 200;", "%%", "x" * 997,
)  # fmt: skip
TEXT = st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)


def values(directives: tuple[Directive, ...]) -> Iterator[tuple[str, str]]:
    """Yield each map's variable and default, and what the error in HTML returns."""
    for directive in directives:
        if directive.name == "map":
            assert directive.block is not None
            yield directive.args[1], directive.block[0].args[0] if directive.block else ""
        elif directive.name == "location" and directive.args == ("/./html",):
            assert directive.block is not None
            yield "body", directive.block[-1].args[1]
        elif directive.block is not None:
            yield from values(directive.block)


def told(template: str) -> str:
    """Compile *template* and return what nginx would send, its values as %s."""
    data = template.encode("utf-8", "surrogateescape")
    found = compile_texts(
        {"_format_version": "3.0"},
        {"error_template_html": "t.html", "proxy_listen": "127.0.0.1:8000"},
        files=TextFiles({"t.html": data}),
    )
    assert found.compiled is not None, found.diagnostics
    files = found.compiled.tree.files
    known: dict[str, str] = {}
    for path in ("conf/answers.conf", "nginx.conf"):
        text = files[path].data().decode("utf-8", "surrogateescape")
        known |= dict(values(parse(text)))
    whole = re.sub(r"\$error_html_\d+", lambda match: known[match.group(0)], known["body"])
    whole = whole.replace("${error_message}", "%s").replace("${request_id}", "%s")
    assert "$" not in whole.replace("${literal_dollar}", "")
    return whole.replace("${literal_dollar}", "$")


@pytest.mark.parametrize("marks", [0, 1, 2])
@settings(max_examples=25)
@given(parts=st.tuples(TEXT, TEXT, TEXT))
def test_texts_come_out_as_they_were_written(marks: int, parts: tuple[str, ...]) -> None:
    template = "%s".join(parts[: marks + 1])
    assert told(template) == template.replace("%%", "%")
