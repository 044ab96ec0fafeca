"""Who sets what: the layers of every property, before their texts mean anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.catalog.properties import (
    NOT_PROPERTIES,
    PROPERTIES,
    default_text,
    is_dynamic,
)
from compiler.model.diagnostic import Severity
from compiler.model.place import Default, Derived, FromEnvironment, FromFile, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.catalog.properties_shape import Property
    from compiler.model.diagnostic import Report
    from compiler.model.place import Origin
    from compiler.model.settings import ConfFile

# What Kubernetes and Docker put into the environment of every container next to a service "kong".
_SERVICE_LINK = re.compile(
    r"(?:[a-z0-9_]*_)?(?:service_host|service_port(?:_\w+)?|port(?:_\d+_(?:tcp|udp)(?:_\w+)?)?)\Z"
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One text for a property and where it is written.

    `written` differs from `text` where Kong printed a number anew.
    """

    text: str
    origin: Origin
    written: str

    @classmethod
    def of(cls, text: str, origin: Origin) -> Layer:
        """Make a layer whose text is as it is written."""
        return cls(text, origin, text)


Layers = dict[str, tuple[Layer, ...]]
"""The layers of each property, the one in force first."""


def collect_layers(
    conf: ConfFile | None,
    environment: Mapping[str, str],
    *,
    version: tuple[int, ...],
    report: Report,
) -> Layers:
    """Return the layers of every property that Kong *version* has or that somebody set.

    Environment over file over default; what one property passes on to another comes where
    Kong puts it. Names that Kong does not know are reported and left out.
    """
    in_file = _file_layers(conf, version, report)
    in_environment = _environment_layers(environment, version, report)
    line = (version[0], version[1])
    table = {name: p for name, p in PROPERTIES.items() if p.exists_in(line)}
    names = dict.fromkeys((*table, *in_file, *in_environment))
    layers: Layers = {}
    for name in names:
        text = default_text(name, version) if name in table else None
        own = (in_environment.get(name), in_file.get(name))
        default = () if text is None else (Layer.of(text, Default()),)
        layers[name] = (*(layer for layer in own if layer is not None), *default)
    for known in table.values():
        _pass_on(known, layers)
    return layers


def _pass_on(known: Property, layers: Layers) -> None:
    """Add the layers of a property to the ones that take its value.

    The text in the file of `ssl_protocols` goes over that of `nginx_http_ssl_protocols`; its
    text in the environment goes under both, and so does that of every other name for a thing.
    """
    passed = [_derived(known.name, layer) for layer in layers[known.name]]
    targets = known.directives or ((known.stands_for,) if known.stands_for else ())
    for target in targets:
        own = layers.get(target, ())
        environment = [layer for layer in own if isinstance(layer.origin, FromEnvironment)]
        file = [layer for layer in own if isinstance(layer.origin, FromFile)]
        default = [layer for layer in own if isinstance(layer.origin, Default)]
        from_file = [layer for layer in passed if _source(layer) is FromFile]
        from_environment = [layer for layer in passed if _source(layer) is FromEnvironment]
        from_default = [layer for layer in passed if _source(layer) is Default]
        if known.directives:
            ordered = (*environment, *from_file, *file, *from_environment, *from_default, *default)
        else:
            # Of the two texts for another name, the one in force is the one passed on.
            ordered = (*environment, *file, *from_environment, *from_file, *default)
        layers[target] = ordered


def _derived(name: str, layer: Layer) -> Layer:
    return Layer(layer.text, Derived(name, layer.origin), layer.written)


def _source(layer: Layer) -> type[Origin]:
    """Return what kind of place a derived layer's text is written in."""
    origin = layer.origin
    while isinstance(origin, Derived):
        origin = origin.origin
    return type(origin)


def _file_layers(
    conf: ConfFile | None, version: tuple[int, ...], report: Report
) -> dict[str, Layer]:
    layers = {}
    for entry in conf.entries.values() if conf else ():
        if _is_known(entry.name, entry.name, entry.place, version, report):
            layers[entry.name] = Layer(entry.text, FromFile(entry.place), entry.written)
    return layers


def _environment_layers(
    environment: Mapping[str, str], version: tuple[int, ...], report: Report
) -> dict[str, Layer]:
    layers = {}
    for variable, text in sorted(environment.items()):
        name = variable[5:].lower()
        if not name or variable[:5].lower() != "kong_" or not variable.isascii():
            continue
        spelling = f"KONG_{name.upper()}"
        place = Place(variable=variable)
        if name in NOT_PROPERTIES or _SERVICE_LINK.match(name):
            continue
        if variable != spelling:
            _check_spelling(variable, spelling, environment, report)
        elif not _is_text(text):
            report.add(rules.VALUE_NOT_TEXT, place, variable=variable)
        elif _is_known(name, variable, place, version, report):
            layers[name] = Layer.of(text, FromEnvironment(variable))
    return layers


def _check_spelling(
    variable: str, spelling: str, environment: Mapping[str, str], report: Report
) -> None:
    """Report a variable that is not in upper case; some of them Kong does not start with."""
    fatal = is_dynamic(spelling[5:].lower()) and spelling not in environment
    effect = "does not start with it" if fatal else "ignores it"
    report.add(
        rules.VARIABLE_NOT_UPPER_CASE,
        Place(variable=variable),
        severity=Severity.ERROR if fatal else None,
        variable=variable,
        spelling=spelling,
        effect=effect,
    )


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_known(
    name: str, shown: str, place: Place, version: tuple[int, ...], report: Report
) -> bool:
    """Tell whether Kong *version* has property *name*; report it if not."""
    known = PROPERTIES.get(name)
    if known is None and is_dynamic(name):
        return True
    if known is None:
        report.add(rules.UNKNOWN_PROPERTY, place, name=shown, advice=_advice(name))
        return False
    if known.exists_in((version[0], version[1])):
        return True
    report.add(
        rules.PROPERTY_NOT_IN_VERSION,
        place,
        name=name,
        version=".".join(str(part) for part in version),
        span=_span(known),
    )
    return False


def _advice(name: str) -> str:
    near = get_close_matches(name.lower(), PROPERTIES, n=1, cutoff=0.7)
    if near and near[0] == name.lower():
        return f"write it in lower case: {near[0]}"
    if near:
        return f"did you mean {near[0]}?"
    if name.startswith("nginx_"):
        return "write nginx_<block>_<directive>, with a block such as main, http, proxy or stream"
    return "remove it, or correct its name"


def _span(known: Property) -> str:
    if known.until is None:
        return f"from {known.since[0]}.{known.since[1]} on"
    return f"before {known.until[0]}.{known.until[1]}"
