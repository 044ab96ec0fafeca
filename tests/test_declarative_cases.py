"""Kong's own answers to declarative files: accepted with which defaults, or refused where."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compiler.catalog.plugin_schemas import PLUGIN_SCHEMAS
from compiler.model.diagnostic import Report, Severity
from compiler.model.document import MappingNode, SequenceNode
from compiler.model.inputs import SourceText
from compiler.model.secret import Secret
from compiler.read.documents import read_documents
from compiler.resolve.entities import resolve_entities
from compiler.resolve.hosts import join_host, parse_host

if TYPE_CHECKING:
    from compiler.model.entities import Entities, Entity

CASES = json.loads((Path(__file__).parent / "data" / "declarative_cases.json").read_text())
COMPILED = (
    "services",
    "routes",
    "upstreams",
    "targets",
    "certificates",
    "snis",
    "ca_certificates",
    "plugins",
    "consumers",
    "acls",
)
# Kong has it, but not the edition that answered.
NEWER = {"include_consumer_groups"}
REFERENCES = ("service", "route", "consumer", "upstream", "certificate", "client_certificate")

# What the PEM text holds is judged where it is parsed.
PEM_CASES = {"certificate path", "ca certificate two in one"}
# Accepted here, refused by Kong: {name: …} is wanted as well as a plain name.
DIFFERENT = {"route service as object by name"}


def leaves(table: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    if not isinstance(table, dict):
        return [(path, table)]
    return [leaf for key, value in table.items() for leaf in leaves(value, (*path, key))]


def is_config_case(case: dict[str, Any]) -> bool:
    """Refused, and only for what the config of a plugin holds that is not checked."""
    plugins = case["document"].get("plugins", ()) if isinstance(case["document"], dict) else ()
    if not all(plugin.get("name") not in PLUGIN_SCHEMAS for plugin in plugins):
        return False
    return not case["accepted"] and all(
        path[0] == "plugins" and ("config" in path or "config." in text)
        for path, text in leaves(case["error_table"])
    )


CONFIG_CASES = {case["name"] for case in CASES if is_config_case(case)}
CHECKED = [case for case in CASES if case["name"] not in CONFIG_CASES | PEM_CASES | DIFFERENT]


def resolve(case: dict[str, Any]) -> tuple[Entities, Report, Any]:
    document = case["document"]
    text = document if isinstance(document, str) else json.dumps(document, indent=1)
    report = Report()
    documents = read_documents([SourceText("kong.yml", text.encode())], report)
    entities = resolve_entities(
        documents,
        kong_version=(3, 10, 0, 0),
        router_flavor=case.get("router_flavor", "traditional_compatible"),
        report=report,
    )
    return entities, report, documents[0].root if documents else None


def as_kong_writes(entity: Entity) -> dict[str, Any]:
    """Return *entity* as Kong's answers show it: nothing for what is unset."""
    out: dict[str, Any] = {}
    for field in fields(entity):
        value = getattr(entity, field.name)
        if field.name == "config" and entity.name in PLUGIN_SCHEMAS:  # type: ignore[attr-defined]
            value = {k: v for k, v in value.items() if v not in (None, ()) and k not in NEWER}
        elif field.name in {"source", "written", "config"}:
            continue
        if value in (None, (), {}):
            continue
        if field.name in REFERENCES:
            value = {"id": value}
        out[field.name] = value.reveal() if isinstance(value, Secret) else value
    return json.loads(json.dumps(out))


def expected_entity(kind: str, entity: dict[str, Any]) -> dict[str, Any]:
    checked = kind == "plugins" and entity["name"] in PLUGIN_SCHEMAS
    kept = {
        k: v for k, v in entity.items() if v not in ([], {}, None) and (k != "config" or checked)
    }
    if kind == "targets":
        kept["target"] = join_host(parse_host(kept["target"]), 8000)
    return kept


def test_few_cases_are_left_to_other_stages() -> None:
    assert (len(CASES), len(CONFIG_CASES), len(PEM_CASES), len(DIFFERENT)) == (204, 14, 2, 1)
    assert len(CHECKED) == 187


@pytest.mark.parametrize("case", [c for c in CHECKED if c["accepted"]], ids=lambda c: c["name"])
def test_what_kong_accepts_has_the_same_entities(case: dict[str, Any]) -> None:
    entities, report, _ = resolve(case)
    assert [d.message for d in report if d.severity is Severity.ERROR] == []
    for kind in COMPILED:
        produced = [as_kong_writes(entity) for entity in getattr(entities, kind).values()]
        expected = [expected_entity(kind, e) for e in case["entities"].get(kind, [])]
        if len(expected) == 1 and expected[0]["id"] == "<random>":
            expected[0]["id"] = produced[0]["id"]
        assert sorted(produced, key=lambda e: e["id"]) == sorted(expected, key=lambda e: e["id"])
    others = {k: len(v) for k, v in case["entities"].items() if k not in COMPILED}
    kinds = [entity.kind for entity in entities.uncompiled]
    assert {kind: kinds.count(kind) for kind in kinds} == others


def places_under(node: Any) -> set[tuple[int, int]]:
    """Return the positions of *node* and everything in it."""
    if isinstance(node, MappingNode):
        inner = set(node.keys_at.values()).union(*map(places_under, node.values()))
        return {node.position} | inner
    if isinstance(node, SequenceNode):
        return {node.position, *node.items_at}.union(*map(places_under, node))
    return set()


def accepted_places(root: MappingNode, path: tuple[str, ...], text: str) -> set[tuple[int, int]]:
    """Return where a diagnostic may point: at the field if it is written, else in its entity."""
    node: Any = root
    for depth, key in enumerate(path):
        rest = path[depth + 1 :]
        if isinstance(node, SequenceNode):
            index = int(key) - 1 if key.isdigit() else named(node, key)
            if not rest and not isinstance(node[index], MappingNode):
                return {node.items_at[index]}
            node = node[index]
        elif isinstance(node, MappingNode) and key in node:
            if not rest:
                # Kong reports an unknown protocol at the list, not at the item.
                deeper = places_under(node[key]) if text.startswith("unknown type") else set()
                return {node.keys_at[key]} | deeper
            node = node[key]
        else:
            break
    return places_under(node)


def named(items: SequenceNode, name: str) -> int:
    return next(i for i, item in enumerate(items) if name in (item.get("name"), item.get("id")))


@pytest.mark.parametrize("case", [c for c in CHECKED if not c["accepted"]], ids=lambda c: c["name"])
def test_what_kong_refuses_is_reported_at_the_same_place(case: dict[str, Any]) -> None:
    _, report, root = resolve(case)
    errors = [d for d in report if d.severity is Severity.ERROR]
    assert errors
    if root is None:
        return
    at = {(d.place.line, d.place.column) for d in errors if d.place is not None}
    for path, text in leaves(case["error_table"]):
        assert at & accepted_places(root, path, text), (path, text, [str(d) for d in errors])


@pytest.mark.parametrize("name", sorted(CONFIG_CASES | PEM_CASES | DIFFERENT))
def test_what_other_stages_judge_is_accepted_here(name: str) -> None:
    case = next(case for case in CASES if case["name"] == name)
    _, report, _ = resolve(case)
    assert not report.has_errors
