"""Expressions: their syntax, their meaning, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.routing import route

from compiler.router.candidates import Candidate, candidates
from compiler.router.expression_syntax import (
    CannotDecideError,
    Expression,
    ExpressionError,
    ExpressionSyntaxError,
    Logical,
    Not,
    Predicate,
    parse,
)
from compiler.router.match import match
from compiler.router.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = Request(
    scheme="http",
    host="a.b",
    target="/a/b",
    source="10.0.0.1",
    source_port=5000,
    destination="10.0.0.2",
    port=8000,
)


def made(text: str, **fields: Any) -> list[Candidate]:
    fields = {"strip_path": False, "priority": 0, **fields}
    return candidates([route(expression=text, **fields)], "expressions")


def matches(text: str, asked: Request = PLAIN, **fields: Any) -> bool:
    return match(made(text, **fields), asked) is not None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('http.path ^= "/a"', True),
        ('http.path ^= "/b"', False),
        ('http.path == "/a/b"', True),
        ('http.path == "/a"', False),
        ('http.path =^ "/b"', True),
        ('http.path contains "a/"', True),
        ('http.path ~ "/B|^/a"', True),
        ('http.path ~ "^/a$"', False),
        ('http.path ~ "b$"', True),
        (r'http.path ~ "^/[a-c]/\\w"', True),
        (r'http.path ~ r#"^/[a-c]/\w"#', True),
        ('lower(http.path) ^= "/A"', False),
        ('lower(http.path) ^= "/a"', True),
        ('http.method == "GET"', True),
        ('http.method == "get"', False),
        ('http.host == "A.B"', True),
        ('http.host ^= "a." && http.host ^= "a"', True),
        ('http.host =^ ".b" && http.host == "a.b"', True),
        ('http.host == "c.b" && http.host == "a.b"', False),
        ('http.host == "a.b" && net.dst.port == 8000', True),
        ('http.host == "a.b" && net.port == 8001', False),
        ('net.protocol == "https"', False),
        ('net.protocol != "https"', True),
        ('!(net.protocol == "http")', False),
        ('!(net.protocol == "https" && http.method != "GET")', True),
        ("net.src.ip in 10.0.0.0/8", True),
        ("net.src.ip == 10.0.0.1", True),
        ("net.src.ip != 10.0.0.1", False),
        ("net.src.ip not in 192.168.0.0/16", True),
        ("!(net.src.ip in 10.0.0.0/8)", False),
        ("net.src.ip in fd00::/8", False),
        ("net.src.ip not in fd00::/8", True),
        ("net.src.ip in 10.0.0.0/8 && net.src.ip in 10.0.0.0/24", True),
        ("net.src.ip in 10.0.0.0/8 && net.src.ip not in 10.0.0.0/24", False),
        ("net.src.port == 0x1388 && net.src.port == 5000", True),
        ("net.src.port == 5000 && net.src.port == 5001", False),
        ('tls.sni == "a.b"', False),
        ('http.method == "PUT" || http.method == "GET"', True),
        ('http.method == "PUT" || http.method == "GET" && http.host == "c"', False),
        ('(http.method == "PUT" && http.host == "c") || http.path ^= "/"', True),
    ],
)
def test_what_an_expression_means(text: str, answer: bool) -> None:  # noqa: FBT001
    assert matches(text) is answer


def test_a_server_name_is_asked_for() -> None:
    tls = replace(PLAIN, scheme="https", sni="X.a.b")
    assert matches('tls.sni =^ ".a.b"', tls)
    assert not matches('tls.sni =^ ".a.b"', replace(tls, sni=None))
    # Unlike the field `snis`, plaintext is no way round it.
    assert not matches('tls.sni =^ ".a.b"', replace(tls, scheme="http"))


@pytest.mark.parametrize(
    ("text", "values", "answer"),
    [
        ('http.headers.x_a == "V"', ["V"], True),
        ('http.headers.x_a == "V"', ["v"], False),
        ('lower(http.headers.x_a) == "v"', ["V"], True),
        ('http.headers.x_a == "V"', ["V", "W"], False),
        ('any(http.headers.x_a) == "V"', ["V", "W"], True),
        ('any(lower(http.headers.x_a)) == "v"', ["V", "W"], True),
        ('http.headers.x_a ^= "V"', ["V1", "V2"], True),
        ('http.headers.x_a =^ "1"', ["V1", "V2"], False),
        ('http.headers.x_a contains "."', ["V1.0"], True),
        ('http.headers.x_a contains "."', ["V1"], False),
        ('any(http.headers.x_a) ~ "^V[0-9]$"', ["W", "V2"], True),
        ('http.headers.x_a == "V"', [], False),
        ('any(http.headers.x_a) == "V" && any(http.headers.x_a) == "W"', ["V", "W"], True),
    ],
)
def test_headers(text: str, values: list[str], answer: bool) -> None:  # noqa: FBT001
    asked = replace(PLAIN, headers=tuple(("X-A", value) for value in values))
    assert matches(text, asked) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('tls.sni == "a.b"', True),
        ('tls.sni == "a.c"', False),
        ("net.dst.port == 443", True),
        ('net.dst.port == 444 || net.protocol == "tls"', True),
        ('net.protocol == "udp"', False),
    ],
)
def test_connections(text: str, answer: bool) -> None:  # noqa: FBT001
    asked = Request(scheme="tls", sni="a.b", port=443, source="10.0.0.1", destination="10.0.0.2")
    for protocols in (["tls"], ["tcp", "tls"]):
        assert matches(text, asked, protocols=protocols) is answer
    assert not matches(text, asked, protocols=["udp"])


@pytest.mark.parametrize(
    ("text", "what", "position"),
    [
        ('http.queries.a == "b"', "http.queries.a", 0),
        ('http.path.segments.0 == "b"', "http.path.segments.0", 0),
        ('http.method == "GET" && http.method != "PUT"', "http.method", 24),
        ('!(http.host == "a")', "http.host", 2),
        ('http.host ~ "a"', "http.host", 0),
        ('http.host ^= "a" && http.host =^ "b"', "beginning and an end", 20),
        ('tls.sni != "a"', "tls.sni", 0),
        ("net.dst.port >= 80", "net.dst.port", 0),
        ('http.path ^= "/a" && http.path =^ "b"', "two conditions on the path", 21),
        ('lower(http.path) ~ "a"', "http.path", 0),
        ('http.path ~ "(?=a)"', "looks ahead", 0),
        ('http.host == "a" && http.host == "b" || http.path ^= "/"', "'||' after '&&'", 37),
        (
            " && ".join(f'(http.host == "{n}" || http.path ^= "/{n}")' for n in range(9)),
            "two conditions on the path",
            44,
        ),
        (
            " || ".join(f'http.path ^= "/{number}"' for number in range(300)),
            "more than 256",
            0,
        ),
    ],
)
def test_what_cannot_be_decided(text: str, what: str, position: int) -> None:
    with pytest.raises(CannotDecideError, match=r"at character") as caught:
        made(text)
    assert what in caught.value.reason
    assert caught.value.position == position


@pytest.mark.parametrize(
    "text",
    ['http.path =^ "b"', 'http.path ~ "b"', 'http.path ^= "/a" || http.host == "a.b"'],
)
def test_what_strip_path_would_take_off_has_to_be_known(text: str) -> None:
    assert made(text)
    with pytest.raises(CannotDecideError):
        made(text, strip_path=True)


def test_where_a_match_is_stripped() -> None:
    for text, prefix in (
        ('http.path ~ "^/[a-z]"', "/a"),
        ('http.host == "a.b" || http.path ^= "/a"', None),
        ('http.path == "/a/b"', "/a/b"),
        ('(http.path ^= "/x" || http.path ^= "/a/") && http.method == "GET"', "/a/"),
    ):
        found = match(made(text, strip_path=True), PLAIN)
        assert found is not None
        assert found.path == prefix


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("http.path", 9),
        ("http.path ^= ", 13),
        ("http.path ^= /a", 13),
        ('http.path ^= "/a', 13),
        ('http.path ^= "\\x"', 13),
        ('(http.path ^= "/a"', 18),
        ('http.path ^= "/a")', 17),
        ('http.path ^= "/a" http.host == "b"', 18),
        ('!http.path ^= "/a"', 1),
        ('upper(http.path) ^= "/a"', 0),
        ('http.path not "a"', 14),
        ("net.src.ip in 10.0.0.1/8", 14),
        ("net.src.ip in 10.0.0.1", 0),
        ("net.src.ip == 10.0.0.0/8", 0),
        ('net.src.port == "80"', 0),
        ("http.method == 1", 0),
        ("net.src.port == 09", 16),
        ("(" * 101, 101),
    ],
)
def test_what_is_no_expression(text: str, position: int) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        made(text)
    assert caught.value.position == position


def test_neighbouring_alternatives_become_one_candidate() -> None:
    (one,) = made('(http.method == "GET" || http.method == "PUT") && http.path ^= "/a"')
    assert (one.methods, one.path) == (frozenset({"GET", "PUT"}), "/a")
    assert [c.path for c in made('http.path ^= "/b" || http.path ^= "/a"')] == ["/b", "/a"]
    assert made('net.protocol == "https"', protocols=["http"]) == []


ATOMS = (
    'http.path ^= "/a"',
    'http.path == "/a/b"',
    'http.host == "a.b"',
    'http.host =^ ".b"',
    'http.method == "GET"',
    'net.protocol == "https"',
    'net.protocol != "https"',
    'any(lower(http.headers.x)) == "v"',
    "net.src.ip in 10.0.0.0/8",
    "net.src.ip != 10.0.0.1",
    "net.dst.port == 8000",
)
TEXTS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda x: f"({' '.join(x)})")
        | inner.map(lambda x: f"!({x})")
    ),
    max_leaves=6,
)
REQUESTS = st.builds(
    lambda scheme, method, host, target, headers, source, port: Request(
        scheme=scheme,
        method=method,
        host=host,
        target=target,
        headers=headers,
        source=source,
        source_port=1,
        destination="10.0.0.2",
        port=port,
    ),
    st.sampled_from(["http", "https"]),
    st.sampled_from(["GET", "PUT"]),
    st.sampled_from(["a.b", "c.b", "d"]),
    st.sampled_from(["/", "/a", "/a/b"]),
    st.sampled_from([(), (("X", "V"),)]),
    st.sampled_from(["10.0.0.1", "10.1.0.1", "192.168.0.1", "::1"]),
    st.sampled_from([80, 8000]),
)


def holds(node: Expression, asked: Request) -> bool:
    """Evaluate an expression directly: its predicates by candidates, the rest by Python."""
    if isinstance(node, Predicate):
        return matches(ONE[node.field, node.operator, str(node.value)], asked)
    if isinstance(node, Not):
        return not holds(node.inner, asked)
    left, right = holds(node.left, asked), holds(node.right, asked)
    return (left and right) if node.operator == "&&" else (left or right)


def predicates(texts: Iterable[str]) -> dict[tuple[str, str, str], str]:
    nodes = [(parse(text), text) for text in texts]
    return {
        (node.field, node.operator, str(node.value)): text
        for node, text in nodes
        if isinstance(node, Predicate)
    }


ONE = predicates(ATOMS)


@settings(deadline=None, max_examples=300)
@given(TEXTS, REQUESTS)
def test_candidates_mean_what_the_expression_means(text: str, asked: Request) -> None:
    try:
        found = matches(text, asked)
    except CannotDecideError:
        return
    assert found is holds(parse(text), asked)


@given(st.text(st.sampled_from('abhtp.()!&|=^~"\\r#/ 0x1:'), max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except ExpressionError as error:
        refused_at = error.position
    else:
        assert isinstance(node, Predicate | Logical | Not)
        refused_at = 0
    assert 0 <= refused_at <= len(text)
