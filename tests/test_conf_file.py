"""kong.conf and environment files, read as Kong reads them."""

from __future__ import annotations

import pytest

from compiler.model.diagnostic import Report
from compiler.model.inputs import SourceText
from compiler.model.number import lua_number, lua_number_text
from compiler.model.place import Place
from compiler.read.conf_file import read_conf
from compiler.read.environment import parse_env_file


def read(text: str | bytes) -> tuple[dict[str, str], list[str]]:
    data = text if isinstance(text, bytes) else text.encode()
    report = Report()
    conf = read_conf(SourceText("kong.conf", data), report)
    return {e.name: e.text for e in conf.entries.values()}, [d.rule.name for d in report]


def values(text: str) -> dict[str, str]:
    found, reported = read(text)
    assert reported == []
    return found


def env(text: str | bytes) -> tuple[dict[str, str], list[str]]:
    data = text if isinstance(text, bytes) else text.encode()
    report = Report()
    variables = parse_env_file(SourceText("kong.env", data), report)
    return variables, [f"{d.place}:{d.rule.name}" for d in report]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("a = b", "a", "b"),
        ("  a=b  ", "a", "b"),
        ("a = b = c", "a", "b = c"),
        ("a.b-c = d", "a_b_c", "d"),
        ("a b = c", "a_b", "c"),
        ("a = 'b'", "a", "'b'"),
        ("a =", "a", ""),
        ("a = # nothing", "a", ""),
        ("a = b # c", "a", "b"),
        ("a = b#c", "a", "b"),
        (r"a = b\#c", "a", "b#c"),
        (r"a = b\#c # d", "a", "b#c"),
        ("a = b\r", "a", "b"),
        ("ä = b", "__", "b"),
        ("= b", "", "b"),
        ("a = b;c", "a", "b;c"),
    ],
)
def test_line(line: str, name: str, value: str) -> None:
    assert values(line) == {name: value}


@pytest.mark.parametrize("line", ["", "   ", "# a = b", "  ; a = b", "\t#", "\r"])
def test_line_that_says_nothing(line: str) -> None:
    assert values(line) == {}


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("0123", "123"),
        ("0x10", "16"),
        ("1e3", "1000"),
        ("+5", "5"),
        ("1.50", "1.5"),
        ("5432 ", "5432"),
        ("12345678901234567890", "1.2345678901235e+19"),
        ("10 kB", "10"),
        ("0x1p4", "16"),
        ("1_000", "1_000"),
        ("10m", "10m"),
        ("-", "-"),
        ("1.2.3.4", "1.2.3.4"),
        (".5", ".5"),
        ("0123 # kept, for Kong sees the comment first", "0123"),
        ("1e999", "1e999"),
        ("0x" + "f" * 500, "0x" + "f" * 500),
    ],
)
def test_number_is_printed_anew(written: str, printed: str) -> None:
    assert values(f"a = {written}") == {"a": printed}


def test_entry_keeps_what_is_written_and_where() -> None:
    conf = read_conf(SourceText("dir/kong.conf", b"# c\n\n  a = 007\n"), Report())
    entry = conf.entries["a"]
    assert (entry.written, entry.text) == ("007", "7")
    assert entry.place == Place("dir/kong.conf", 3, 3)
    assert conf.file == "dir/kong.conf"


def test_backslash_continues_a_line_over_blanks_and_comments() -> None:
    text = "a = b, \\\n# not this\n\n  c, \\  \n  d\ne = f\n"
    conf = read_conf(SourceText("k", text.encode()), Report())
    assert conf.entries["a"].text == "b,   c,   d"
    assert conf.entries["a"].place == Place("k", 1, 1)
    assert conf.entries["e"].place == Place("k", 6, 1)


def test_unfinished_line_is_lost_and_reported() -> None:
    assert read("a = b\nc = d \\\n") == ({"a": "b"}, ["conf-unfinished-line"])


