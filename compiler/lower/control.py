"""The servers of the admin, admin_gui and status listeners: what they can truthfully say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.certificates import static_certificates
from compiler.lower.injected import raw
from compiler.lower.servers import lower_listen
from compiler.model.nginx import Location, Server, Simple
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from compiler.model.plan import ListenGroup, Plan

_STATUS = '{"server":{"nginx_version":"$nginx_version","worker_pid":$pid}}'
_NOT_FOUND = '{"message":"Not found","request_id":"$request_id"}'
_SESSION_CACHES = {"admin": "shared:AdminSSL:10m", "status": "shared:StatusSSL:1m"}
_INJECTABLE = frozenset({"admin", "status"})


def lower_control_servers(plan: Plan) -> tuple[Server, ...]:
    """Return a server for each group of listeners that is not the proxy's."""
    return tuple(_server(group, plan) for name, group in plan.listen.items() if name != "proxy")


def _server(group: ListenGroup, plan: Plan) -> Server:
    injected = plan.directives.get(group.name, ()) if group.name in _INJECTABLE else ()
    return Server(
        comment=f"{group.name}_listen",
        listens=tuple(lower_listen(x, plan, is_default=True) for x in group.listeners),
        names=(Literal("_"),),
        directives=(
            *_logs(group, plan),
            Simple("default_type", (Literal("application/json; charset=utf-8"),)),
            *_http2(group, plan),
            *static_certificates(group.pairs),
            *_session_cache(group),
            *(raw(d) for d in injected),
        ),
        locations=(*_status(group), _everything_else()),
    )


def _logs(group: ListenGroup, plan: Plan) -> tuple[Simple, ...]:
    access, error = (
        tuple(Literal(word) for word in plan.logs[f"{group.name}_{kind}_log"].split())
        for kind in ("access", "error")
    )
    return Simple("access_log", access), Simple("error_log", (*error, Literal(plan.log_level)))


def _http2(group: ListenGroup, plan: Plan) -> list[Simple]:
    wanted = plan.features.http2_directive and any(x.http2 for x in group.listeners)
    return [Simple("http2", (True,))] if wanted else []


def _session_cache(group: ListenGroup) -> list[Simple]:
    cache = _SESSION_CACHES.get(group.name)
    return [Simple("ssl_session_cache", (Literal(cache),))] if group.pairs and cache else []


def _status(group: ListenGroup) -> list[Location]:
    if group.name != "status":
        return []
    answer = Simple("return", (200, Expression(_STATUS)))
    return [_location(Literal("="), "/status", "what nginx itself can say", answer)]


def _everything_else() -> Location:
    answer = Simple("return", (404, Expression(_NOT_FOUND)))
    return _location(None, "/", "nothing else is compiled", answer)


def _location(modifier: Literal | None, path: str, comment: str, answer: Simple) -> Location:
    return Location(
        comment=comment,
        modifier=modifier,
        path=Literal(path),
        directives=(answer,),
    )
