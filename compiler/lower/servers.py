"""The tables of all hosts to the `server` blocks of the proxy listeners.

Kong has one server, and so has the output unless clients are asked for different certificates at
different names: nginx asks by server. A location is named by the key of its table and the path
behind it: `location api.example.com/orders`. What clients send always begins with a slash, so no
request finds a location but by the key that the maps give it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.bases import Bases
from compiler.lower.clients import handshake_directives, sessions_of
from compiler.lower.dispatch import NO_ROUTE, Dispatcher, go_on
from compiler.lower.keys import EVERY_HOST
from compiler.lower.locations import lower_gate, lower_location
from compiler.lower.lua import request_certificates
from compiler.lower.paths import escaped
from compiler.lower.policies import has_gate
from compiler.lower.server_parts import NOT_FOUND, common_part
from compiler.model.layout import COMMON_PART
from compiler.model.nginx import Location, Server, ServerPart, Simple
from compiler.model.values import value
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compiler.model.access import Handshake
    from compiler.model.nginx import Map, Section
    from compiler.model.plan import ListenGroup, Plan
    from compiler.model.routing import Answer, Choice, HostTable, PathNode
    from compiler.model.settings import Listener
    from compiler.model.words import Word

_EXACT = Literal("=")
_REGEX = Literal("~")
_SHOWN = 3
"""How many authorities a comment names."""

_INCLUDED = (Simple("include", (Literal(COMMON_PART),)),)
_NOTHING = ServerPart(sections=(), locations=())


@value(kw_only=True)
class ProxyServers:
    """The servers of the proxy listeners.

    `common` is what they include, None where there is but one; `maps` choose among locations.
    """

    servers: tuple[Server, ...] = ()
    common: ServerPart | None = None
    maps: tuple[Map, ...] = ()


def lower_proxy_servers(
    plan: Plan, sections: tuple[Section, ...], injected: tuple[Simple, ...]
) -> ProxyServers:
    """Return the servers of the proxy listeners.

    It is one for all hosts; names at which clients are asked for other certificates have one of
    their own. *sections* are directives of each, *injected* stands in each of their locations.
    """
    group = plan.listen.get("proxy")
    if group is None:
        return ProxyServers()
    dispatcher = Dispatcher()
    common = common_part(plan, sections)
    is_one = len(plan.handshakes) < 2
    own = common if is_one else _NOTHING
    servers = _Servers(plan, group, own, injected, dispatcher)
    made = [servers.of_all(next(iter(plan.handshakes), None))]
    made += [servers.of_names(handshake) for handshake in plan.handshakes[1:]]
    return ProxyServers(
        servers=tuple(made), common=None if is_one else common, maps=dispatcher.maps
    )


class _Servers:
    """Makes the servers of the proxy listeners."""

    def __init__(
        self,
        plan: Plan,
        group: ListenGroup,
        own: ServerPart,
        injected: tuple[Simple, ...],
        dispatcher: Dispatcher,
    ) -> None:
        self._plan = plan
        self._listeners = group.listeners
        self._own = own
        self._injected = injected
        self._dispatcher = dispatcher

    def of_all(self, handshake: Handshake | None) -> Server:
        """Return the server of all hosts that have none of their own."""
        names = ("_",) if handshake is None else ("_", *handshake.names)
        comment = "all hosts" if handshake is None else f"all hosts, {_asked(handshake)}"
        if len(self._plan.handshakes) > 1:
            comment = f"all other hosts, {_asked(handshake)}"
            if not all(listener.ssl for listener in self._listeners):
                comment += "; and all hosts over plain HTTP"
        return self._server(comment, self._listeners, names, handshake, is_default=True)

    def of_names(self, handshake: Handshake) -> Server:
        """Return the server of some hosts, over TLS alone."""
        comment = f"hosts {_asked(handshake)}"
        secure = tuple(listener for listener in self._listeners if listener.ssl)
        return self._server(comment, secure, handshake.names, handshake, is_default=False)

    def _server(
        self,
        comment: str,
        listeners: tuple[Listener, ...],
        names: Iterable[str],
        handshake: Handshake | None,
        *,
        is_default: bool,
    ) -> Server:
        plan = self._plan
        # A trusted peer may say that its client came without TLS.
        plain = bool(plan.trusted_ips) or any(not listener.ssl for listener in listeners)
        secure = any(listener.ssl for listener in listeners)
        locations = _Locations(plan, self._injected, self._dispatcher, plain=plain)
        tables = plan.tables
        if handshake is not None:
            tables = tuple(table for table in tables if table.key in handshake.tables)
        routed = tuple(locations.of_tables(tables))
        return Server(
            comment=comment,
            listens=tuple(lower_listen(x, plan, is_default=is_default) for x in listeners),
            names=tuple(Literal(name) for name in names),
            directives=(
                *(request_certificates(plan, sessions_of(handshake, plan)) if secure else ()),
                *(() if handshake is None else handshake_directives(handshake, plan)),
                *(_INCLUDED if self._own is _NOTHING else ()),
            ),
            sections=self._own.sections,
            locations=(
                *routed,
                *locations.of_targets(),
                *locations.of_gated(),
                *locations.of_bases(),
                *self._own.locations,
            ),
        )


def _asked(handshake: Handshake | None) -> str:
    """Say what clients are asked for."""
    if handshake is None or not handshake.asks:
        return "whose clients are asked for no certificate"
    if handshake.trust is None:
        return "whose clients are asked for any certificate"
    names = [certificate.subject for certificate in handshake.trust.bundle.certificates]
    more = len(names) - _SHOWN
    shown = " or ".join(names[:_SHOWN]) + (f" or {more} more" if more > 0 else "")
    return f"whose clients are asked for a certificate of {shown}"


class _Locations:
    """Makes the locations, and collects what those at which something is decided lead to."""

    def __init__(
        self, plan: Plan, injected: tuple[Simple, ...], dispatcher: Dispatcher, *, plain: bool
    ) -> None:
        self.dispatcher = dispatcher
        self._targets, self._gated = dispatcher.collect()
        self._bases = Bases(plan, injected)
        self._plan = plan
        self._injected = injected
        self._plain = plain
        self._sent_away = {key for found in plan.https_only for key in found.keys}

    def of_tables(self, tables: Iterable[HostTable]) -> Iterator[Location]:
        """Yield the locations of every table."""
        for table in tables:
            yield from self._of_table(table)

    def of_targets(self) -> Iterator[Location]:
        """Yield the locations that decisions lead to, by name."""
        for key, answer in sorted(self._targets.items()):
            yield self._answering(answer, Literal(f"{key}/"), None, plain=self._plain)

    def of_gated(self) -> Iterator[Location]:
        """Yield the locations of those who were let in."""
        for name, answer in sorted(self._gated.items()):
            yield self._lowered(answer, Literal(name), None, plain=self._plain, let_in=True)

    def of_bases(self) -> Iterator[Location]:
        """Yield the locations that put services' paths in front of what those above leave."""
        return self._bases.all()

    def _of_table(self, table: HostTable) -> Iterator[Location]:
        if not any(node.path == "/" for node in table.nodes):
            yield from _root(table)
        for node in table.nodes:
            yield self._of_node(table, node, node.path)
            if escaped(node.path) != node.path:
                yield self._of_node(table, node, escaped(node.path))

    def _of_node(self, table: HostTable, node: PathNode, path: str) -> Location:
        name = Literal(f"{table.key}{path}")
        modifier = _EXACT if node.exact else None
        plain = self._plain and table.key not in self._sent_away
        if node.answer is not None:
            return self._answering(node.answer, name, modifier, plain=plain)
        otherwise = NO_ROUTE if table.otherwise is None else table.otherwise
        by_path = [] if node.exact else _by_path_alone(node.choices)
        # What is inside inherits from this location, so it must hold nothing of a service.
        rest = node.choices[len(by_path) :]
        return Location(
            comment=_comment(table, node),
            modifier=modifier,
            path=name,
            locations=tuple(
                self._answering(choice.answer, Literal(f"^[^/]*{regex}"), _REGEX, plain=plain)
                for choice, regex in by_path
            ),
            directives=self.dispatcher.decide(rest, otherwise),
        )

    def _answering(
        self, answer: Answer, path: Literal, modifier: Literal | None, *, plain: bool
    ) -> Location:
        if has_gate(answer, self._plan):
            behind = self.dispatcher.behind_gate(answer)
            return lower_gate(answer, path, self._plan, behind, modifier=modifier, plain=plain)
        return self._lowered(answer, path, modifier, plain=plain, let_in=False)

    def _lowered(
        self, answer: Answer, path: Literal, modifier: Literal | None, *, plain: bool, let_in: bool
    ) -> Location:
        return lower_location(
            answer,
            path,
            self._plan,
            self._injected,
            modifier=modifier,
            plain=plain,
            let_in=let_in,
            base=self._bases.name(answer),
        )


