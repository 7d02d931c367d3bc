"""The four honest numbers: on what runs, and on what decisions, an answer stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from ..scorecard import Coverage, Measured
from ..statistics.offpolicy import effective_sample_size
from .standing import Standing

LEAST_FIRST: Final = ("unevaluable", "assumed", "exact")
"""As what a replay counts a choice that is weighed: as missed if it can, since it was not made."""


def of_runs(stands: Mapping[str, Standing]) -> Coverage:
    """On what the runs stand; adds up to all of them."""
    return Coverage(ess=_ess(stands), **Counter[str](one.way for one in stands.values()))


def of_decisions(stands: Mapping[str, Standing], after: Mapping[str, Measured]) -> Coverage:
    """On what the handoffs stand; those of a run that broke off up to and with the one at which it did."""
    found: Counter[str] = Counter()
    for name, one in stands.items():
        covered, drawn = after[name].coverage, len(one.draws)
        counts = {way: getattr(covered, way) for way in LEAST_FIRST}
        left = drawn
        for way in LEAST_FIRST:
            moved = min(left, counts[way])
            counts[way] -= moved
            left -= moved
        found.update(counts)
        found["off_policy" if one.way == "off_policy" else "unevaluable"] += drawn
    return Coverage(ess=_ess(stands), **found)


def _ess(stands: Mapping[str, Standing]) -> float | None:
    return effective_sample_size([one.weight for one in stands.values() if one.way == "off_policy"])
