"""What holds for every input: nothing differs from itself, however it is written down."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.compiling import NOW, certificate, disk, self_signed
from support.compiling import SourceText as Text

from compiler.diff.compare import Difference, Side, compare
from compiler.diff.lines import unified
from compiler.emit.tree import emit, emit_material
from compiler.lower.main import lower
from compiler.model.diagnostic import Report
from compiler.model.inputs import Inputs
from compiler.pipeline import plan_config, resolve_inputs
from compiler.resolve.versions import NEWEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
CA_IDS = tuple(f"33333333-3333-4333-8333-33333333333{n}" for n in range(2))


def side(entities: Any) -> Side:
    report = Report()
    text = json.dumps({"_format_version": "3.0", **entities}).encode()
    inputs = Inputs(
        conf=Text("kong.conf", b"tls_certificate_verify = off\n"),
        environment={},
        entities=(Text("kong.json", text),),
        kong_version=NEWEST_VERSION,
        target="nginx",
        nginx_version=(1, 28, 0),
        allow_uncompiled=frozenset({"key-auth", "cors"}),
        system_ca="ca.crt",
        resolv_conf=None,
        names_at_start=False,
        now=NOW,
        files=disk(),
    )
    config = resolve_inputs(inputs, report)
    assert config is not None, list(report)
    plan = plan_config(config, inputs, self_signed, report)
    return Side(inputs, config, None if plan is None else emit(lower(plan), emit_material(plan)))


def shuffled(value: Any, turn: random.Random, key: str = "") -> Any:
    """Return *value* with its keys, its entities and what Kong takes for sets in another order."""
    if isinstance(value, dict):
        keys = list(value)
        turn.shuffle(keys)
        return {k: shuffled(value[k], turn, k) for k in keys}
    if isinstance(value, list):
        items = [shuffled(item, turn) for item in value]
        if key != "origins":
            turn.shuffle(items)
        return items
    return value


names = st.sampled_from([f"{c}{n}" for c in "abcd" for n in range(3)])
hosts = st.sampled_from(["x.test", "y.test", "*.x.test", "z.*", "Q.test"])
paths = st.sampled_from(["/", "/a", "/a/b", "/c", "/d/"])


def some(items: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, max_size=most, unique=True)


routes = st.fixed_dictionaries(
    {"paths": st.lists(paths, min_size=1, max_size=3, unique=True)},
    optional={
        "hosts": some(hosts),
        "tags": some(st.sampled_from(["t", "u", "v"])),
        "protocols": st.lists(
            st.sampled_from(["http", "https"]), min_size=1, max_size=2, unique=True
        ),
        "preserve_host": st.booleans(),
        "strip_path": st.booleans(),
    },
)
plugins = st.fixed_dictionaries(
    {"name": st.sampled_from(["key-auth", "cors"])},
    optional={"config": st.fixed_dictionaries({"origins": some(st.sampled_from(["a", "b"]))})},
)
services = st.fixed_dictionaries(
    {"host": st.sampled_from(["up.internal", "other.internal", "10.0.0.1"])},
    optional={
        "protocol": st.just("https"),
        "port": st.sampled_from([443, 8443]),
        "tags": some(st.sampled_from(["t", "u"])),
        "routes": st.lists(routes, max_size=3),
        "plugins": st.lists(plugins, max_size=2, unique_by=lambda plugin: plugin["name"]),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    listed = draw(st.lists(st.tuples(names, services), max_size=4, unique_by=lambda item: item[0]))
    made = []
    for name, body in listed:
        routes_of = [
            {"name": f"{name}-{n}", **route} for n, route in enumerate(body.get("routes", []))
        ]
        tls = {"ca_certificates": list(CA_IDS), "tls_verify": True}
        more = tls if body.get("protocol") == "https" and draw(st.booleans()) else {}
        made.append({**body, "name": name, "routes": routes_of, **more})
    cas = [
        {"id": CA_IDS[0], "cert": certificate("ca.crt")},
        {"id": CA_IDS[1], "cert": certificate("old-ca.crt")},
    ]
    snis = draw(some(st.sampled_from(["a.test", "*.b.test", "c.*", "*"])))
    pair = {"cert": certificate("ec.crt"), "key": certificate("ec.key"), "snis": snis}
    consumers = [
        {"username": n, "keyauth_credentials": [{"key": f"k{n}"}]} for n in draw(some(names))
    ]
    return {
        "services": made,
        "ca_certificates": cas,
        "certificates": [pair],
        "consumers": consumers,
    }


def said(difference: Difference) -> list[str]:
    return [*(change.message for change in difference.changes), *(difference.lines or ())]


@SLOW
@given(documents())
def test_nothing_differs_from_itself(document: dict[str, Any]) -> None:
    assert said(compare(side(document), side(document))) == []


@SLOW
@given(documents(), st.integers(0, 2**32))
def test_order_is_no_difference(document: dict[str, Any], seed: int) -> None:
    other = shuffled(document, random.Random(seed))
    assert said(compare(side(document), side(other))) == []


@SLOW
@given(documents(), documents())
def test_both_directions_find_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    there, back = compare(side(one), side(other)), compare(side(other), side(one))
    assert len(there.changes) == len(back.changes)
    assert (there.lines is None) == (back.lines is None)
    assert bool(there) == bool(back)


lines = st.lists(
    st.sampled_from(["a", "b", "c", "}", "", "--", "+x"]) | st.text("xyz", max_size=3), max_size=40
)


@given(lines, lines)
def test_a_diff_says_how_to_make_one_of_the_other(old: list[str], new: list[str]) -> None:
    found = list(unified(old, new, ("OLD", "NEW")))
    assert (found == []) is (old == new)
    assert list(applied(old, found[2:])) == new


def applied(old: list[str], hunks: list[str]) -> Iterator[str]:
    """Do to *old* what a unified diff says, and check what it says of places."""
    place, written = 0, 0
    wanted = 0
    for line in hunks:
        if line.startswith("@@"):
            before, after = (part[1:].split(",") for part in line.split()[1:3])
            # An empty span names the line before it.
            start = int(before[0]) - (before[1:] != ["0"])
            yield from old[place:start]
            written += start - place
            place = start
            wanted = int(after[0]) - (after[1:] != ["0"])
            assert written == wanted
        elif line[:1] == "+":
            written += 1
            yield line[1:]
        else:
            assert old[place] == line[1:]
            place += 1
            if line[:1] == " ":
                written += 1
                yield line[1:]
    yield from old[place:]
