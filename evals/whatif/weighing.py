"""What runs that were weighed come to, together: estimates of a mean, and a value for each run whose mean is one.

The value of a run is that of the doubly robust estimate: what a direct model predicts for the changed team, and, as far
as the run's own choice has become likelier, by how much its outcome differed from the prediction. Of one run it means
nothing, and it may lie outside of [0, 1]; the mean over runs is unbiased, since propensities are known, however bad the
predictions. These are as plain as can be: the mean over the runs of other tasks with the same choice.

Source: Dudik, Langford & Li 2011, arXiv:1103.4601; predictions never know the task that they are for (cross-fitting:
Chernozhukov et al. 2018, doi:10.1111/ectj.12097).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..statistics.offpolicy import Logged
from .standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """One figure of a run that is weighed."""

    recorded: float
    """Under its own choice, as it was."""
    now: float | None
    """Under its own choice, with all else changed; None: that is not known."""


def records(weighed: Mapping[str, Standing], rewards: Mapping[str, Reward], tasks: Mapping[str, str]) -> list[Logged]:
    """The runs as a log of choices, by scenario.

    Args:
        weighed: by scenario; those with a weight must have a reward of now.
        rewards: by scenario; those that are missing are left out.
        tasks: by scenario, what several runs may have in common.
    """
    return [
        Logged(
            context=tasks[name],
            action=weighed[name].action,
            propensity=weighed[name].propensity,
            reward=reward.recorded if reward.now is None or not weighed[name].weight else reward.now,
            target=weighed[name].target,
            scenario=tasks[name],
        )
        for name, reward in sorted(rewards.items())
    ]


class Means:
    """Predicts the reward of a choice: its mean over the runs of other tasks; where there are none, over all of these.

    Example:
        >>> one = Logged(context="x", action="a", propensity=1.0, reward=1.0, target={})
        >>> log = [one, Logged(context="y", action="a", propensity=1.0, reward=0.0, target={})]
        >>> Means(log)("x", "a"), Means(log)("x", "b"), Means([one])("x", "a")
        (0.0, 0.0, 0.0)
    """

    def __init__(self, log: Iterable[Logged]) -> None:
        self._sums: dict[tuple[str | None, str | None], tuple[float, int]] = {}
        """Sum and number of rewards by task and choice; None: of all."""
        for one in log:
            for key in ((one.context, one.action), (one.context, None), (None, one.action), (None, None)):
                total, n = self._sums.get(key, (0.0, 0))
                self._sums[key] = (total + one.reward, n + 1)

    def __call__(self, context: str, action: str) -> float:
        """The prediction; 0 where no other task is known, which makes the estimate plain inverse propensity."""
        for which in (action, None):
            total, n = self._sums.get((None, which), (0.0, 0))
            own, of_them = self._sums.get((context, which), (0.0, 0))
            if n > of_them:
                return (total - own) / (n - of_them)
        return 0.0


def values(log: Iterable[Logged], model: Means) -> list[float]:
    """The doubly robust value of each run, in order."""
    return [_value(one, model) for one in log]


def _value(one: Logged, model: Means) -> float:
    expected = math.fsum(p * model(one.context, action) for action, p in one.target.items() if p)
    return expected + one.weight * (one.reward - model(one.context, one.action))
