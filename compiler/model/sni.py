"""Which certificate a server name is answered by."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from compiler.model.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.entities import Certificate
    from compiler.model.x509 import KeyPair


@value(kw_only=True)
class ServedCertificate:
    """A certificate by which a server name is answered, `alternative` of another key type."""

    main: KeyPair
    alternative: KeyPair | None
    entity: Certificate | None = field(compare=False)

    @property
    def pairs(self) -> tuple[KeyPair, ...]:
        """Return one pair, or two of different key types."""
        return (self.main,) if self.alternative is None else (self.main, self.alternative)


@value(kw_only=True, slots=False)
class SniPlan:
    """Kong's choice of a server certificate: exact, prefix, suffix, catch-all, default.

    Keys are lower case and without a trailing dot; wildcards keep their `*`. `default` is what a
    client without SNI gets (several pairs of different key types).
    """

    exact: Mapping[str, ServedCertificate]
    prefix: Mapping[str, ServedCertificate]
    suffix: Mapping[str, ServedCertificate]
    catch_all: ServedCertificate | None
    default: tuple[KeyPair, ...]

    @cached_property
    def certificates(self) -> tuple[ServedCertificate, ...]:
        """Return each certificate once, in the order of the names."""
        served = [*self.exact.values(), *self.prefix.values(), *self.suffix.values()]
        if self.catch_all is not None:
            served.append(self.catch_all)
        return tuple({c.main.certificate_name: c for c in served}.values())
