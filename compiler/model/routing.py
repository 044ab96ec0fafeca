"""Which request gets which answer, by host, path and what else routes ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from compiler.model.access import OPEN
from compiler.model.protocols import GRPC
from compiler.model.values import value

if TYPE_CHECKING:
    from compiler.model.access import Access
    from compiler.model.balancing import Capture
    from compiler.model.destinations import Destination, UpstreamGroup
    from compiler.model.entities import Route, Service


HostKind = Literal["default", "exact", "prefix-wildcard", "suffix-wildcard", "both-wildcards"]


@value(kw_only=True)
class Proxied:
    """A request that a route sends to its service.

    Of `path` (a literal prefix) and `regex` (in nginx's syntax, anchored at the start of the
    path) at most one is set: what of the route matched. `stripped_width` is set where the length
    of what the regex matches is known but not that it stands at the start. `group` is None where
    the destination's peers are not fixed, or there are none. With `may_keep`, what the regex does
    not match is passed on whole, though the route strips. `joins_literally` tells that the
    service's path and what is left of the request's are put together as they are (`path_handling`
    v1). `tls_name` is the name verified over TLS where it is not the destination's own: with
    `preserve_host` that of the host, None for the client's Host. `captures` are those that choose
    the target.
    """

    route: Route
    service: Service
    path: str | None
    regex: str | None = None
    stripped_width: int | None = None
    may_keep: bool = False
    joins_literally: bool = False
    captures: tuple[Capture, ...] = ()
    destination: Destination
    group: UpstreamGroup | None
    tls_name: str | None
    access: Access = OPEN

    @property
    def strips(self) -> bool:
        """Tell whether some of the path is taken away before the request is passed on."""
        return self.route.strip_path and (self.regex is not None or self.path not in (None, "/"))

    @property
    def reaches_nobody(self) -> bool:
        """Tell whether its upstream has no target, so that the gateway answers itself: 503."""
        return not self.destination.peers

    @property
    def client_names_upstream(self) -> bool:
        """Tell whether the name verified over TLS is whatever Host the client sent."""
        return (
            self.route.preserve_host and self.destination.tls is not None and self.tls_name is None
        )


@value(kw_only=True)
class NoService:
    """A request whose route has no service: 503."""

    route: Route
    access: Access = OPEN


Answer = Proxied | NoService


def speaks_grpc(answer: Answer) -> bool:
    """Tell whether all requests that get *answer* are gRPC's."""
    return GRPC.issuperset(answer.route.protocols)


@value(kw_only=True)
class HeaderTest:
    """A header of the request (`_` for `-`), and what one value of it has to be.

    `values` are compared, and `regexes`, in nginx's syntax, find their match anywhere, without
    letter case unless `exact_case` is set. With `every`, all values of a repeated header have to.
    """

    name: str
    values: tuple[str, ...]
    regexes: tuple[str, ...] = ()
    exact_case: bool = False
    every: bool = False


@value(kw_only=True)
class NameTest:
    """A server name of TLS: equal to `text`, or beginning or ending with it."""

    kind: Literal["exact", "prefix", "suffix"]
    text: str


@value(kw_only=True)
class Conditions:
    """What can only be decided when the request is there; empty ones always hold.

    `names` are asked for over TLS alone; `schemes` are `http` or `https`. `path` is a regular
    expression in nginx's syntax that begins at the start of the path, with `path_anywhere` one of
    whose alternatives may begin elsewhere.
    """

    methods: tuple[str, ...] = ()
    headers: tuple[HeaderTest, ...] = ()
    names: tuple[NameTest, ...] = ()
    schemes: tuple[str, ...] = ()
    path: str | None = None
    path_anywhere: bool = False

    @property
    def path_alone(self) -> str | None:
        """Return the regular expression if nothing else has to be decided and it is anchored."""
        alone = Conditions(path=self.path)
        return self.path if self == alone else None

    @property
    def always_hold(self) -> bool:
        """Tell whether there is nothing to decide."""
        return self == _NOTHING


_NOTHING = Conditions()


@value()
class Choice:
    """An answer, and what a request needs for it.

    `inherited` tells that it may match at paths above that of its node, too.
    """

    conditions: Conditions
    answer: Answer
    inherited: bool = False


@value(kw_only=True)
class PathNode:
    """What answers a path and all below it (or, with `exact`, that path alone).

    The first of `choices` whose conditions hold answers; where none does, the search goes on in
    the table that `HostTable.otherwise` names.
    """

    path: str
    exact: bool = False
    choices: tuple[Choice, ...]

    @property
    def answer(self) -> Answer | None:
        """Return what answers every request, None where that has to be decided or nothing does."""
        if self.choices and self.choices[0].conditions.always_hold:
            return self.choices[0].answer
        return None


@value(kw_only=True)
class HostTable:
    """What answers under a host, by path.

    `patterns` holds one pattern, or two to match both; `port` is set where the routes name one.
    `key` names the table. A request that no path of the table answers goes to the table whose
    key is `otherwise`; in the last one (None) no route matches.
    """

    key: str
    kind: HostKind
    patterns: tuple[str, ...]
    port: int | None = None
    nodes: tuple[PathNode, ...]
    otherwise: str | None

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Return all answers."""
        return tuple(choice.answer for node in self.nodes for choice in node.choices)


@value(kw_only=True)
class TracedRequest:
    """A request that the output tells the way of: where it is looked up, and what is sent.

    With `any_host` the HOST in its URL is one that no table is for. `decided` tells that methods
    or headers decide at its path.
    """

    url: str
    any_host: bool
    table: str
    path: str
    decided: bool
    answer: Proxied
    sent: str


@value(kw_only=True)
class HttpsOnly:
    """Tables that are served over HTTPS alone; plain requests to them get *status*."""

    status: int
    keys: tuple[str, ...]
