"""Drawings of runs for a report: who gave what to whom, as SVG, by scenario and repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..supervisor.views import drawing
from ..supervisor.views.svg import svg

if TYPE_CHECKING:
    from ..evals.scenarios.suite import Suite
    from ..evals.scorecard import Scorecard

MOST = 200
"""Drawings in one report; those of runs that did not succeed come first."""


def graphs(card: Scorecard, suite: Suite) -> dict[tuple[str, int], str]:
    """The recorded plan of each scenario, drawn with what ran; scenarios without one are left out."""
    wanted = sorted(card.measured, key=lambda one: (one.success == "yes", one.scenario, one.repeat))
    found: dict[tuple[str, int], str] = {}
    for one in wanted:
        if len(found) == MOST:
            break
        entries = suite.scenario(one.scenario).entries
        if any(entry.event.type == "planned" and entry.event.path == "" for entry in entries):
            found[one.scenario, one.repeat] = svg(drawing.plan(entries))
    return found
