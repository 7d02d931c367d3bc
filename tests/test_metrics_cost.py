"""What runs cost: nothing is lost in a sum, failures are paid for, caches are seen."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.cost import (
    Against,
    Charge,
    RunBill,
    cost_per_run,
    cost_per_success,
    cost_report,
    failure_aware_saving,
)
from echelon.protocols.errors import UsageError

usd = st.integers(0, 10_000).map(lambda units: units / 1_000)
charges = st.builds(
    Charge, agent=st.sampled_from("abc"), cached=usd, uncached=usd, reviewing=st.booleans(), repeated=st.booleans()
)
bills = st.lists(
    st.builds(RunBill, charges=st.lists(charges, max_size=4), success=st.none() | st.booleans()), max_size=6
)


@given(bills)
def test_agents_add_up_to_the_total_and_shares_are_shares(runs: list[RunBill]) -> None:
    report = cost_report(runs)
    for summary in (report.cached, report.uncached):
        assert math.fsum(line.usd for line in summary.agents) == pytest.approx(summary.total)
        assert [line.usd for line in summary.agents] == sorted((line.usd for line in summary.agents), reverse=True)
        shares = [summary.reviewer_share, summary.retry_share, *(line.share for line in summary.agents)]
        if summary.total:
            assert all(share is not None and 0 <= share <= 1 + 1e-12 for share in shares)
        else:
            assert all(share is None for share in shares)


@given(bills)
def test_the_order_of_runs_does_not_matter(runs: list[RunBill]) -> None:
    assert cost_report(runs[::-1]) == cost_report(runs)


@given(bills)
def test_a_success_costs_at_least_what_a_run_costs(runs: list[RunBill]) -> None:
    """Failed and unscored runs are paid for too."""
    report = cost_report(runs)
    per_run, per_success = report.cached.per_run, report.cached.per_success
    if report.scored == 0:
        assert per_success is None
    else:
        assert per_run is not None
        assert per_success is not None
        assert per_success >= per_run - 1e-9
        assert math.isinf(per_success) == (report.successes == 0)


def test_cached_and_uncached_are_told_apart() -> None:
    """A warm cache makes the bill smaller and the work no less."""
    cold = Charge(agent="writer", cached=0.5, uncached=0.5)
    warm = replace(cold, cached=0.125)
    reviewing = Charge(agent="reviewer", cached=0.125, uncached=0.25, reviewing=True, repeated=True)
    report = cost_report([RunBill(charges=[cold], success=True), RunBill(charges=[warm, reviewing], success=False)])
    assert (report.runs, report.scored, report.successes) == (2, 2, 1)
    assert (report.cached.total, report.uncached.total) == (0.75, 1.25)
    assert (report.cached.per_run, report.uncached.per_run) == (0.375, 0.625)
    assert (report.cached.per_success, report.uncached.per_success) == (0.75, 1.25)
    assert report.uncached.reviewer_share == report.uncached.retry_share == 0.2
    assert [(line.agent, line.usd) for line in report.cached.agents] == [("writer", 0.625), ("reviewer", 0.125)]


def test_without_runs_nothing_has_a_cost() -> None:
    report = cost_report([])
    assert report.cached.total == 0
    assert (report.cached.per_run, report.cached.per_success, report.cached.reviewer_share) == (None, None, None)
    assert cost_per_run([]) is None
    assert cost_per_success([], []) is None


def test_a_success_that_never_came_costs_infinitely_much() -> None:
    assert cost_per_success([1.0, 2.0], [False, None]) == math.inf
    assert cost_per_success([1.0, 2.0], [None, None]) is None


def test_costs_and_endings_must_be_of_the_same_runs() -> None:
    with pytest.raises(UsageError, match="found 2 and 1"):
        cost_per_success([1.0, 2.0], [True])


@given(st.lists(st.builds(Against, st.booleans(), usd, usd), max_size=8))
def test_a_failure_never_saves(runs: list[Against]) -> None:
    """Nor can anything save more than the baseline cost."""
    saved = failure_aware_saving(runs)
    if saved is None:
        assert not any(run.baseline for run in runs)
        return
    assert saved <= 1
    failed = failure_aware_saving([run._replace(passed=False) for run in runs])
    assert failed is not None
    assert failed <= min(saved, 0)


def test_a_cheap_router_that_fails_saves_less_than_its_bill_says() -> None:
    """Half the cost on every task; one of four fails: 3 * .5 saved, .5 lost, of 4."""
    runs = [Against(passed, 0.5, 1.0) for passed in (True, True, True, False)]
    assert failure_aware_saving(runs) == 0.25
