"""Properties that set the same directive: which of them Kong heeds is seldom what one expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.catalog import settings_rules as rules
from compiler.catalog.properties import PROPERTIES
from compiler.model.diagnostic import Related
from compiler.model.place import Default, Derived, FromEnvironment, place_of

if TYPE_CHECKING:
    from compiler.model.diagnostic import Report
    from compiler.model.place import Origin
    from compiler.resolve.layers import Layer, Layers


def report_shadowed(layers: Layers, report: Report) -> None:
    """Report every text that another property's text for the same directive wins over.

    That the environment wins over the file is no surprise and not reported.
    """
    for known in PROPERTIES.values():
        targets = known.directives or ((known.stands_for,) if known.stands_for else ())
        for target in targets:
            winner, *losers = layers.get(target, ()) or (None,)
            for loser in losers:
                if winner is not None and loser is not None:
                    _check_pair(target, winner, loser, report)


def _check_pair(target: str, winner: Layer, loser: Layer, report: Report) -> None:
    winner_in_file = not isinstance(_written(winner.origin), FromEnvironment)
    loser_in_file = not isinstance(_written(loser.origin), FromEnvironment)
    if winner_in_file == loser_in_file:
        expected = _name(target, winner) == _name(target, loser)
    else:
        expected = loser_in_file
    if expected or winner.text == loser.text or isinstance(_written(loser.origin), Default):
        return
    report.add(
        rules.SETTING_WITHOUT_EFFECT,
        place_of(loser.origin),
        related=[Related("this one is in force", place_of(winner.origin))],
        loser=_label(target, loser),
        scope="" if _name(target, loser) == target else f" on {target}",
        winner=f"{_name(target, winner)} ({_written(winner.origin)})",
        advice="set only one of them",
    )


def _name(target: str, layer: Layer) -> str:
    return layer.origin.setting if isinstance(layer.origin, Derived) else target


def _label(target: str, layer: Layer) -> str:
    """Return the variable or property that the text of *layer* is written for."""
    written = _written(layer.origin)
    return written.variable if isinstance(written, FromEnvironment) else _name(target, layer)


def _written(origin: Origin) -> Origin:
    while isinstance(origin, Derived):
        origin = origin.origin
    return origin
