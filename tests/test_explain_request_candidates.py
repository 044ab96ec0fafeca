from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.explaining import Gateway


def route(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


def ask(gateway: Gateway, method: str, url: str, *words: str) -> dict[str, Any]:
    return gateway.ask("request", method, url, *words)


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {item["route"]: item["because"] for item in answer["candidates"]}


def test_a_route_is_listed_once_for_the_path_that_comes_closest(gateway: Gateway) -> None:
    routes = [route("several", paths=["/a/long/one", "/a", "/b"], methods=["POST"])]
    gateway.write({"services": [{"name": "s", "host": "10.0.0.1", "routes": routes}]})
    (found,) = ask(gateway, "GET", "http://a.test/a")["candidates"]
    assert (found["path"], found["because"]) == ("/a", "method is GET")
    (found,) = ask(gateway, "GET", "http://a.test/c")["candidates"]
    assert found["because"] == "the path does not begin with /a/long/one or /a or /b"


def test_the_header_that_does_not_hold_is_named(gateway: Gateway) -> None:
    routes = [route("both", headers={"X-A": ["1"], "X-B": ["V2"]})]
    gateway.write({"services": [{"name": "s", "host": "10.0.0.1", "routes": routes}]})
    headers = ("-H", "X-A: 1", "-H", "X-B: 3")
    found = ask(gateway, "GET", "http://a.test/", *headers)
    assert reasons(found) == {"both": 'header x-b is "3", wants "V2"'}


def test_at_most_twenty_candidates_are_listed(gateway: Gateway) -> None:
    near = [route(f"near-{n}", paths=["/near"], methods=[f"X{chr(65 + n)}"]) for n in range(25)]
    routes = [*near, route("winner", paths=["/near"])]
    gateway.write({"services": [{"name": "s", "host": "10.0.0.1", "routes": routes}]})
    answer = ask(gateway, "GET", "http://a.test/near")
    names = [item["route"] for item in answer["candidates"]]
    assert (len(names), names[-1], answer["more_candidates"]) == (20, "winner", 6)
    assert "  and 6 more" in gateway.run("request", "GET", "http://a.test/near").stdout


def test_among_many_only_what_fits_by_itself_is_listed(gateway: Gateway) -> None:
    far = [route(f"far-{n}", paths=[f"/a/long/path/{n}"]) for n in range(19)]
    routes = [*far, route("winner", paths=["/near"])]
    service = {"name": "s", "host": "10.0.0.1", "routes": routes}
    gateway.write({"services": [service]})
    answer = ask(gateway, "GET", "http://a.test/near")
    assert (len(answer["candidates"]), answer["more_candidates"]) == (20, 0)
    assert reasons(answer)["far-3"] == "the path does not begin with /a/long/path/3"
    routes += [route("host", hosts=["a.test"], paths=["/none"]), route("other", hosts=["b.test"])]
    gateway.write({"services": [service]})
    answer = ask(gateway, "GET", "http://a.test/near")
    assert (list(reasons(answer)), answer["more_candidates"]) == (["host", "winner"], 20)
    assert list(reasons(ask(gateway, "GET", "http://c.test/none/x"))) == ["host"]
    text = gateway.run("request", "GET", "http://c.test/x").stdout
    assert "no route comes close, 21 ask for another host or path alone" in text


@pytest.mark.parametrize("flavor", ["traditional_compatible", "traditional", "expressions"])
def test_flavors_have_their_own_order(gateway: Gateway, flavor: str) -> None:
    routes = [
        route("host", hosts=["a.test"], protocols=["http"]),
        route("path-and-method", paths=["/p"], methods=["GET"], protocols=["http"]),
    ]
    service = {"name": "s", "host": "10.0.0.1", "routes": routes}
    gateway.write({"services": [service]}, router_flavor=flavor)
    answer = ask(gateway, "GET", "http://a.test/p")
    # A plain host outweighs everything but in flavor traditional, where more attributes do.
    winner = "path-and-method" if flavor == "traditional" else "host"
    assert answer["route"]["name"] == winner
    over_tls = ask(gateway, "GET", "https://a.test/p")
    if flavor == "expressions":
        assert over_tls["status"] == 404
        assert set(reasons(over_tls).values()) == {"scheme is https, wants http"}
    else:
        assert over_tls["route"]["name"] == winner


def test_expressions_are_tried_like_other_routes(gateway: Gateway) -> None:
    expression = (
        'http.path ^= "/e" && http.headers.x_a == "b" && (http.host == "a.test" ||'
        ' http.host =^ ".b.test")'
    )
    routes = [
        route("expressed", expression=expression, protocols=["http"]),
        route("plain", paths=["/"]),
    ]
    service = {"name": "s", "host": "10.0.0.1", "routes": routes}
    gateway.write({"services": [service]}, router_flavor="expressions")
    assert ask(gateway, "GET", "http://x.b.test/e", "-H", "x-a: b")["route"]["name"] == "expressed"
    found = ask(gateway, "GET", "http://a.test/e", "-H", "X-A: c")
    assert reasons(found)["expressed"] == 'header x-a is "c", wants "b"'
    found = ask(gateway, "GET", "http://c.test/e")
    assert reasons(found)["expressed"] == "host is c.test, wants a.test or *.b.test"
