"""The model of Kong's router: order, conditions and paths."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.routing import route, service

from compiler.model.uri_path import normalize_path
from compiler.router.candidates import candidates
from compiler.router.match import match
from compiler.router.patterns import HostPattern, SniPattern, host_pattern, sni_pattern
from compiler.router.request import Request
from compiler.router.upstream import Outcome, outcome, upstream_host, upstream_uri
from compiler.router.uri import escape, normalized_path, sent_target

if TYPE_CHECKING:
    from compiler.model.entities import Route
    from compiler.router.patterns import Flavor

FLAVORS: list[Flavor] = ["traditional_compatible", "traditional", "expressions"]


def numbered(number: int, **fields: Any) -> Route:
    return route(id=f"{number:08x}-0000-4000-8000-000000000000", name=str(number), **fields)


def names(routes: list[Route], flavor: Flavor = "traditional_compatible") -> list[str | None]:
    return [candidate.route.name for candidate in candidates(routes, flavor)]


def winner(routes: list[Route], request: Request, flavor: Flavor) -> str | None:
    found = match(candidates(routes, flavor), request)
    return found.candidate.route.name if found else None


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ({"paths": ["/a"]}, {"paths": ["/ab"]}),
        ({"paths": ["/abcdef"]}, {"paths": ["~/a"]}),
        ({"paths": ["~/abc"]}, {"paths": ["~/a"], "regex_priority": 1}),
        ({"paths": ["~/abc"], "regex_priority": 9}, {"paths": ["~/a"], "regex_priority": -1}),
        ({"hosts": ["*.a.b"]}, {"paths": ["/a"]}),
        ({"paths": ["/abc"]}, {"hosts": ["a.b"]}),
        ({"hosts": ["a.b", "*.a"]}, {"hosts": ["a.b"]}),
        ({"headers": {"a": ["1"]}}, {"headers": {"a": ["1"], "b": ["1"]}}),
        ({"paths": ["/abc"]}, {"paths": ["/a"], "methods": ["GET"]}),
        # The number of attributes does not come first, until there are four.
        ({"hosts": ["*.b"], "paths": ["/a"]}, {"hosts": ["a.b"]}),
        ({"methods": ["GET"], "paths": ["/a"]}, {"paths": ["~/a"]}),
        (
            {"hosts": ["a.b"]},
            {"hosts": ["*.b"], "paths": ["/a"], "methods": ["GET"], "headers": {"a": ["1"]}},
        ),
        ({"protocols": ["tls"], "sources": [{"port": 1}]}, {"protocols": ["tls"], "snis": ["a.b"]}),
        (
            {"protocols": ["tls"], "snis": ["a.b"]},
            {"protocols": ["tls"], "sources": [{"port": 1}], "destinations": [{"port": 1}]},
        ),
        (
            {"protocols": ["tcp"], "sources": [{"ip": "10.0.0.0/8"}]},
            {"protocols": ["tcp"], "sources": [{"ip": "10.0.0.1"}]},
        ),
        ({}, {}),
        ({"hosts": ["a.b"], "paths": ["~/a"]}, {"expression": 'http.path ^= "/"'}),
        (
            {"expression": 'http.path == "/abc"', "priority": 1},
            {"expression": 'http.path ^= "/"', "priority": 2},
        ),
    ],
)
def test_which_route_is_tried_first(lesser: dict[str, Any], greater: dict[str, Any]) -> None:
    routes = [numbered(1, **lesser), numbered(2, **greater)]
    assert names(routes) == ["2", "1"]


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ({"hosts": ["a.b"], "methods": ["GET"]}, {"hosts": ["*.b"], "headers": {"a": ["1"]}}),
        ({"headers": {"a": ["1"]}}, {"hosts": ["*.b"]}),
        ({"paths": ["~/abc"]}, {"headers": {"a": ["1"]}}),
        ({"methods": ["GET"]}, {"paths": ["/"]}),
        ({"snis": ["a.b"]}, {"methods": ["GET"]}),
        ({"hosts": ["a.b"]}, {"paths": ["/"], "methods": ["GET"]}),
        ({"hosts": ["a.b"]}, {"hosts": ["*.b:80"]}),
        ({"hosts": ["*.b"]}, {"hosts": ["a.b"]}),
        ({"paths": ["/abc"]}, {"paths": ["~/a"]}),
        ({"paths": ["~/a"], "regex_priority": -1}, {"paths": ["~/a"]}),
        ({"paths": ["/a"], "created_at": 2}, {"paths": ["/b"], "created_at": 1}),
        ({"paths": ["/a"]}, {"paths": ["/b"], "created_at": 1}),
        ({"headers": {"host": ["a"]}, "methods": ["GET"]}, {"paths": ["/"]}),
    ],
)
def test_which_is_first_in_flavor_traditional(
    lesser: dict[str, Any], greater: dict[str, Any]
) -> None:
    routes = [numbered(1, **lesser), numbered(2, **greater)]
    assert names(routes, "traditional") == ["2", "1"]


def test_each_path_is_a_candidate_and_parts_have_ids_of_their_own() -> None:
    paths = ["/a", "~/x", "/b", "~/y", "/abc"]
    found = candidates([numbered(1, paths=paths)], "traditional_compatible")
    assert [(c.path, c.regex) for c in found] == [
        (None, "/x"),
        (None, "/y"),
        ("/abc", None),
        ("/a", None),
        ("/b", None),
    ]
    # As Kong names them: by uuid5 of the route's id and the number of the part.
    assert {c.priority.tie for c in found[:2]} == {"6da4e306-38e5-5e6e-8e2d-e56e3b6413a7"}
    assert len({c.priority.tie for c in found}) == 3
    (whole,) = candidates([numbered(1, paths=["/a"])], "traditional_compatible")
    assert whole.priority.tie == whole.route.id
    (none,) = candidates([numbered(1)], "traditional_compatible")
    assert (none.path, none.regex) == (None, None)


ROUTES = st.lists(
    st.builds(
        lambda number, hosts, paths, methods, created: numbered(
            number, hosts=hosts, paths=paths, methods=methods, created_at=created
        ),
        st.integers(0, 4),
        st.lists(st.sampled_from(["a.b", "*.b", "a.*", "a.b:81"]), max_size=2, unique=True),
        st.lists(st.sampled_from(["/", "/a", "/b", "~/a", "~/a|/b"]), max_size=3, unique=True),
        st.lists(st.sampled_from(["GET", "PUT"]), max_size=1),
        st.none() | st.integers(1, 2),
    ),
    max_size=5,
    unique_by=lambda r: r.id,
)


@given(ROUTES, st.randoms(use_true_random=False), st.sampled_from(FLAVORS))
def test_the_order_does_not_depend_on_that_of_the_input(
    routes: list[Route], random: Any, flavor: Flavor
) -> None:
    shuffled = list(routes)
    random.shuffle(shuffled)
    found = candidates(routes, flavor)
    assert found == candidates(shuffled, flavor)
    assert len({c.priority for c in found}) == len(found)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("A.b", HostPattern("exact", "a.b")),
        ("*.b", HostPattern("suffix", ".b")),
        ("a.*", HostPattern("prefix", "a.")),
        ("*", HostPattern("suffix", "")),
        ("a.*:81", HostPattern("prefix", "a.", 81)),
        ("a:b", HostPattern("exact", "a:b")),
    ],
)
def test_patterns_of_hosts(text: str, pattern: HostPattern) -> None:
    assert host_pattern(text) == pattern
    assert pattern.is_plain == (pattern.kind == "exact")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("A.b.", SniPattern("exact", "a.b")),
        ("*.b.", SniPattern("suffix", ".b")),
        ("a.*", SniPattern("prefix", "a.")),
        (".", SniPattern("exact", ".")),
    ],
)
def test_patterns_of_snis(text: str, pattern: SniPattern) -> None:
    assert sni_pattern(text, "traditional_compatible") == pattern


PLAIN = Request(scheme="http", host="a.b", target="/a")
GET = {"methods": ["GET"]}


@pytest.mark.parametrize(
    ("fields", "changes", "answers"),
    [
        # For traditional_compatible and traditional: whether the route matches.
        ({"hosts": ["A.B"]}, {}, (True, True)),
        ({"hosts": ["a.b"]}, {"host": "A.b:8000"}, (True, True)),
        ({"hosts": ["a.b"]}, {"host": None}, (False, False)),
        ({"hosts": ["a.b"]}, {"host": "a.b."}, (False, False)),
        ({"hosts": ["*.b"]}, {"host": "x.y.b"}, (True, True)),
        ({"hosts": ["*.b"]}, {"host": ".b"}, (True, False)),
        ({"hosts": ["a.b:81"]}, {"host": "a.b:81"}, (True, True)),
        ({"hosts": ["a.b:81"]}, {"port": 81}, (True, False)),
        ({"hosts": ["a.b:80"]}, {}, (True, False)),
        ({"hosts": ["*.b:80"]}, {}, (True, True)),
        ({"hosts": ["*.b:81"]}, {"port": 81}, (True, False)),
        ({"hosts": ["a.b:81"]}, {"host": "a.b:82", "port": 81}, (False, False)),
        ({"paths": ["/a"]}, {"target": "/ab?c"}, (True, True)),
        ({"paths": ["/a/"]}, {}, (False, False)),
        ({"paths": ["/a"]}, {"target": "/x/..//%61"}, (True, True)),
        ({"paths": ["/a"]}, {"target": "/a%FF"}, (False, True)),
        ({"methods": ["GET"]}, {"target": "/a%FF"}, (True, True)),
        ({"paths": ["~/x|/a"]}, {"target": "/b/a"}, (True, False)),
        ({"headers": {"X-A": ["V"]}}, {"headers": (("x-a", "v"),)}, (True, True)),
        ({"headers": {"X-A": ["V"]}}, {"headers": (("x_a", "v"),)}, (True, False)),
        ({"headers": {"X_A": ["V"]}}, {"headers": (("x-a", "v"),)}, (True, True)),
        ({"headers": {"a": ["v"]}}, {"headers": (("a", "u"), ("A", "V"))}, (True, True)),
        ({"headers": {"a": ["v"]}}, {"headers": (("a", "u,v"),)}, (False, False)),
        ({"headers": {"a": ["~*^V1$"]}}, {"headers": (("a", "v1"),)}, (True, False)),
        ({"headers": {"a": ["~*v", "x"]}}, {"headers": (("a", "v"),)}, (True, False)),
        ({"headers": {"a": ["É"]}}, {"headers": (("a", "É"),)}, (False, True)),
        ({"headers": {"a": ["é"]}}, {"headers": (("a", "É"),)}, (True, False)),
        ({"snis": ["*.b"], **GET}, {"scheme": "https", "sni": "x.y.B"}, (True, False)),
        ({"snis": ["a.b"], **GET}, {"scheme": "https", "sni": None}, (False, False)),
        ({"snis": ["a.b"], **GET}, {}, (True, True)),
        ({"snis": ["a.b"]}, {}, (True, False)),
        ({"destinations": [{"port": 80}], **GET}, {}, (True, False)),
        ({"sources": [{"ip": "10.0.0.9/8"}], **GET}, {"source": "10.1.1.1"}, (True, False)),
    ],
)
def test_whether_a_route_matches(
    fields: dict[str, Any], changes: dict[str, Any], answers: tuple[bool, bool]
) -> None:
    asked = replace(PLAIN, **changes)
    for flavor, answer in zip(FLAVORS, answers, strict=False):
        assert (winner([numbered(1, **fields)], asked, flavor) is not None) is answer, flavor


def test_plaintext_passes_over_routes_with_snis_in_flavor_traditional() -> None:
    routes = [numbered(1, snis=["a.b"], paths=["/a"]), numbered(2, paths=["/a"])]
    assert winner(routes, PLAIN, "traditional_compatible") == "1"
    assert winner(routes, PLAIN, "traditional") == "2"
    assert winner(routes[:1], PLAIN, "traditional") == "1"


def test_routes_of_the_other_subsystem_are_not_tried() -> None:
    routes = [numbered(1, protocols=["tls"], snis=["a.b"]), numbered(2)]
    tls = Request(scheme="tls", sni="A.b", port=443)
    assert winner(routes, tls, "traditional_compatible") == "1"
    assert winner(routes, replace(tls, sni="b"), "traditional_compatible") is None
    assert winner(routes, PLAIN, "traditional_compatible") == "2"


def test_flavor_expressions_wants_one_of_the_protocols() -> None:
    only = [numbered(1, protocols=["http"], paths=["/"])]
    encrypted = replace(PLAIN, scheme="https")
    assert winner(only, encrypted, "traditional_compatible") == "1"
    assert winner(only, encrypted, "expressions") is None
    redirecting = [numbered(1, protocols=["https"], paths=["/"])]
    assert winner(redirecting, PLAIN, "expressions") == "1"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a%2fb%41%zz", "/a%2FbA%zz"),
        ("//a/./b/../c/", "/a/c/"),
        ("/a/%2e%2e/b/..", "/"),
        ("/../../a", "/a"),
        ("/a?b//c", "/a"),
        ("/%c3%a9", "/é"),
        ("/%ff", "/\udcff"),
    ],
)
def test_paths_are_compared_in_normal_form(target: str, path: str) -> None:
    assert normalized_path(target) == path


@given(st.text(st.sampled_from("/.%2eEfFaé?#\\ "), max_size=12).map(lambda text: "/" + text))
def test_no_normal_form_grows_or_has_empty_segments(target: str) -> None:
    path = normalized_path(target)
    assert path.startswith("/")
    assert "//" not in path
    assert len(path) <= len(target)


SEGMENTS = st.lists(st.sampled_from(["", ".", "..", "a", "b.", "%2F", "é"]), max_size=6)


@given(SEGMENTS)
def test_the_normal_form_is_normal(segments: list[str]) -> None:
    once = normalize_path("/" + "/".join(segments))
    assert normalize_path(once) == once


@given(st.text(max_size=20))
def test_what_is_sent_decodes_to_what_was_escaped(text: str) -> None:
    escaped = escape(text.replace("%", ""))
    assert escaped.isascii()
    assert not set(escaped) & set(' "<>\\^`{|}\n')
    assert escape(escaped) == escaped


def test_the_query_is_sent_as_it_came() -> None:
    assert sent_target("/a b", "/x?y=%41 é") == "/a%20b?y=%41 é"
    assert sent_target("/a", "/x?") == "/a?"
    assert sent_target("/a", "/x") == "/a"


@pytest.mark.parametrize(
    ("base", "path", "target", "v0", "v1"),
    [
        (None, "/r", "/r", "/", "/"),
        ("/base", "/r", "/r", "/base", "/base"),
        ("/base", "/r", "/r/", "/base/", "/base/"),
        ("/base/", "/r", "/r", "/base", "/base/"),
        ("/base/", "/r/", "/r/", "/base/", "/base/"),
        ("/base", "/r", "/rx", "/base/x", "/basex"),
        ("/base/", "/r", "/r/x", "/base/x", "/base/x"),
        ("/base", "/r", "/r..", "/base", "/base"),
        ("/base", "/r", "/r../x", "/base/x", "/basex"),
        ("/base", "~/r[0-9]+", "/r12x/y", "/base/x/y", "/basex/y"),
        ("/base", None, "/r", "/base/r", "/baser"),
    ],
)
def test_joining_paths(base: str | None, path: str | None, target: str, v0: str, v1: str) -> None:
    asked = replace(PLAIN, target=target)
    for handling, wanted in (("v0", v0), ("v1", v1)):
        made = numbered(1, paths=[path] if path else [], methods=["GET"], path_handling=handling)
        for flavor in FLAVORS:
            found = match(candidates([made], flavor), asked)
            assert found is not None
            uri = upstream_uri(found, service(path=base), asked)
            # Only flavor traditional knows v1.
            assert uri == (wanted if flavor == "traditional" else v0), (handling, flavor)


@pytest.mark.parametrize(
    ("fields", "header", "host"),
    [
        ({}, None, "up.test"),
        ({"port": 8080}, None, "up.test:8080"),
        ({"protocol": "https"}, None, "up.test:80"),
        ({"protocol": "https", "port": 443}, None, "up.test"),
        ({"protocol": "tls", "port": 443}, None, "up.test:443"),
        ({"port": 8080}, "h.test:1", "h.test:1"),
    ],
)
def test_the_host_that_is_sent(fields: dict[str, Any], header: str | None, host: str) -> None:
    for preserve, wanted in ((False, host), (True, "A.b:1")):
        made = numbered(1, preserve_host=preserve)
        asked = replace(PLAIN, host="A.b:1")
        found = match(candidates([made], "traditional_compatible"), asked)
        assert found is not None
        assert upstream_host(found, service(**fields), asked, header) == wanted


@pytest.mark.parametrize(
    ("protocols", "scheme", "status", "answer"),
    [
        (["https"], "https", 426, None),
        (["http", "https"], "http", 426, None),
        (["https"], "http", 426, Outcome(426)),
        (["https"], "http", 308, Outcome(308, "https://a.b/a//?c")),
    ],
)
def test_who_has_to_come_over_https(
    protocols: list[str], scheme: Any, status: int, answer: Outcome | None
) -> None:
    made = numbered(1, protocols=protocols, https_redirect_status_code=status)
    asked = replace(PLAIN, scheme=scheme, host="A.b:80", target="/a//?c")
    found = match(candidates([made], "traditional_compatible"), asked)
    assert found is not None
    assert outcome(found, asked) == answer
