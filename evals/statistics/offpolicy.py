"""What another policy would have earned, estimated from choices that were logged with their propensities.

mu is the policy that was logged, pi the target that is asked about; the weight of a record is w = pi(a|x) / mu(a|x).
An estimate is worth as much as the log supports it: beside it stand the effective sample size, the share of the
target's choices that no record shows, and the mean weight, which is 1 in expectation where all are supported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...protocols.errors import UsageError
from .intervals import Bootstrap, Interval, bootstrap_ratio

DirectModel = Callable[[str, str], float]
"""Predicted reward of (context, action); it must not have been fitted on the records that it helps to score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One logged choice, and how likely the target policy is to make each choice there."""

    context: str
    """Digest or name of what was known."""
    action: str
    propensity: float
    """mu(action | context), in (0, 1]."""
    reward: float
    target: Mapping[str, float]
    """pi(. | context): probabilities that add up to 1; an action that is missing has 0."""
    scenario: str = ""
    """Cluster that a bootstrap draws whole; "": the context."""

    @property
    def weight(self) -> float:
        """Of the action that was taken, pi / mu; >= 0."""
        return self.target.get(self.action, 0.0) / self.propensity


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicy:
    """Estimates of the target policy's mean reward, and what they stand on."""

    ips: Interval
    """Inverse propensity score: 1/n * sum of w * r. Unbiased where all is supported; wide where weights are large."""
    snips: Interval
    """Self-normalised: sum of w * r / sum of w. Slightly biased, and narrower; undefined where all weights are 0."""
    dr: Interval | None
    """Doubly robust: direct model + 1/n * sum of w * (r - q(x, a)); None: no direct model was given."""
    ess: float | None
    """Effective sample size, in [1, n]; None: all weights are 0."""
    unsupported: float | None
    """Share of the target's probability on actions that no record took, in [0, 1]; None: there are no records."""
    mean_weight: float | None
    """Far from 1: propensities are wrong, or the target does what was never tried; None: there are no records."""
    n: int
    """Records."""


def off_policy(records: Sequence[Logged], how: Bootstrap, model: DirectModel | None = None) -> OffPolicy:
    """Estimate what the target policy would have earned, with intervals that draw whole scenarios again.

    Without records every figure is None.

    Args:
        records: in any order.
        how: seed, method, level, resamples.
        model: q(context, action), for the doubly robust estimate.

    Raises:
        UsageError: a propensity is not in (0, 1], or a target is no distribution; it names the record.
        MissingExtraError: scipy is not installed.

    Source: Horvitz & Thompson 1952, doi:10.1080/01621459.1952.10483446 (IPS); Swaminathan & Joachims 2015, The
    Self-Normalized Estimator for Counterfactual Learning (SNIPS); Dudik, Langford & Li 2011, arXiv:1103.4601 (DR);
    Kong 1992, A Note on Importance Sampling using Standardized Weights (ESS).

    Example:
        >>> log = [
        ...     Logged(context="x", action="a", propensity=0.5, reward=1.0, target={"a": 1.0}),
        ...     Logged(context="y", action="b", propensity=0.5, reward=0.0, target={"a": 1.0}),
        ... ]
        >>> found = off_policy(log, Bootstrap(seed=1))
        >>> found.ips.value, found.snips.value, found.ess, found.unsupported
        (1.0, 1.0, 1.0, 0.0)
    """
    for i, record in enumerate(records):
        _check(record, f"record {i} (context {record.context!r}, action {record.action!r})")
    tried = {record.action for record in records}
    untried = [sum(p for action, p in record.target.items() if action not in tried) for record in records]
    n, weights = len(records), [record.weight for record in records]
    earned = [record.weight * record.reward for record in records]
    ones = [1.0] * n
    return OffPolicy(
        ips=_interval(records, earned, ones, how),
        snips=_interval(records, earned, weights, how),
        dr=None if model is None else _interval(records, [_robust(one, model) for one in records], ones, how),
        ess=effective_sample_size(weights),
        unsupported=math.fsum(untried) / n if n else None,
        mean_weight=math.fsum(weights) / n if n else None,
        n=n,
    )


def effective_sample_size(weights: Sequence[float]) -> float | None:
    """Tell how many equally weighted records are worth as much: (sum of w)^2 / sum of w^2; None: all weights are 0.

    Example:
        >>> effective_sample_size([1.0, 1.0]), effective_sample_size([1.0, 0.0]), effective_sample_size([0.0])
        (2.0, 1.0, None)
    """
    squares = math.fsum(weight**2 for weight in weights)
    return math.fsum(weights) ** 2 / squares if squares else None


def _robust(record: Logged, model: DirectModel) -> float:
    direct = math.fsum(p * model(record.context, action) for action, p in record.target.items() if p)
    return direct + record.weight * (record.reward - model(record.context, record.action))


def _interval(records: Sequence[Logged], above: Sequence[float], below: Sequence[float], how: Bootstrap) -> Interval:
    members: dict[str, list[tuple[float, float]]] = {}
    for record, a, b in zip(records, above, below, strict=True):
        members.setdefault(record.scenario or record.context, []).append((a, b))
    sums = {key: (math.fsum(a for a, _ in pairs), math.fsum(b for _, b in pairs)) for key, pairs in members.items()}
    return bootstrap_ratio(sums, how)


def _check(record: Logged, name: str) -> None:
    if not 0 < record.propensity <= 1:
        raise UsageError(f"{name}: expected a propensity in (0, 1], found {record.propensity}")
    if any(not p >= 0 for p in record.target.values()) or not math.isclose(math.fsum(record.target.values()), 1):
        raise UsageError(f"{name}: expected a target of probabilities that add up to 1, found {dict(record.target)}")
