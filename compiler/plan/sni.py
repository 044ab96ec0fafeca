"""Which certificate each server name gets, by Kong's precedence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.model.sni import ServedCertificate, SniPlan

if TYPE_CHECKING:
    from compiler.model.config import Config
    from compiler.model.x509 import KeyPair

CATCH_ALL = "*"


def plan_sni(config: Config, default: tuple[KeyPair, ...]) -> SniPlan:
    """Return the tables of names; *default* is what everybody else gets (none: nobody has TLS)."""
    if default:
        return names_served(config, default)
    return SniPlan(exact={}, prefix={}, suffix={}, catch_all=None, default=())


def names_served(config: Config, default: tuple[KeyPair, ...]) -> SniPlan:
    """Return the tables of names where there is TLS, also while *default* is yet to be made."""
    tables: dict[str, dict[str, ServedCertificate]] = {"exact": {}, "prefix": {}, "suffix": {}}
    catch_all = None
    for sni in config.entities.snis.values():
        pairs = config.materials.certificates.get(sni.certificate)
        if pairs is None:
            continue
        served = ServedCertificate(
            main=pairs.main,
            alternative=pairs.alternative,
            entity=config.entities.certificates[sni.certificate],
        )
        name = normal_name(sni.name)
        if name == CATCH_ALL:
            catch_all = served
        else:
            tables[_table(name)][name] = served
    return SniPlan(
        exact=dict(sorted(tables["exact"].items())),
        prefix=dict(sorted(tables["prefix"].items())),
        suffix=dict(sorted(tables["suffix"].items())),
        catch_all=catch_all,
        default=default,
    )


def normal_name(name: str) -> str:
    """Return a server name as it is compared: lower case, without a trailing dot."""
    return name.lower().removesuffix(".")


def _table(name: str) -> str:
    if name.startswith("*"):
        return "prefix"
    return "suffix" if name.endswith("*") else "exact"


def lookups(name: str) -> list[tuple[str, str]]:
    """Return what is looked up for a server name, in order, as (rule, key).

    A prefix wildcard stands for the first label of a name of three labels or more, a suffix
    wildcard for the last of two or more (kong/runloop/certificate.lua).
    """
    wanted = normal_name(name)
    found = [("exact", wanted)]
    first, dot, rest = wanted.partition(".")
    if first and dot and rest.partition(".")[2]:
        found.append(("prefix-wildcard", f"*.{rest}"))
    head, dot, last = wanted.rpartition(".")
    if head and dot and last:
        found.append(("suffix-wildcard", f"{head}.*"))
    found.append(("catch-all", CATCH_ALL))
    return found
