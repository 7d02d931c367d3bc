"""What runs cost: per run, per success, by agent, for reviewing and for repeating.

Every figure is given twice: `cached`, as billed, where caches served some tokens at a lower price, and
`uncached`, as if none had; a change that only warms a cache shows in the first and not in the second. USD >= 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...protocols.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call cost, and whose it was."""

    agent: str
    cached: float
    """USD, as billed."""
    uncached: float
    """USD, had no cache served a token."""
    reviewing: bool = False
    """Whether a reviewer made the call."""
    repeated: bool = False
    """Whether it was made again: a retry, a correction, an attempt after the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBill:
    """All charges of one run, and how it ended."""

    charges: Sequence[Charge]
    success: bool | None
    """None: unscored; its cost counts and its success does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCost:
    """What one agent cost over all runs."""

    agent: str
    usd: float
    share: float | None
    """Of the total, in [0, 1]; None: the total is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSummary:
    """What all runs cost, under one of the two ways to count."""

    total: float
    per_run: float | None
    """None: there are no runs."""
    per_success: float | None
    """As `cost_per_success`."""
    reviewer_share: float | None
    """Of the total, in [0, 1]; None: the total is 0."""
    retry_share: float | None
    """Of the total, in [0, 1]; None: the total is 0."""
    agents: tuple[AgentCost, ...]
    """The dearest first, ties by name; they add up to the total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What all runs cost, cached and uncached side by side."""

    runs: int
    scored: int
    successes: int
    cached: CostSummary
    uncached: CostSummary


def cost_report(runs: Iterable[RunBill]) -> CostReport:
    """Add the bills of all runs up.

    Example:
        >>> good = RunBill(success=True, charges=[Charge(agent="a", cached=0.1, uncached=0.4)])
        >>> bad = RunBill(success=False, charges=[Charge(agent="b", cached=0.3, uncached=0.6, repeated=True)])
        >>> report = cost_report([good, bad])
        >>> report.cached.per_success, report.uncached.per_success, report.uncached.retry_share
        (0.4, 1.0, 0.6)
    """
    bills = list(runs)
    endings = [bill.success for bill in bills]
    return CostReport(
        runs=len(bills),
        scored=sum(success is not None for success in endings),
        successes=sum(success is True for success in endings),
        cached=_summary(bills, endings, lambda charge: charge.cached),
        uncached=_summary(bills, endings, lambda charge: charge.uncached),
    )


def cost_per_run(costs: Sequence[float]) -> float | None:
    """Mean cost: the sum over all runs by their number; None: there are no runs.

    Example:
        >>> cost_per_run([0.25, 0.75]), cost_per_run([])
        (0.5, None)
    """
    return math.fsum(costs) / len(costs) if costs else None


def cost_per_success(costs: Sequence[float], successes: Sequence[bool | None]) -> float | None:
    """What one success costs: the sum over all runs, failed and unscored ones too, by the number of successes.

    Infinity where runs were scored and none succeeded; None where no run was scored (`None` in `successes`). The
    two sequences have one element per run, in the same order.

    Raises:
        UsageError: they are not of the same length.

    Example:
        >>> [cost_per_success([1.0, 3.0], endings) for endings in ([True, False], [False, None], [None, None])]
        [4.0, inf, None]
    """
    if len(costs) != len(successes):
        raise UsageError(f"cost per success: expected one ending per cost, found {len(costs)} and {len(successes)}")
    if all(success is None for success in successes):
        return None
    won = sum(success is True for success in successes)
    return math.fsum(costs) / won if won else math.inf


class Against(NamedTuple):
    """One run beside the baseline's run of the same task."""

    passed: bool
    cost: float
    baseline: float
    """What the baseline cost on the same task, whether it passed or not."""


def failure_aware_saving(runs: Iterable[Against]) -> float | None:
    """Tell which share of the baseline's cost is saved, if a failed run saves nothing and its cost is lost.

    (sum over passed of (c_base - c) - sum over failed of c) / sum over all of c_base. At most 1; negative where more
    is lost than saved. None: the baseline cost nothing, or there are no runs.

    Source: TwinRouterBench, section 5.1 and appendix A.15 (github.com/CommonstackAI/TwinRouterBench).

    Example:
        >>> failure_aware_saving([Against(True, 0.25, 1.0), Against(False, 0.25, 1.0)])
        0.25
    """
    told = list(runs)
    base = math.fsum(run.baseline for run in told)
    if not base:
        return None
    return math.fsum((run.baseline if run.passed else 0.0) - run.cost for run in told) / base


def _summary(bills: Sequence[RunBill], endings: Sequence[bool | None], usd: Callable[[Charge], float]) -> CostSummary:
    charges = [charge for bill in bills for charge in bill.charges]
    costs = [math.fsum(usd(charge) for charge in bill.charges) for bill in bills]
    total = math.fsum(usd(charge) for charge in charges)

    def share(part: float) -> float | None:
        return part / total if total else None

    by_agent: dict[str, list[float]] = {}
    for charge in charges:
        by_agent.setdefault(charge.agent, []).append(usd(charge))
    spent = sorted(((agent, math.fsum(parts)) for agent, parts in by_agent.items()), key=lambda one: (-one[1], one[0]))
    return CostSummary(
        total=total,
        per_run=total / len(bills) if bills else None,
        per_success=cost_per_success(costs, endings),
        reviewer_share=share(math.fsum(usd(charge) for charge in charges if charge.reviewing)),
        retry_share=share(math.fsum(usd(charge) for charge in charges if charge.repeated)),
        agents=tuple(AgentCost(agent=agent, usd=part, share=share(part)) for agent, part in spent),
    )
