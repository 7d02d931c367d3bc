"""Off-policy estimates: right on average on a bandit whose truth is known, and honest about their support."""

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.statistics.intervals import Bootstrap, Interval
from echelon.evals.statistics.offpolicy import Logged, OffPolicy, effective_sample_size, off_policy
from echelon.protocols.errors import UsageError

FEW = Bootstrap(seed=3, resamples=400)
ACTIONS = ("a", "b", "c")
MU = {"easy": (0.5, 0.3, 0.2), "hard": (0.2, 0.5, 0.3)}
PI = {"easy": (0.6, 0.2, 0.2), "hard": (0.1, 0.3, 0.6)}
REWARD = {"easy": (0.9, 0.6, 0.5), "hard": (0.1, 0.4, 0.8)}
TRUTH = sum(p * r for kind in MU for p, r in zip(PI[kind], REWARD[kind], strict=True)) / 2


def logged(rng: np.random.Generator, n: int) -> list[Logged]:
    """Let the logging policy play: every context is its own scenario, easy or hard by coin."""
    log: list[Logged] = []
    for i in range(n):
        kind = "easy" if rng.random() < 0.5 else "hard"
        took = bisect(list(accumulate(MU[kind])), rng.random())
        reward = float(rng.random() < REWARD[kind][took])
        target: dict[str, float] = dict(zip(ACTIONS, PI[kind], strict=True))
        log.append(
            Logged(
                context=f"{kind} {i:04}", action=ACTIONS[took], propensity=MU[kind][took], reward=reward, target=target
            )
        )
    return log


def crude(context: str, action: str) -> float:
    """Predict a reward badly: it does not look at the context."""
    return {"a": 0.6, "b": 0.3, "c": 0.9}[action]


@pytest.fixture(scope="module")
def simulated() -> list[OffPolicy]:
    """Estimate from 400 logs of 120 records each."""
    rng = np.random.default_rng(11)
    return [off_policy(logged(rng, 120), Bootstrap(seed=i, resamples=300), crude) for i in range(400)]


ESTIMATES: dict[str, Callable[[OffPolicy], Interval | None]] = {
    "ips": lambda found: found.ips,
    "snips": lambda found: found.snips,
    "dr": lambda found: found.dr,
}


@pytest.mark.parametrize("name", ESTIMATES)
def test_an_estimate_is_right_on_average_and_its_interval_covers_the_truth(
    simulated: list[OffPolicy], name: str
) -> None:
    found = [interval for one in simulated if (interval := ESTIMATES[name](one)) is not None]
    points = np.array([one.value for one in found], dtype=np.float64)
    error = float(points.std(ddof=1)) / len(points) ** 0.5
    assert abs(float(points.mean()) - TRUTH) < 3 * error
    covered = sum((one.low or 0) <= TRUTH <= (one.high or 0) for one in found) / len(found)
    assert 0.93 <= covered <= 0.97, covered
    assert all(one.n == 120 for one in found)


def test_the_mean_reward_of_the_log_is_another_one(simulated: list[OffPolicy]) -> None:
    """Otherwise the test above would show nothing."""
    played = sum(p * r for kind in MU for p, r in zip(MU[kind], REWARD[kind], strict=True)) / 2
    assert abs(played - TRUTH) > 0.05
    assert np.mean([one.mean_weight for one in simulated if one.mean_weight]) == pytest.approx(1, abs=0.01)


def test_a_target_that_is_the_logging_policy_earned_what_was_logged() -> None:
    log = [
        Logged(context=str(i), action="a", propensity=0.5, reward=r, target={"a": 0.5, "b": 0.5})
        for i, r in enumerate([1.0, 0.0, 0.25, 0.75])
    ]
    found = off_policy(log, FEW)
    assert found.ips.value == found.snips.value == 0.5
    assert (found.ess, found.mean_weight, found.n) == (4.0, 1.0, 4)
    assert found.unsupported == 0.5
    assert found.dr is None


def test_a_model_that_is_right_needs_no_log() -> None:
    """The doubly robust estimate corrects nothing where nothing is wrong."""
    rewards = {"a": 1.0, "b": 0.5}
    log = [
        Logged(context=str(i), action=action, propensity=p, reward=rewards[action], target={"a": 0.25, "b": 0.75})
        for i, (action, p) in enumerate([("a", 0.9), ("b", 0.1), ("a", 0.5)])
    ]
    found = off_policy(log, FEW, lambda _, action: rewards[action])
    assert found.dr is not None
    assert found.dr.value == pytest.approx(0.625)
    assert found.dr.high == pytest.approx(found.dr.low)


def test_a_target_that_does_what_was_never_tried_is_unsupported() -> None:
    log = [
        Logged(context=str(i), action="a", propensity=1.0, reward=1.0, target={"z": share, "a": 1 - share})
        for i, share in enumerate([0.5, 1.0])
    ]
    found = off_policy(log, FEW)
    assert (found.unsupported, found.mean_weight, found.ess) == (0.75, 0.25, 1.0)
    never = off_policy([Logged(context="x", action="a", propensity=0.5, reward=1.0, target={"z": 1.0})], FEW)
    assert (never.ips.value, never.snips.value, never.ess, never.unsupported) == (0.0, None, None, 1.0)


def test_without_records_nothing_is_known() -> None:
    found = off_policy([], FEW, crude)
    assert found.dr is not None
    assert [one.value for one in (found.ips, found.snips, found.dr)] == [None] * 3
    assert (found.ess, found.unsupported, found.mean_weight, found.n) == (None, None, None, 0)


def test_records_of_one_scenario_are_drawn_together() -> None:
    """Ten copies of a record in its scenario say no more than one."""
    alone = [
        Logged(context=f"{i}", scenario=f"s{i}", action="a", propensity=0.5, reward=i / 4, target={"a": 1.0})
        for i in range(5)
    ]
    once, often = off_policy(alone, FEW), off_policy(alone * 10, FEW)
    assert often.ips.n == once.ips.n == 5
    assert (often.ips.low, often.ips.high) == pytest.approx((once.ips.low, once.ips.high))
    assert off_policy(alone[::-1], FEW) == once


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.1, float("nan")])
def test_an_impossible_propensity_names_the_record(propensity: float) -> None:
    good = Logged(context="x", action="a", propensity=0.5, reward=1.0, target={"a": 1.0})
    bad = Logged(context="y", action="b", propensity=propensity, reward=1.0, target={"b": 1.0})
    with pytest.raises(UsageError, match=r"record 1 \(context 'y', action 'b'\): expected a propensity in \(0, 1\]"):
        off_policy([good, bad], FEW)


@pytest.mark.parametrize("target", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}])
def test_a_target_that_is_no_distribution_names_the_record(target: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"record 0 \(context 'x', action 'a'\): expected a target"):
        off_policy([Logged(context="x", action="a", propensity=0.5, reward=1.0, target=target)], FEW)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_the_effective_sample_size_lies_between_1_and_all(weights: list[float]) -> None:
    found = effective_sample_size(weights)
    if found is None:
        assert sum(weight**2 for weight in weights) == 0
    else:
        assert 1 - 1e-9 <= found <= len(weights) + 1e-9
