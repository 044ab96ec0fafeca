"""The answer of `kcompile explain request`, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.cli.explain_policies import policy_lines
from compiler.cli.explain_text import peer_lines, tls_lines, written_at
from compiler.router.upstream import stripped_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compiler.explain.request import RequestAnswer
    from compiler.explain.tried import Tried
    from compiler.model.access import ConsumerLookup

SENT = 200


def request_lines(answer: RequestAnswer) -> list[str]:
    """Return how a request is answered, and why."""
    lines = [_headline(answer)]
    if answer.location is not None:
        lines.append(f"  Location: {answer.location}")
    typed = answer.request.target.partition("?")[0]
    if answer.path not in {None, typed}:
        lines.append(f"  path, as routes compare it: {answer.path}")
    if answer.route is not None:
        lines.append(f"  route: {answer.route.label} ({written_at(answer.route.source, 'name')})")
    lines += [*_clients(answer), *policy_lines(answer.access)]
    if answer.service is not None:
        place = written_at(answer.service.source, "name")
        lines.append(f"  service: {answer.service.label} ({place})")
    if answer.upstream is not None:
        lines += [*peer_lines(answer.upstream), *_sent(answer)]
        lines += [f"  Host: {answer.upstream.destination.host_header}", *tls_lines(answer.upstream)]
    return [*lines, *_tried(answer)]


def _clients(answer: RequestAnswer) -> Iterator[str]:
    """Yield who is let in."""
    for auth in answer.access.authentications:
        plugin = auth.plugin
        authorities = " or ".join(ca.subject for ca in auth.trust.bundle.certificates)
        place = written_at(plugin.source, "name")
        header = plugin.config.get("certificate_header_name")
        where = "" if header is None else f" in the header {header}"
        yield f"  let in: who has a certificate of {authorities}{where} ({plugin.name}, {place})"
        if auth.lookup is not None:
            yield from _known(auth.lookup)
        if auth.anonymous is not None:
            yield f"  anybody else comes in as consumer {auth.anonymous.ref.name}"


def _known(lookup: ConsumerLookup) -> Iterator[str]:
    count = len({match.consumer for match in lookup.matches})
    named = f"one of {count} consumers" if count > 1 else "the consumer" if count else "no consumer"
    others = "" if lookup.default is None else ", or else the default consumer"
    yield f"  and is {named} by a name in it{others}"


def _headline(answer: RequestAnswer) -> str:
    request = answer.request
    what = f"{request.method} {request.scheme}://{request.host or ''}{request.target}"
    if answer.upstream is not None and answer.status == SENT:
        return f"{what} {answer.reason}"
    return f"{what} is answered with {answer.status}: {answer.reason}"


def _sent(answer: RequestAnswer) -> list[str]:
    if answer.uri is None or answer.matched is None:
        return []
    taken = stripped_prefix(answer.matched)
    way = "" if taken in {None, "/"} else f", without {taken}"
    return [f"  path and query: {answer.uri}{way}"]


def _tried(answer: RequestAnswer) -> list[str]:
    if not answer.tried:
        alone = f"no route comes close, {answer.more} ask for another host or path alone"
        return [alone] if answer.more else []
    width = max(len(tried.route.label) for tried in answer.tried)
    lines = ["routes that come close, in the order in which they are tried:"]
    lines += [_verdict(tried, width) for tried in answer.tried]
    return [*lines, f"  and {answer.more} more"] if answer.more else lines


def _verdict(tried: Tried, width: int) -> str:
    return f"  {tried.route.label:<{width}}  {'yes' if tried.matched else 'no'}: {tried.because}"
