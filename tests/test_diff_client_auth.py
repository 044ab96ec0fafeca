"""What `diff` says when other clients than before are let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.compiling import certificate
from support.diffing import CA_ID, OTHER_CA_ID

if TYPE_CHECKING:
    from support.diffing import Sides

CAS = [
    {"id": CA_ID, "cert": certificate("ca.crt")},
    {"id": OTHER_CA_ID, "cert": certificate("second.crt")},
]


def mtls(*cas: str, **config: Any) -> dict[str, Any]:
    said = {"revocation_check_mode": "SKIP", "skip_consumer_lookup": True, **config}
    return {"name": "mtls-auth", "config": {"ca_certificates": list(cas or (CA_ID,)), **said}}


def side(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    consumers = [{"username": "guest"}]
    return {"ca_certificates": CAS, "consumers": consumers, "services": list(services), **more}


def service(name: str, *routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "url": f"http://{name}.internal", "routes": list(routes), **more}


def route(name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "hosts": [f"{name}.test"], "plugins": list(plugins)}


def told(sides: Sides) -> list[tuple[str, str, str]]:
    return [(c["kind"], c["risk"], c["message"]) for c in sides.document()["changes"]]


@pytest.mark.parametrize(
    ("old", "new", "kind", "risk", "message"),
    [
        ([mtls()], [], "plugin-removed", "weakens", "removed"),
        ([], [mtls()], "plugin-added", "strengthens", "added"),
        ([mtls()], [{**mtls(), "enabled": False}], "plugin-changed", "weakens",
         "enabled true → false"),
        ([mtls()], [mtls(anonymous="guest")], "plugin-changed", "weakens",
         "config.anonymous unset → guest"),
        ([mtls()], [mtls(CA_ID, OTHER_CA_ID)], "plugin-changed", "weakens",
         "config.ca_certificates +CN=Second Root"),
        ([mtls()], [mtls(OTHER_CA_ID)], "plugin-changed", "weakens",
         "config.ca_certificates -CN=Example Root +CN=Second Root"),
        ([mtls(CA_ID, OTHER_CA_ID)], [mtls()], "plugin-changed", "strengthens",
         "config.ca_certificates -CN=Second Root"),
    ],
)  # fmt: skip
def test_a_plugin_of_a_route(
    sides: Sides, old: list[Any], new: list[Any], kind: str, risk: str, message: str
) -> None:
    sides.write(side(service("s", route("r", *old))), side(service("s", route("r", *new))))
    assert told(sides) == [(kind, risk, f"plugin mtls-auth of route r: {message}")]
    (change,) = sides.document()["changes"]
    assert change.keys() == {"kind", "risk", "entity", "before", "after", "message"}
    assert (change["entity"]["type"], change["entity"]["name"]) == ("plugin", "mtls-auth")


def test_the_fields_of_a_change_are_told_to_programs(sides: Sides) -> None:
    new = mtls(CA_ID, OTHER_CA_ID, anonymous="guest")
    sides.write(side(service("s", route("r", mtls()))), side(service("s", route("r", new))))
    change = sides.changes()["plugin-changed"]
    assert change["before"] == {"config.ca_certificates": ["CN=Example Root"],
                                "config.anonymous": None}  # fmt: skip
    assert change["after"] == {"config.ca_certificates": ["CN=Example Root", "CN=Second Root"],
                               "config.anonymous": "guest"}  # fmt: skip


def test_a_plugin_of_its_own_may_weaken_a_route(sides: Sides) -> None:
    lax = mtls(anonymous="guest")
    sides.write(
        side(service("s", route("r")), plugins=[mtls()]),
        side(service("s", route("r", lax)), plugins=[mtls()]),
    )
    changed = sides.changes()["route-client-auth-changed"]
    assert (changed["risk"], changed["entity"]["name"]) == ("weakens", "r")
    assert changed["message"] == (
        "route r: mtls-auth is now that of plugin mtls-auth of route r, was mtls-auth (global): "
        "config.anonymous unset → guest"
    )
    assert (changed["before"], changed["after"]) == (
        {"config.anonymous": None},
        {"config.anonymous": "guest"},
    )


def test_a_plugin_that_says_the_same_as_another_changes_nothing(sides: Sides) -> None:
    sides.write(
        side(service("s", route("r")), plugins=[mtls()]),
        side(service("s", route("r", mtls())), plugins=[mtls()]),
    )
    assert [kind for kind, _, _ in told(sides)] == ["plugin-added"]


@pytest.mark.parametrize("back", [False, True])
def test_a_route_that_moves_from_what_guards_it(sides: Sides, back: bool) -> None:  # noqa: FBT001
    guarded, free = ("guarded", [mtls()]), ("free", [])

    def with_route_in(name: str) -> dict[str, Any]:
        return side(
            *(
                service(n, *([route("r")] if n == name else []), plugins=plugins)
                for n, plugins in (guarded, free)
            )
        )

    names = ("free", "guarded") if back else ("guarded", "free")
    sides.write(*map(with_route_in, names))
    found = {kind: (risk, message) for kind, risk, message in told(sides)}
    assert found.pop("route-changed")[0] == "neutral"
    plugin = "plugin mtls-auth of service guarded"
    assert found == (
        {"route-client-auth-added": (
            "strengthens", f"route r: clients are now asked who they are, by {plugin}")}
        if back
        else {"route-client-auth-removed": (
            "weakens",
            f"route r: clients are no longer asked who they are, as they were by {plugin}")}
    )  # fmt: skip


def test_a_new_way_to_a_service_that_others_guard(sides: Sides) -> None:
    sides.write(
        side(service("s", route("r", mtls()))),
        side(service("s", route("r", mtls()), route("new"), route("too", mtls()))),
    )
    listed = sides.document()["changes"]
    (change,) = (change for change in listed if change["kind"] == "service-open-way-added")
    assert (change["risk"], change["entity"]["name"], change["after"]) == ("weakens", "new", "r")
    assert change["message"] == (
        "route new: leads to its service without the client's certificate that route r asks for"
    )


def test_a_new_way_is_nothing_new_where_anybody_comes_in(sides: Sides) -> None:
    lax = route("r", mtls(anonymous="guest"))
    sides.write(side(service("s", lax)), side(service("s", lax, route("new"))))
    assert [kind for kind, _, _ in told(sides)] == ["route-added"]


def test_what_weakens_is_listed_first(sides: Sides) -> None:
    old = side(service("s", route("a", mtls()), route("b")))
    sides.write(old, side(service("s", route("a"), route("b", mtls()))))
    assert [risk for _, risk, _ in told(sides)] == ["weakens", "strengthens"]
