"""Kong's choice of a server certificate as a chain of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.lower.maps import map_key
from compiler.model.layout import certificate_file, key_file
from compiler.model.nginx import Map, Simple, Source
from compiler.model.values import value
from compiler.model.words import Expression, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.plan import Plan
    from compiler.model.sni import ServedCertificate, SniPlan
    from compiler.model.words import Word
    from compiler.model.x509 import KeyPair


@value()
class Sessions:
    """Where TLS sessions are kept: in a memory of that name, and by clients in tickets."""

    memory: str | None
    tickets: bool = True


SESSIONS = Sessions("SSL")
"""Those of requests, unless their clients are asked for a certificate."""


def default_certificates(plan: Plan, sessions: Sessions = SESSIONS) -> tuple[Simple, ...]:
    """Return the TLS directives of the default server, whose context all others share."""
    found = [*session_directives(plan, sessions)]
    if not plan.sni.certificates:
        return (*static_certificates(plan.sni.default), *found)
    found += _variable(Expression("$certificate"))
    if _has_second(plan.sni):
        found += _variable(Expression("$second_certificate"))
    if plan.features.certificate_cache:
        words = (Literal("max=1000"), Literal("valid=1h"), Literal("inactive=10m"))
        found.append(Simple("ssl_certificate_cache", words))
    return tuple(found)


def session_directives(plan: Plan, sessions: Sessions) -> tuple[Simple, ...]:
    """Return what is said of TLS sessions; `ssl_session_tickets` otherwise stands in http."""
    memory = sessions.memory
    cache = False if memory is None else Literal(f"shared:{memory}:{plan.session_cache_size}")
    tickets = () if sessions.tickets else (Simple("ssl_session_tickets", (False,)),)
    return (Simple("ssl_session_cache", (cache,)), *tickets)


def _variable(name: Expression) -> list[Simple]:
    return [
        Simple("ssl_certificate", (Expression(f"tls/certs/{name}.pem"),)),
        Simple("ssl_certificate_key", (Expression(f"tls/keys/{name}_key.pem"),)),
    ]


def static_certificates(pairs: tuple[KeyPair, ...]) -> tuple[Simple, ...]:
    """Return the directives for pairs that no server name changes."""
    return tuple(
        directive
        for pair in pairs
        for directive in (
            Simple("ssl_certificate", (Literal(certificate_file(pair)),)),
            Simple("ssl_certificate_key", (Literal(key_file(pair)),)),
        )
    )


def lower_sni(plan: Plan) -> tuple[Map, ...]:
    """Return the maps from a client's server name to files; none without SNIs."""
    sni = plan.sni
    if not sni.certificates:
        return ()
    maps = [*_names(sni), _keys("$certificate", _pairs(sni, second=False))]
    if _has_second(sni):
        maps.append(_second(sni))
        maps.append(_keys("$second_certificate", _pairs(sni, second=True)))
    return tuple(maps)


def _names(sni: SniPlan) -> list[Map]:
    """Return the chain: exact name, first label, last label, any name, default."""
    rows = (
        ("the name itself", "$server_name_sent", "$certificate", "$certificate_by_first_label",
         sni.exact),
        ("one label under a wildcard: a.b.c is looked up as *.b.c", "$first_label_as_wildcard",
         "$certificate_by_first_label", "$certificate_by_last_label", sni.prefix),
        ("any last label: a.b.c is looked up as a.b.*", "$last_label_as_wildcard",
         "$certificate_by_last_label", "$certificate_of_others", sni.suffix),
    )  # fmt: skip
    return [*_labels(), *(_table(*row) for row in rows), _others(sni)]


def _labels() -> list[Map]:
    name = Expression("$server_name_sent")
    return [
        Map(
            why="the server name (SNI) that the client sent, without a trailing dot",
            source=Expression("$ssl_server_name"),
            variable="$server_name_sent",
            default=Expression("$ssl_server_name"),
            entries=((Literal(r"~^(?<name_sent>.+)\.$"), Expression("$name_sent")),),
        ),
        Map(
            why="its first label as *, where it has three labels or more",
            source=name,
            variable="$first_label_as_wildcard",
            default=None,
            entries=((Literal(r"~^[^.]+(?<other_labels>\.[^.]+\..+)$"),
                      Expression("*$other_labels")),),
        ),
        Map(
            why="its last label as *, where it has two labels or more",
            source=name,
            variable="$last_label_as_wildcard",
            default=None,
            entries=((Literal(r"~^(?<first_labels>.+\.)[^.]+$"), Expression("$first_labels*")),),
        ),
    ]  # fmt: skip


def _table(
    why: str, source: str, variable: str, otherwise: str, served: Mapping[str, ServedCertificate]
) -> Map:
    return Map(
        why=why,
        source=Expression(source),
        variable=variable,
        default=Expression(otherwise),
        entries=tuple(
            (Literal(map_key(name)), Literal(found.main.certificate_name))
            for name, found in served.items()
        ),
        sources=tuple(certificate_source(found) for found in served.values()),
    )


def _others(sni: SniPlan) -> Map:
    default = Literal(sni.default[0].certificate_name)
    catch_all: Word = default
    if sni.catch_all is not None:
        catch_all = Literal(sni.catch_all.main.certificate_name)
    return Map(
        why="every other name; a client without SNI gets the default certificate",
        source=Expression("$ssl_server_name"),
        variable="$certificate_of_others",
        default=catch_all,
        entries=((Literal(""), default),),
    )


def _keys(variable: str, pairs: dict[str, tuple[KeyPair, Source | None]]) -> Map:
    """Return the map from a certificate's file to its key's."""
    return Map(
        why="the private key of each certificate",
        source=Expression(variable),
        variable=f"{variable}_key",
        default=None,
        entries=tuple(
            (Literal(map_key(name)), Literal(pair.key_name)) for name, (pair, _) in pairs.items()
        ),
        sources=tuple(source for _, source in pairs.values()),
    )


def _second(sni: SniPlan) -> Map:
    """Return the map to the certificate of the other key type, where there is one."""
    entries = {}
    for served in sni.certificates:
        if served.alternative is not None:
            entries[served.main.certificate_name] = served.alternative.certificate_name
    if len(sni.default) > 1:
        entries[sni.default[0].certificate_name] = sni.default[1].certificate_name
    return Map(
        why="the second certificate, of the other key type (RSA, EC), where there is one",
        source=Expression("$certificate"),
        variable="$second_certificate",
        default=Expression("$certificate"),
        entries=tuple((Literal(map_key(k)), Literal(v)) for k, v in sorted(entries.items())),
    )


def _pairs(sni: SniPlan, *, second: bool) -> dict[str, tuple[KeyPair, Source | None]]:
    """Return each pair that may be served, by the name of its certificate's file."""
    found: dict[str, tuple[KeyPair, Source | None]] = {}
    for served in sni.certificates:
        found[served.main.certificate_name] = (served.main, certificate_source(served))
        if second and served.alternative is not None:
            found[served.alternative.certificate_name] = (
                served.alternative,
                certificate_source(served),
            )
    for pair in sni.default if second else sni.default[:1]:
        found[pair.certificate_name] = (pair, None)
    return dict(sorted(found.items()))


def _has_second(sni: SniPlan) -> bool:
    return len(sni.default) > 1 or any(c.alternative is not None for c in sni.certificates)


def certificate_source(served: ServedCertificate) -> Source | None:
    """Return what lines about a certificate come from."""
    entity = served.entity
    return None if entity is None else Source("certificate", entity.id, None, entity.source)