def _by_path_alone(choices: tuple[Choice, ...]) -> list[tuple[Choice, str]]:
    """Return the first choices that need nothing but an anchored match of the path.

    Those of paths above stand in a map that all nodes below share, unless one of the node's own
    comes after them.
    """
    found = []
    for choice in choices:
        regex = choice.conditions.path_alone
        if regex is None:
            break
        found.append((choice, regex))
    while found and found[-1][0].inherited:
        found.pop()
    return found


def _comment(table: HostTable, node: PathNode) -> str:
    routes = ", ".join(dict.fromkeys(choice.answer.route.label for choice in node.choices))
    if node.choices:
        certain = node.choices[-1].conditions.always_hold
        return f"one of the routes {routes}{'' if certain else ', or none'}"
    return "no route" if table.otherwise is None else "no route of this path"


def _root(table: HostTable) -> Iterator[Location]:
    """Yield what answers paths that a table has nothing for, where it is not what all others do."""
    if table.kind == "default":
        yield Location(comment="no route", path=Literal(f"{EVERY_HOST}/"), directives=NOT_FOUND)
    elif table.otherwise != EVERY_HOST and table.otherwise is not None:
        key = Expression(table.otherwise)
        yield Location(
            comment=f"what {table.key} has no path for",
            path=Literal(f"{table.key}/"),
            directives=(go_on(key),),
        )


def lower_listen(listener: Listener, plan: Plan, *, is_default: bool) -> Simple:
    """Return a `listen`; options of the socket stand in the default server alone."""
    words: list[Word] = [Literal(listener.address)]
    if listener.ssl:
        words.append(Literal("ssl"))
    if listener.http2 and not plan.features.http2_directive:
        words.append(Literal("http2"))
    if listener.proxy_protocol:
        words.append(Literal("proxy_protocol"))
    if is_default:
        words += [Literal("default_server"), *_socket_options(listener)]
    return Simple("listen", tuple(words))


def _socket_options(listener: Listener) -> list[Word]:
    found = [Literal(flag) for flag in ("deferred", "bind", "reuseport") if getattr(listener, flag)]
    if listener.backlog is not None:
        found.append(Literal(f"backlog={listener.backlog}"))
    if listener.ipv6only is not None:
        found.append(Literal(f"ipv6only={'on' if listener.ipv6only else 'off'}"))
    if listener.so_keepalive is not None:
        found.append(Literal(f"so_keepalive={listener.so_keepalive}"))
    return list(found)
