"""Routes of connections as tables: Kong's answers, and those of trying one route after another."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stream_cases import CASES, Connection, look_up, stream_route

from compiler.model.settings import Listener
from compiler.model.stream import Closed, StreamAnswer
from compiler.plan.stream_inner import InnerAddresses
from compiler.plan.stream_rules import rules_for
from compiler.plan.stream_tables import TooManyRowsError, make_tables
from compiler.router.priority import in_stream_order

if TYPE_CHECKING:
    from compiler.model.entities import Route


def closed(route: Route) -> StreamAnswer:
    return Closed(route=route)


def decide(routes: list[Route], listener: Listener, asked: Connection) -> str | None:
    """Name the route that the tables of a listener give a connection."""
    rules = rules_for(listener, listener.port, in_stream_order(routes))
    last = rules[-1] if rules and rules[-1].takes_all else None
    found = look_up(make_tables(rules if last is None else rules[:-1], closed), asked)
    if found is not None:
        return found.route.id
    return None if last is None else last.route.id


def listener_of(request: dict[str, Any], *, anywhere: bool) -> Listener:
    local = request["dst_ip"]
    ip = f"[{local}]" if ":" in local else local
    if anywhere:
        ip = "[::]" if ":" in local else "0.0.0.0"  # noqa: S104
    return Listener(ip=ip, port=request["dst_port"], ssl="sni" in request)


def connection_of(request: dict[str, Any]) -> Connection:
    name = request.get("sni")
    return Connection(
        source=request["src_ip"],
        source_port=request["src_port"],
        local=request["dst_ip"],
        # Compared without letter case and trailing dot, which Kong does not.
        name=None if name is None else name.lower().removesuffix("."),
    )


def differs_on_purpose(request: dict[str, Any]) -> bool:
    name = request.get("sni", "")
    return bool(name != name.lower() or name.endswith("."))


@pytest.mark.parametrize("anywhere", [False, True], ids=["one address", "any address"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_kongs_answers(case: dict[str, Any], anywhere: bool) -> None:  # noqa: FBT001
    routes = [stream_route(**fields) for fields in case["routes"]]
    asked = [r for r in case["requests"] if not differs_on_purpose(r)]
    assert asked
    for request in asked:
        listener = listener_of(request, anywhere=anywhere)
        assert decide(routes, listener, connection_of(request)) == request["expect"], request


NAMES = ("a.x.test", "b.x.test", "x.test", "a.y.test", "a.b.x.test", "a.other")
PATTERNS = (*NAMES[:4], "*.x.test", "*.test", "*.b.x.test", "a.*", "a.x.*", "*")
NETWORKS = ("127.0.0.0/8", "127.1.0.0/16", "127.1.1.0/24", "127.1.1.1", "0.0.0.0/0", "::/0")
ADDRESSES = ("127.0.0.1", "127.1.0.1", "127.1.1.1", "127.1.1.2", "192.0.2.1")
PORTS = (1, 2, 3)

ends = st.lists(
    st.fixed_dictionaries(
        {}, optional={"ip": st.sampled_from(NETWORKS), "port": st.sampled_from(PORTS)}
    ).filter(bool),
    max_size=3,
)  # fmt: skip
routes = st.lists(
    st.builds(
        stream_route,
        id=st.uuids().map(str),
        snis=st.lists(st.sampled_from(PATTERNS), max_size=3),
        sources=ends,
        destinations=ends,
    ).filter(lambda route: route.snis or route.sources or route.destinations),
    max_size=6,
    unique_by=lambda route: route.id,
)
connections = st.builds(
    Connection,
    source=st.sampled_from(ADDRESSES),
    source_port=st.sampled_from(PORTS),
    local=st.sampled_from(ADDRESSES),
    name=st.sampled_from((*NAMES, None)),
)


def named(name: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def at(items: tuple[Any, ...], address: str, port: int) -> bool:
    return not items or any(
        ("ip" not in item or ip_address(address) in ip_network(item["ip"]))
        and ("port" not in item or item["port"] == port)
        for item in items
    )


def first_match(ordered: list[Route], listener: Listener, asked: Connection) -> str | None:
    """Try one route after another, as Kong does."""
    for route in ordered:
        names_fit = not route.snis or not listener.ssl or any(
            named(asked.name or "", pattern) for pattern in route.snis
        )  # fmt: skip
        if (
            names_fit
            and at(route.sources, asked.source, asked.source_port)
            and at(route.destinations, asked.local, listener.port)
        ):
            return route.id
    return None


@given(routes, st.lists(connections, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_tables_answer_as_trying_one_after_another(
    found: list[Route],
    asked: list[Connection],
    ssl: bool,  # noqa: FBT001
    anywhere: bool,  # noqa: FBT001
) -> None:
    for each in asked:
        ip = "0.0.0.0" if anywhere else each.local  # noqa: S104
        listener = Listener(ip=ip, port=2, ssl=ssl)
        assert decide(found, listener, each) == first_match(in_stream_order(found), listener, each)


def test_conditions_that_cross_too_often_are_an_error() -> None:
    crossing = [
        stream_route(
            id=f"{number}",
            snis=[f"*.{number}.test", f"{number}.*"],
            sources=[{"ip": f"10.{number}.0.0/16", "port": number}, {"port": number + 1}],
        )
        for number in range(1, 60)
    ]
    rules = rules_for(Listener(ip="127.0.0.1", port=1, ssl=True), 1, crossing)
    with pytest.raises(TooManyRowsError):
        make_tables(rules, closed)


def test_inner_addresses_are_the_gateways_own() -> None:
    def given_to(*listeners: Listener) -> list[str]:
        addresses = InnerAddresses(listeners)
        return [addresses.address(name, udp=False) for name in ("a", "b", "a")]

    one = Listener(ip="0.0.0.0", port=9443, ssl=True)  # noqa: S104
    two = Listener(ip="0.0.0.0", port=9444, ssl=True)  # noqa: S104
    both = Listener(ip="[::]", port=9000, ipv6only=False)
    assert given_to(one) == given_to(one)
    assert len({*given_to(one), *given_to(two), *given_to(one, two)}) == 9
    assert {address.rpartition(":")[2] for address in given_to(one, two)} == {"9443"}
    # A socket for both families takes its port on all addresses of either.
    assert {address.rpartition(":")[2] for address in given_to(both, two)} == {"9444"}
    assert "9000" not in {address.rpartition(":")[2] for address in given_to(both)}
    assert all(address.startswith("127.") for address in given_to(one))