def test_last_of_two_is_in_force() -> None:
    report = Report()
    conf = read_conf(SourceText("k", b"log-level = a\nb = c\nlog_level = d\n"), report)
    assert list(conf.entries) == ["b", "log_level"]
    assert conf.entries["log_level"].text == "d"
    [diagnostic] = report
    assert diagnostic.rule.name == "conf-duplicate-key"
    assert diagnostic.place == Place("k", 3, 1)
    assert diagnostic.related[0].place == Place("k", 1, 1)


def test_section_hides_the_rest() -> None:
    assert read("a = b\n[x]\nc = d\n") == ({"a": "b"}, ["conf-section"])
    assert values("a = b\n  [x] = d\n") == {"a": "b", "_x_": "d"}


def test_section_without_end_is_an_error() -> None:
    assert read("[x\na = b")[1] == ["conf-section-unclosed"]
    assert read("[]\na = b")[1] == ["conf-section-unclosed"]


def test_line_without_equals_is_reported() -> None:
    assert read("log_level: warn\na = b") == ({"a": "b"}, ["conf-line-without-equals"])


def test_byte_order_mark_spoils_the_first_name() -> None:
    found, reported = read(b"\xef\xbb\xbfa = b\nc = d")
    assert (found, reported) == ({"___a": "b", "c": "d"}, ["conf-byte-order-mark"])


def test_bytes_that_are_no_text_are_errors_with_a_place() -> None:
    report = Report()
    read_conf(SourceText("k", b"a = b\nc = \xff\nd = e\0f\n"), report)
    assert [(d.rule.name, d.place) for d in report] == [
        ("conf-not-utf8", Place("k", 2, 5)),
        ("conf-nul-byte", Place("k", 3, 6)),
    ]
    assert report.has_errors


def test_empty_file() -> None:
    assert values("") == {}


def test_utf16_is_refused() -> None:
    assert "conf-nul-byte" in read("log_level = warn".encode("utf-16"))[1]


@pytest.mark.parametrize("text", [" ", "inf", "nan", "0x", "1e", "e1", "+", "0b1", "1 2", "\u0661"])
def test_no_lua_number(text: str) -> None:
    assert lua_number(text) is None


def test_lua_numbers() -> None:
    assert lua_number(" 5. ") == 5
    assert lua_number("-0x1.8") == -1.5
    assert lua_number_text(1e16) == "1e+16"


def test_env_file() -> None:
    text = "# comment\n\nA=b\nexport C = d\nD=e f # g\nexport E='x'\r\n  F=\nG==\n"
    variables, reported = env(text)
    assert variables == {"A": "b", "D": "e f # g", "E": "'x'", "F": "", "G": "="}
    assert reported == [
        "kong.env:4:1:env-file-bad-line",
        "kong.env:6:1:env-file-quoted-value",
    ]


@pytest.mark.parametrize("line", ["novalue", "=x", "1A=x", "A B=x", "A-B=x", "A: x"])
def test_env_file_bad_line(line: str) -> None:
    assert env(f"\n{line}\n") == ({}, ["kong.env:2:1:env-file-bad-line"])


def test_env_file_last_of_two() -> None:
    assert env("A=1\nA=2") == ({"A": "2"}, ["kong.env:2:1:env-file-duplicate"])


def test_env_file_bytes_that_are_no_text() -> None:
    assert env(b"A=\xff\nB=\0") == (
        {},
        ["kong.env:1:1:env-file-not-utf8", "kong.env:2:1:env-file-not-utf8"],
    )


def test_env_file_byte_order_mark_is_no_part_of_a_name() -> None:
    assert env(b"\xef\xbb\xbfA=b") == ({"A": "b"}, [])


def test_env_file_never_shows_a_value() -> None:
    report = Report()
    parse_env_file(SourceText("e", b"A='hunter2'\nA=hunter2\nhunter2\n"), report)
    assert "hunter2" not in "".join(f"{d.message}{d.hint}" for d in report)
