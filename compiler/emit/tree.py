"""The blocks and the certificates as the files of the output tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.emit.dhparam import predefined_dhparam
from compiler.emit.environment import environment
from compiler.emit.lua import emit_lua
from compiler.emit.marks import Marker
from compiler.model.layout import (
    COMMON_PART,
    bundle_file,
    certificate_file,
    dhparam_file,
    key_file,
    lists_file,
)
from compiler.model.nginx import OutputFile
from compiler.model.routing import Proxied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2 import Environment

    from compiler.emit.marks import Span
    from compiler.model.access import Trust
    from compiler.model.destinations import TlsPolicy
    from compiler.model.nginx import Main
    from compiler.model.plan import Plan
    from compiler.model.revocation import RevocationLists
    from compiler.model.x509 import Bundle, KeyPair

KEY_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of the output by path, and which of their lines come from which entity."""

    files: dict[str, OutputFile]
    spans: dict[str, list[Span]]


def emit(main: Main, material: Mapping[str, OutputFile]) -> Tree:
    """Render every file of the output but the manifest; *material* is what is finished."""
    files: dict[str, OutputFile] = {}
    spans: dict[str, list[Span]] = {}
    templates = environment()
    for path in _text_files(main):
        text, found = _render(templates, path, main)
        files[path] = OutputFile(text)
        if found:
            spans[path] = found
    if main.lua is not None:
        lua_files, lua_spans = emit_lua(main.lua)
        files |= lua_files
        spans |= lua_spans
    files.update(material)
    return Tree(files=dict(sorted(files.items())), spans=spans)


def _text_files(main: Main) -> list[str]:
    includes: list[str] = [*main.includes, *(() if main.stream is None else main.stream.includes)]
    if main.common is not None:
        includes.append(COMMON_PART)
    return ["nginx.conf", *dict.fromkeys(str(path) for path in includes)]


def _render(templates: Environment, path: str, main: Main) -> tuple[str, list[Span]]:
    marker = Marker()
    text = templates.get_template(f"{path}.j2").render(main=main, marker=marker)
    return marker.strip(text)


def emit_material(plan: Plan) -> dict[str, OutputFile]:
    """Return the files of certificates and keys."""
    return dict(_material(plan))


def _material(plan: Plan) -> Iterator[tuple[str, OutputFile]]:
    for pair in _pairs(plan):
        certificate, key = pair.certificate_digest, pair.key_digest
        yield certificate_file(pair), OutputFile(pair.certificate_text, sha256=certificate)
        for_workers = plan.lua is None or pair.key_name in plan.read_by_workers
        yield key_file(pair), OutputFile(pair.key, KEY_MODE, sha256=key, for_workers=for_workers)
    for bundle in _bundles(plan):
        yield bundle_file(bundle), OutputFile(bundle.text)
    for lists in _revocation_lists(plan):
        yield lists_file(lists), OutputFile(lists.text)
    if plan.dhparam is not None:
        text = plan.dhparam if "-----" in plan.dhparam else predefined_dhparam(plan.dhparam)
        yield dhparam_file(plan.dhparam), OutputFile(text)


def _pairs(plan: Plan) -> Iterator[KeyPair]:
    for group in plan.listen.values():
        yield from group.pairs
    if plan.stream is not None:
        yield from plan.stream.pairs
    for served in plan.sni.certificates:
        yield from served.pairs
    # Thousands of policies may share a few.
    clients = {id(policy.client): policy.client for policy in _policies(plan)}
    yield from (pair for pair in clients.values() if pair is not None)


def _bundles(plan: Plan) -> Iterator[Bundle]:
    bundles = {id(policy.trusted): policy.trusted for policy in _policies(plan)}
    yield from (bundle for bundle in bundles.values() if bundle is not None)
    yield from {id(trust.bundle): trust.bundle for trust in _trusts(plan)}.values()


def _trusts(plan: Plan) -> Iterator[Trust]:
    for found in plan.handshakes:
        if found.trust is not None and plan.names_authorities(found):
            yield found.trust
    for answer in plan.answers:
        yield from (auth.trust for auth in answer.access.authentications)


def _revocation_lists(plan: Plan) -> Iterator[RevocationLists]:
    """Yield lists as they are read: nginx has one file for a server, Lua one for each list."""
    for lists in {id(trust.lists): trust.lists for trust in _trusts(plan)}.values():
        if plan.lua is not None:
            yield from lists.each
        elif lists:
            yield lists


def _policies(plan: Plan) -> Iterator[TlsPolicy]:
    yield from (p for p in (plan.common_tls, plan.common_grpc_tls) if p is not None)
    for answer in plan.answers:
        if isinstance(answer, Proxied) and answer.destination.tls is not None:
            yield answer.destination.tls.policy
    if plan.stream is not None:
        for destination in plan.stream.destinations:
            if destination.tls is not None:
                yield destination.tls.policy
