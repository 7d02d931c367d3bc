"""The figures of each run before and after a change, on whatever the run stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from ..scorecard import Measured, Unknown
from ..statistics.offpolicy import Logged
from ..suites.comparing import READINGS
from .standing import Standing, Way
from .weighing import Means, Reward, records, values

HIDDEN: Final[Mapping[Unknown, tuple[str, ...]]] = {
    "usd": ("usd", "usd_uncached"),
    "usage": ("calls", "tokens"),
    "seconds": ("seconds",),
}
"""Which figures nobody knows where so much is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One metric, by scenario; a scenario that is missing has none."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    """Of weighed runs the doubly robust values, of which only the mean says anything."""
    log: tuple[Logged, ...] = ()
    """The runs that were weighed."""
    recorded: float = 0.0
    """Their mean before; 0 without any."""


def figures(
    metric: str,
    standings: Mapping[str, Standing],
    before: Mapping[str, Measured],
    after: Mapping[str, Measured],
    taken: Collection[Way],
) -> Figures:
    """One metric of all runs that stand on something that is taken.

    Args:
        metric: a name among the readings of comparisons.
        standings: by scenario.
        before: by scenario, of the team as it is.
        after: of the changed team.
        taken: what a run may stand on.
    """
    told = {name: one for name, one in standings.items() if one.way in taken}
    old = {name: value for name in told if (value := _read(metric, before[name])) is not None}
    new = {name: _after(metric, before[name], after[name]) for name in old if told[name].way != "off_policy"}
    weighed = {name: one for name, one in told.items() if one.way == "off_policy" and name in old}
    known = {name: value for name, value in new.items() if value is not None}
    if not weighed:
        return Figures(before=old, after=known)
    rewards = {name: Reward(recorded=old[name], now=_after(metric, before[name], after[name])) for name in weighed}
    if any(weighed[name].weight and reward.now is None for name, reward in rewards.items()):
        return Figures(before=old, after=known)  # nobody knows what was drawn at random: leaving it out would choose
    log = records(weighed, rewards, {name: before[name].task_hash for name in weighed})
    estimated = dict(zip(sorted(rewards), values(log, Means(log)), strict=True))
    mean = sum(old[name] for name in weighed) / len(weighed)
    return Figures(before=old, after={**known, **estimated}, log=tuple(log), recorded=mean)


def _read(metric: str, one: Measured) -> float | None:
    hidden = {name for unknown in one.unknown for name in HIDDEN[unknown]}
    return None if metric in hidden else READINGS[metric][2](one)


def _after(metric: str, before: Measured, after: Measured) -> float | None:
    """A figure of the changed run; it may take no time at all where the recorded one took some."""
    if metric == "seconds" and "seconds" not in after.unknown and before.seconds:
        return after.seconds
    return _read(metric, after)
