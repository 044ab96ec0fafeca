"""Rust's regular expressions as PCRE, tried with Python's `re`, which has what is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.router import path_regex
from compiler.router.regex_width import path_widths
from compiler.router.rust_regex import (
    UnsupportedRegexError,
    is_exact,
    path_pattern,
    path_to_pcre,
    to_pcre,
)


def finds(pattern: str, subject: str) -> bytes | None:
    """Return what the PCRE pattern finds in the bytes of *subject*."""
    found = re.search(to_pcre(pattern).replace(r"\z", r"\Z").encode(), subject.encode())
    return found[0] if found else None


@pytest.mark.parametrize(
    ("rust", "pcre"),
    [
        ("/a|/b", "^/a|/b"),
        ("/a$", r"^/a\z"),
        ("/(?<id>[0-9]+)/(?P<n>x)", "^/([0-9]+)/(x)"),
        ("/api/.*/end", r"^/api/[^\x0a]*/end"),
        ("/[^/]+/x", "^/[^/]+/x"),
        (r"/\d{2,}\w*", "^/[0-9]{2,}[0-9A-Z_a-z]*"),
        ("/(?i)ab-", "^/[Aa][Bb]-"),
        ("/(?i:a)b", "^/(?:[Aa])b"),
        ("/a?+b", "^/(?:a?)+b"),
        ("/é+", "^/(?:é)+"),
        ("/[[a-z]&&[^aeiou]]", "^/[b-df-hj-np-tv-z]"),
        ("/[a-c--b]", "^/[ac]"),
        ("/[a-c~~b-d]", "^/[ad]"),
        ("/[]a-]", r"^/[\-\]a]"),
        ("/[[:alpha:][:^ascii:]]", r"^/(?:[A-Za-z]|[\xc2-\xf4][\x80-\xbf]++)"),
        ("/[é-ë]", r"^/(?:\xc3[\xa9-\xab])"),
        (r"/\x{41}\x42C\u{44}\t", r"^/ABCD\x09"),
        ("/(?x)a b # c", "^/ab"),
        ("/(?U)a+b+?", "^/a+?b+"),
        ("/(?s).", r"^/(?:[\x00-\x7f]|[\xc2-\xf4][\x80-\xbf]++)"),
        (r"/\pL\p{Nd}\PL", r"^/[A-Za-z][0-9](?:[\x00-@\[-`{-\x7f]|[\xc2-\xf4][\x80-\xbf]++)"),
        (r"/a\.b\/\{", r"^/a\.b/\{"),
        ("/[a&&b]", "^/(?!)"),
    ],
)
def test_a_path_as_pcre(rust: str, pcre: str) -> None:
    assert path_to_pcre(rust) == pcre
    re.compile(pcre.replace(r"\z", r"\Z"))


@pytest.mark.parametrize(
    ("rust", "reason"),
    [
        ("(?=a)", "looks ahead"),
        ("(?<!a)", "looks ahead or behind"),
        (r"(a)\1", "back-reference"),
        (r"(?P<n>a)\k<n>", "back-reference"),
        (r"\Qa\E", r"\Q"),
        (r"\K", r"\K"),
        (r"\ba\b{end}", "half a word boundary"),
        ("(?>a)", "kind of group"),
        ("(?R)a", "flag R"),
        ("(?P<n>a)(?P<n>b)", "two groups"),
        ("a{2,1}", "impossible"),
        ("a{b}", "'{'"),
        ("*a", "repeats nothing"),
        ("(a", "never closed"),
        ("a)", "without"),
        ("[a", "never closed"),
        ("[z-a]", "range"),
        ("a\\", "backslash"),
        (r"\x{D800}", "number"),
        (r"\p{Greek}", "property"),
        ("(" * 101 + ")" * 101, "too many groups"),
        ("a{70000}", "'{'|more than"),
        ("[\u0101\u0103\u0105" + "".join(chr(c) for c in range(0x400, 0x600, 2)) + "]", "too many"),
    ],
)
def test_what_is_refused(rust: str, reason: str) -> None:
    with pytest.raises(UnsupportedRegexError) as caught:
        to_pcre(rust)
    assert any(word in caught.value.reason for word in reason.split("|"))


def test_kong_spells_the_names_of_groups_its_own_way() -> None:
    assert path_pattern("/(?<a>x)(?P<b>y)") == "^/(?P<a>x)(?P<b>y)"
    assert path_pattern("/a?<") == "^/a?P<"
    assert path_to_pcre("/(?<a>x)(y)", capture=False) == "^/(?:x)(?:y)"


@pytest.mark.parametrize(
    ("pattern", "subject", "found"),
    [
        ("a$", "a\n", None),
        ("(?m)^b$", "a\nb\nc", "b"),
        ("(?m)^$", "a\n", ""),
        ("x.y", "xéy", "xéy"),
        ("x.y", "x\ny", None),
        ("(.*).", "aé", "aé"),
        ("[^/]{2}/", "éa/", "éa/"),
        ("[^/]{3}/", "éa/", None),
        (".?é", "aé", "aé"),
        (".*é", "éaéa", "éaé"),
        ("(?:.*é)+a", "éaéab", "éaéa"),
        ("(a|.*)b", "éb", "éb"),
        ("[^a]?b", "éb", "éb"),
        ("(?i)É", "é", "é"),
        ("[é-ñ]+", "xêñz", "êñ"),
        ("[^é]", "éa", "a"),
        ("[^b]+?", "é", "é"),
        (".*?", "é", ""),
        (".+.+", "é", None),
        ("(?:.+)(x?.+)", "é", None),
        (r".*\B", "€a", ""),
        ("a.+?b", "aéb", "aéb"),
    ],
)
def test_characters_stay_whole(pattern: str, subject: str, found: str | None) -> None:
    assert finds(pattern, subject) == (None if found is None else found.encode())
    model = path_regex.search(pattern, subject)
    assert (model and model[0]) == found


@pytest.mark.parametrize(
    ("rust", "exact"),
    [("/a.*[^/]", True), (r"/\d", False), (r"/\b", False), ("(?i)a", True), ("(?i)[a-k]", False)],
)
def test_what_is_exact_beyond_ascii(rust: str, exact: bool) -> None:  # noqa: FBT001
    assert is_exact(rust) is exact


@pytest.mark.parametrize(
    ("rust", "widths"),
    [
        ("/abc", (4,)),
        ("/a|/bcd", (2, 4)),
        ("/(a|b)c$", (3,)),
        ("/(a|bc)", (None,)),
        ("/a+", (None,)),
        ("/[a-z]{3}x", (5,)),
        ("/é", (3,)),
        ("/.", (None,)),
        (r"/\d", (None,)),
        ("/[0-9]", (2,)),
        (r"/(?:^|\b)*a?", (None,)),
    ],
)
def test_the_width_of_alternatives(rust: str, widths: tuple[int | None, ...]) -> None:
    assert path_widths(rust) == widths


ATOMS = st.sampled_from(
    ["a", "b", "/", "-", ".", r"\.", "[ab]", "[^b]", r"\d", r"\w", r"\S", "[a-z/]", "$", "^", r"\b"]
)
COUNTS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??"])
PIECES = st.tuples(ATOMS, COUNTS).map(lambda pair: pair[0] + ("" if pair[0] in "^$" else pair[1]))


def grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    many = st.lists(inner, min_size=1, max_size=3)
    return (
        st.tuples(many.map("".join), COUNTS).map(lambda pair: f"({pair[0]}){pair[1]}")
        | many.map(lambda parts: f"(?:{'|'.join(parts)})")
        | many.map("".join)
    )


# Short ones: both engines backtrack, and repetitions of repetitions take them long.
PATTERNS = st.recursive(
    PIECES.filter(lambda piece: not piece.startswith(r"\b") or piece == r"\b"),
    grouped,
    max_leaves=5,
)
SUBJECTS = st.text(st.sampled_from("ab/-.1_ \n"), max_size=6)
# Tables of Unicode are made when they are first asked for.
UNHURRIED = settings(deadline=None)
UTF8_SUBJECTS = st.text(st.sampled_from("ab/é€𝄞\n"), max_size=6)


@UNHURRIED
@given(PATTERNS, SUBJECTS)
def test_ascii_subjects_match_as_they_should(pattern: str, subject: str) -> None:
    reference = re.search(pattern.replace("$", r"\Z"), subject, re.ASCII)
    assert finds(pattern, subject) == (reference[0].encode() if reference else None)


@UNHURRIED
@given(PATTERNS.filter(is_exact), UTF8_SUBJECTS)
def test_other_subjects_match_as_characters(pattern: str, subject: str) -> None:
    reference = re.search(pattern.replace("$", r"\Z"), subject)
    assert finds(pattern, subject) == (reference[0].encode() if reference else None)


@UNHURRIED
@given(PATTERNS, UTF8_SUBJECTS)
def test_the_model_reads_them_as_unicode(pattern: str, subject: str) -> None:
    reference = re.search(pattern.replace("$", r"\Z"), subject)
    model = path_regex.search(pattern, subject)
    assert (model and model[0]) == (reference and reference[0])


@UNHURRIED
@given(PATTERNS, UTF8_SUBJECTS)
def test_widths_are_those_of_matches(pattern: str, subject: str) -> None:
    (width,) = path_widths(pattern)
    found = re.search("^" + pattern.replace("$", r"\Z"), subject)
    assert found is None or width in {None, len(found[0].encode())}
