"""Which target a request goes to: algorithms, weights, and everything that can be hashed."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from support.gateway import check, gateway
from support.upstreams import Options, upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from support.client import Response
    from support.engines import Engine
    from support.gateway import Gateway
    from support.upstreams import Upstream

Peers = dict[str, "Upstream"]
Served = tuple["Gateway", Peers]
CONF = "nginx_worker_processes = 1\ntrusted_ips = 127.0.0.1\n"

HASHED: dict[str, dict[str, Any]] = {
    "by-ip": {"hash_on": "ip"},
    "by-header": {"hash_on": "header", "hash_on_header": "X-User"},
    "by-path": {"hash_on": "path"},
    "by-argument": {"hash_on": "query_arg", "hash_on_query_arg": "User-Id"},
    "by-cookie": {"hash_on": "cookie", "hash_on_cookie": "sid", "hash_on_cookie_path": "/some"},
    "header-else-ip": {
        "hash_on": "header", "hash_on_header": "X-User", "hash_fallback": "ip"
    },
    "header-else-argument": {
        "hash_on": "header", "hash_on_header": "X-User",
        "hash_fallback": "query_arg", "hash_fallback_query_arg": "u",
    },
    "header-else-header": {
        "hash_on": "header", "hash_on_header": "X-User",
        "hash_fallback": "header", "hash_fallback_header": "X-Group",
    },
    "argument-else-path": {
        "hash_on": "query_arg", "hash_on_query_arg": "u", "hash_fallback": "path"
    },
    "header-else-cookie": {
        "hash_on": "header", "hash_on_header": "X-User",
        "hash_fallback": "cookie", "hash_on_cookie": "s.i~d",
    },
    "argument-else-cookie": {
        "hash_on": "query_arg", "hash_on_query_arg": "u",
        "hash_fallback": "cookie", "hash_on_cookie": "sid",
    },
    "consumer-else-ip": {"hash_on": "consumer", "hash_fallback": "ip"},
    "by-capture": {
        "hash_on": "uri_capture", "hash_on_uri_capture": "user",
        "hash_fallback": "uri_capture", "hash_fallback_uri_capture": "2",
    },
}  # fmt: skip


def service(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "host": f"{name}.upstream",
        "routes": [{"name": name, "paths": [f"/{name}"]}],
        **fields,
    }


def group(
    name: str, peers: Mapping[str, Upstream], weights: Mapping[str, int], **fields: Any
) -> Any:
    return {
        "name": f"{name}.upstream",
        "host_header": "x.test",
        "targets": [{"target": peers[k].address, "weight": w} for k, w in weights.items()],
        **fields,
    }


@pytest.fixture(scope="module")
def served(engine: Engine, folder: Path) -> Iterator[Served]:
    with contextlib.ExitStack() as stack:
        peers = {name: stack.enter_context(upstream(Options(name=name))) for name in "abcd"}
        equal = dict.fromkeys(peers, 100)
        header = HASHED["by-header"]
        upstreams = [group(name, peers, equal, **fields) for name, fields in HASHED.items()]
        upstreams += [
            group("weighted", peers, {"a": 75, "b": 25, "c": 0}),
            group("least", peers, {"a": 1, "b": 1}, algorithm="least-connections"),
            group("without-d", peers, dict.fromkeys("abc", 100), **header),
            group("hashed-weights", peers, {"a": 30000, "b": 10000, "c": 1, "d": 0}, **header),
            group("hashed-thirds", peers, {"a": 200, "b": 100}, **header),
            group("hashed-by-nothing", peers, equal, algorithm="consistent-hashing"),
            group("twice", peers, {"a": 50, "b": 100}),
        ]
        twice = upstreams[-1]["targets"]
        twice.append({"target": twice[0]["target"].replace("127.0.0.1", "localhost"), "weight": 50})
        services = [service(u["name"].partition(".")[0]) for u in upstreams]
        by_path = next(s for s in services if s["name"] == "by-path")
        by_path["path"] = "/base"
        by_path["routes"].append({"name": "other", "paths": ["/other"]})
        by_capture = next(s for s in services if s["name"] == "by-capture")
        by_capture["routes"] = [
            {"name": "capture", "paths": [r"~/capture/(?<user>[a-z0-9-]+)/x"]},
            {"name": "second", "paths": [r"~/second/(\d+)/([a-z0-9-]+)"]},
            {"name": "nothing", "paths": ["/nothing"]},
        ]
        entities = {"_format_version": "3.0", "services": services, "upstreams": upstreams}
        files = {"kong.conf": CONF, "kong.yml": entities}
        yield stack.enter_context(gateway(engine, folder, files)), peers


def ask(served: Served, path: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = served[0].get("x.test", path, tls=False, headers=named)
    assert response.status == 200
    return response


def target(served: Served, path: str, **headers: str) -> str:
    return str(ask(served, path, **headers).json()["upstream"])


def users(count: int) -> list[str]:
    return [f"user-{number}" for number in range(count)]


def test_shares_follow_the_weights_and_weight_zero_gets_nothing(served: Served) -> None:
    assert Counter(target(served, "/weighted") for _ in range(40)) == {"a": 30, "b": 10}


def test_a_target_that_stands_there_twice_counts_twice(served: Served) -> None:
    shares = Counter(target(served, "/twice") for _ in range(40))
    assert set(shares) == {"a", "b"}
    assert shares["a"] >= 20


def test_least_connections_avoids_the_busy_target(served: Served) -> None:
    _, peers = served
    gate = threading.Event()
    with contextlib.ExitStack() as stack:
        peers["a"].gate = peers["b"].gate = gate
        seen = {name: len(peers[name].requests) for name in "ab"}
        waiting = threading.Thread(target=ask, args=(served, "/least"))
        stack.callback(waiting.join)
        stack.callback(gate.set)
        waiting.start()
        while not (busy := [n for n in "ab" if len(peers[n].requests) > seen[n]]):
            pass
        idle = "b" if busy == ["a"] else "a"
        peers[idle].gate = None
        assert {target(served, "/least") for _ in range(6)} == {idle}
    peers["a"].gate = peers["b"].gate = None


def by_ip(path: str) -> Callable[[Served, str], str]:
    return lambda served, key: target(served, path, X_Real_IP=f"192.0.2.{key.partition('-')[2]}")


def by_header(path: str, name: str = "X_User") -> Callable[[Served, str], str]:
    return lambda served, key: target(served, path, **{name: key})


def by_cookie(path: str, name: str) -> Callable[[Served, str], str]:
    return lambda served, key: target(served, path, Cookie=f"a=b; {name}={key}; c=d")


def by_url(path: str) -> Callable[[Served, str], str]:
    return lambda served, key: target(served, path.format(key))


INPUTS: dict[str, Callable[[Served, str], str]] = {
    "ip": by_ip("/by-ip"),
    "header": by_header("/by-header"),
    "path": by_url("/by-path/{}?x=1"),
    "argument": by_url("/by-argument?a=1&User-Id={}&b=2"),
    "cookie": by_cookie("/by-cookie", "sid"),
    "header before ip": by_header("/header-else-ip"),
    "ip after header": by_ip("/header-else-ip"),
    "argument after header": by_url("/header-else-argument?u={}"),
    "header after header": by_header("/header-else-header", "X_Group"),
    "argument before path": by_url("/argument-else-path?u={}"),
    "path after argument": by_url("/argument-else-path/{}"),
    "header before cookie": by_header("/header-else-cookie"),
    "cookie after header": by_cookie("/header-else-cookie", "s.i~d"),
    "cookie after argument": by_cookie("/argument-else-cookie", "sid"),
    "ip after consumer": by_ip("/consumer-else-ip"),
    "named capture": by_url("/capture/{}/x/y"),
    "second capture": by_url("/second/7/{}"),
}


@pytest.mark.parametrize("case", INPUTS)
def test_one_key_stays_with_one_target_and_keys_spread(served: Served, case: str) -> None:
    choose = INPUTS[case]
    first = {key: choose(served, key) for key in users(40)}
    assert {key: choose(served, key) for key in users(40)} == first
    assert set(first.values()) == set("abcd")


def test_what_comes_first_counts_alone(served: Served) -> None:
    def each(key: str, **fallback: str) -> str:
        return target(served, "/header-else-ip", X_User=key, **fallback)

    for key in users(10):
        assert len({each(key, X_Real_IP=f"192.0.2.{n}") for n in range(8)}) == 1
    found = {target(served, f"/argument-else-path/{n}?u=one") for n in range(12)}
    assert len(found) == 1


def test_requests_without_a_key_go_to_one_target_as_with_kong(served: Served) -> None:
    for path in (
        "/by-header",
        "/by-argument?user-id=1",
        "/hashed-by-nothing",
        "/header-else-header",
        "/nothing",
    ):
        assert len({target(served, path) for _ in range(12)}) == 1, path


def test_an_argument_is_found_by_its_exact_name(served: Served) -> None:
    def choose(query: str) -> str:
        return target(served, f"/by-argument?{query}")

    assert len({choose(f"xUser-Id={n}&user-id={n}&a=User-Id={n}") for n in range(12)}) == 1
    for key in users(10):
        assert choose(f"User-Id={key}&z") == choose(f"a&User-Id={key}&User-Id=other")
    assert choose("User-Id") == choose("User-Id=true")


def test_the_path_that_is_hashed_is_the_one_of_the_request(served: Served) -> None:
    keys = users(40)
    first = [target(served, f"/by-path/{key}") for key in keys]
    assert [target(served, f"/by-path//x/../{key}?q={key}") for key in keys] == first
    assert [target(served, f"/other/{key}") for key in keys] != first
    assert served[1][first[0]].requests[-1]["target"].startswith("/base/")


def test_removing_a_target_moves_only_its_keys(served: Served) -> None:
    moved = 0
    for key in users(120):
        before = target(served, "/by-header", X_User=key)
        after = target(served, "/without-d", X_User=key)
        assert before in (after, "d")
        moved += after != before
    assert moved > 10


@pytest.mark.parametrize(("path", "share"), [("/hashed-weights", 0.75), ("/hashed-thirds", 0.67)])
def test_keys_spread_by_weight_however_large_the_weights(
    served: Served, path: str, share: float
) -> None:
    shares = Counter(target(served, path, X_User=key) for key in users(400))
    assert abs(shares["a"] / 400 - share) < 0.1
    assert shares["b"] > 60
    assert shares["d"] == 0


COOKIES = {
    "/by-cookie": ("sid", "/some"),
    "/header-else-cookie": ("s.i~d", "/"),
    "/argument-else-cookie": ("sid", "/"),
}


@pytest.mark.parametrize("path", COOKIES)
def test_a_client_without_the_cookie_gets_one_and_stays_where_it_was(
    served: Served, path: str
) -> None:
    name, at = COOKIES[path]
    found = set()
    for _ in range(12):
        first = ask(served, path)
        assert [n for n, _ in first.headers].count("Set-Cookie") == 1
        value, _, rest = (first.header("set-cookie") or "").partition("; ")
        assert value.startswith(f"{name}=")
        assert rest == f"Path={at}; Same-Site=Lax; HttpOnly"
        again = ask(served, path, Cookie=value)
        assert again.json()["upstream"] == first.json()["upstream"]
        assert again.header("set-cookie") is None
        found.add(value)
    assert len(found) == 12


def test_no_cookie_is_set_where_something_else_decides(served: Served) -> None:
    assert ask(served, "/header-else-cookie", X_User="me").header("set-cookie") is None
    assert ask(served, "/argument-else-cookie?u=1").header("set-cookie") is None
    assert ask(served, "/by-header").header("set-cookie") is None
    assert served[0].get("x.test", "/none", tls=False).header("set-cookie") is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"hash_on": "consumer"}, "K400"),
        ({**HASHED["by-header"], "hash_fallback": "consumer"}, "K400"),
        ({"hash_on": "consumer", "hash_fallback": "ip"}, "K401"),
        ({"algorithm": "consistent-hashing"}, "K402"),
        # The path is always there: what would come after it is never needed.
        ({"hash_on": "path", "hash_fallback": "consumer"}, None),
        ({"algorithm": "least-connections", "hash_on": "consumer"}, None),
    ],
)
def test_keys_that_nobody_has_are_told_of(
    workdir: Path, fields: dict[str, Any], code: str | None
) -> None:
    targets = [{"target": f"192.0.2.{n}:80"} for n in (1, 2)]
    upstreams = [{"name": "s.upstream", "host_header": "x.test", "targets": targets, **fields}]
    entities = {"_format_version": "3.0", "services": [service("s")], "upstreams": upstreams}
    exit_code, found = check(workdir, {"kong.conf": "admin_listen = off\n", "kong.yml": entities})
    assert {x["code"] for x in found if x["code"].startswith("K40")} == ({code} if code else set())
    assert exit_code == (code == "K400")
