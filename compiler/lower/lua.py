"""What Lua is told and which directives run it: for the target that has it.

A module of `lua/` has its data here, and its directives in the block where they belong. Directives
call what `lua/init.lua` has loaded: `…_by_lua_file` reads its file in each worker, at some request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.access_data import access_data, asks_lua, asks_responders
from compiler.lower.certificates import (
    certificate_source,
    default_certificates,
    session_directives,
    static_certificates,
)
from compiler.lower.injected import raw
from compiler.model.layout import certificate_file, key_file
from compiler.model.lua import DataFile, DataTable, LuaTest
from compiler.model.nginx import TEMP_PATHS, Section, Simple
from compiler.model.words import Code, Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.lower.certificates import Sessions
    from compiler.model.lua import Json, LuaPlan
    from compiler.model.plan import Plan
    from compiler.model.sni import ServedCertificate

_OWN_LIBRARIES = "$prefix/lua/?.lua;"
_WHERE_LUA_LOOKS = ";"


def lower_lua(plan: Plan) -> tuple[Section, ...]:
    """Return what the http block says of Lua."""
    if plan.lua is None:
        return ()
    own = (
        Simple("lua_package_path", (_package_path(plan.lua),)),
        *_memories(plan),
        Simple("init_by_lua_file", (Literal("lua/init.lua"),)),
    )
    return (
        Section(comment="Lua: data is read once, when nginx starts or reloads", directives=own),
    )


def _memories(plan: Plan) -> tuple[Simple, ...]:
    """Return what workers share.

    That is intermediates, which sessions that are taken up lack, and what responders said.
    """
    found = {}
    if any(asks_lua(answer.access, plan) for answer in plan.answers):
        found["kcompile_intermediates"] = "10m"
    if asks_responders(plan):
        found["kcompile_responders"] = "5m"
    return tuple(
        Simple("lua_shared_dict", (Literal(name), Literal(size))) for name, size in found.items()
    )


def _package_path(lua: LuaPlan) -> Expression:
    others = _WHERE_LUA_LOOKS if lua.package_path is None else lua.package_path
    return Expression(f"{_OWN_LIBRARIES}{others}")


def lower_test(plan: Plan, folder: str) -> LuaTest | None:
    """Return an nginx that reads Lua's data and ends, None without Lua.

    It serves nothing, and what it writes while it runs lies in *folder*.
    """
    if plan.lua is None:
        return None
    temporary = tuple(
        Simple(f"{name}_temp_path", (Literal(f"{folder}/{name}"),)) for name in TEMP_PATHS
    )
    end = Simple("init_worker_by_lua_block", (Code("os.exit(0)"),))
    return LuaTest(
        main=(
            *load_modules(plan),
            Simple("daemon", (False,)),
            Simple("master_process", (False,)),
            Simple("pid", (Literal(f"{folder}/nginx.pid"),)),
            Simple("error_log", (Literal("stderr"), Literal("error"))),
        ),
        http=(
            Section(comment="temporary files", directives=temporary),
            *lower_lua(plan),
            Section(comment="a worker that has begun has all it needs", directives=(end,)),
        ),
    )


def load_modules(plan: Plan) -> tuple[Simple, ...]:
    """Return what loads the Lua module, where it is not in nginx itself."""
    if plan.lua is None:
        return ()
    injected = plan.directives.get("main", ())
    return (
        *(Simple("load_module", (Literal(file),)) for file in plan.lua.modules),
        *(raw(d) for d in injected if d.name == "load_module"),
    )


def lower_data(plan: Plan) -> tuple[DataFile, ...] | None:
    """Return what the modules of `lua/` answer from, None without Lua."""
    if plan.lua is None:
        return None
    return (_certificates(plan), access_data(plan))


def request_certificates(plan: Plan, sessions: Sessions) -> tuple[Simple, ...]:
    """Return the TLS directives of a server of requests: Lua chooses where it can."""
    if plan.lua is None or not plan.sni.certificates:
        return default_certificates(plan, sessions)
    # A file of its own would be read by each worker, and without it clients got the default.
    code = Code('require("kcompile.certificates").serve()')
    chosen = Simple("ssl_certificate_by_lua_block", (code,))
    kept = session_directives(plan, sessions)
    return (*static_certificates(plan.sni.default), *kept, chosen)


def _certificates(plan: Plan) -> DataFile:
    """Return the tables of names in the order in which they are looked up."""
    sni = plan.sni
    others = {} if sni.catch_all is None else {"*": sni.catch_all}
    tables = {"exact": sni.exact, "prefix": sni.prefix, "suffix": sni.suffix, "others": others}
    return DataFile(
        name="certificates", tables=tuple(_names(name, table) for name, table in tables.items())
    )


def _names(name: str, served: Mapping[str, ServedCertificate]) -> DataTable:
    return DataTable(
        name=name,
        rows=tuple((server_name, _files(found)) for server_name, found in served.items()),
        sources=tuple(certificate_source(found) for found in served.values()),
    )


def _files(served: ServedCertificate) -> Json:
    return [[certificate_file(pair), key_file(pair)] for pair in served.pairs]
