"""Intervals: they cover what they should, draw scenarios and not runs, and do not depend on order."""

import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from echelon.evals.statistics.intervals import (
    Bootstrap,
    Interval,
    bootstrap,
    bootstrap_mean,
    bootstrap_ratio,
    student,
    wilson,
)
from echelon.protocols.errors import UsageError

values = st.lists(st.integers(-20, 20).map(lambda n: n / 4), min_size=2, max_size=12)
clusters = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.lists(st.integers(0, 8).map(lambda n: n / 4), min_size=1, max_size=4),
    min_size=2,
    max_size=8,
)
FEW = Bootstrap(seed=7, resamples=200)
Drawn = Literal["expanded", "percentile", "bca"]
METHODS: tuple[Drawn, ...] = ("expanded", "percentile", "bca")


def bounds(found: Interval) -> tuple[float, float]:
    """Take both bounds, which must be there."""
    assert found.low is not None, found.reason
    assert found.high is not None, found.reason
    return found.low, found.high


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.sampled_from([0.8, 0.95]))
def test_wilson_is_its_formula(counts: tuple[int, int], level: float) -> None:
    n, k = counts
    z = stats.norm.ppf((1 + level) / 2)
    centre = (k + z**2 / 2) / (n + z**2)
    reach = z / (n + z**2) * math.sqrt(k * (n - k) / n + z**2 / 4)
    found = wilson(k, n, level)
    assert bounds(found) == pytest.approx((max(0, centre - reach), min(1, centre + reach)), abs=1e-12)
    assert (found.value, found.n, found.method) == (k / n, n, "wilson")


@given(values, st.sampled_from([0.8, 0.95]))
def test_students_interval_is_that_of_the_t_test(sample: list[float], level: float) -> None:
    if len(set(sample)) == 1:
        assert bounds(student(sample, level)) == pytest.approx((sample[0], sample[0]))
        return
    theirs = stats.ttest_1samp(sample, 0).confidence_interval(level)
    assert bounds(student(sample, level)) == pytest.approx((theirs.low, theirs.high))


def test_nothing_is_bounded_by_nothing() -> None:
    """None, never 0, and the reason."""
    assert (wilson(0, 0).value, wilson(0, 0).low, wilson(0, 0).reason) == (None, None, "there are no trials")
    assert (student([]).value, student([1.0]).value, student([1.0]).high) == (None, 1.0, None)
    assert student([1.0]).reason == "needs at least 2 values, found 1"
    assert bootstrap_mean({}, FEW).value is None
    alone = bootstrap_mean({"a": [1.0, 0.0]}, FEW)
    assert (alone.value, alone.low, alone.high, alone.n) == (0.5, None, None, 1)
    assert bootstrap({}, sum, FEW).reason == "the figure is undefined"


@pytest.mark.parametrize("method", ["percentile", "bca"])
@settings(max_examples=20)
@given(sample=st.lists(st.floats(-5, 5), min_size=3, max_size=30, unique=True), seed=st.integers(0, 99))
def test_with_one_run_per_cluster_it_is_scipys_bootstrap(
    method: Literal["percentile", "bca"], sample: list[float], seed: int
) -> None:
    how = Bootstrap(seed=seed, method=method, resamples=200)
    ours = bootstrap_mean({f"{i:02}": [value] for i, value in enumerate(sample)}, how)
    theirs = stats.bootstrap(
        (np.array(sample),), np.mean, n_resamples=200, confidence_level=0.95,
        method="BCa" if method == "bca" else "percentile", rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    assert bounds(ours) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@settings(max_examples=30)
@given(clusters)
def test_neither_the_order_of_clusters_nor_names_in_the_same_order_matter(table: dict[str, list[float]]) -> None:
    found = bootstrap_mean(table, FEW)
    assert bootstrap_mean(dict(reversed(table.items())), FEW) == found
    assert bootstrap_mean({f"x{name}": runs for name, runs in table.items()}, FEW) == found
    assert bootstrap_mean({name: runs[::-1] for name, runs in table.items()}, FEW) == found


@settings(max_examples=30)
@given(clusters, st.sampled_from(METHODS))
def test_bounds_lie_within_the_clusters(table: dict[str, list[float]], method: Drawn) -> None:
    found = bootstrap_mean(table, Bootstrap(seed=3, method=method, resamples=200))
    means = [sum(runs) / len(runs) for runs in table.values()]
    if found.low is None:
        assert found.reason
        assert method == "bca"
        return
    low, high = bounds(found)
    assert min(means) - 1e-9 <= low <= high <= max(means) + 1e-9


@settings(max_examples=20)
@given(clusters)
def test_a_callable_gives_what_the_vectorised_ratio_gives(table: dict[str, list[float]]) -> None:
    def mean(drawn: Sequence[list[float]]) -> float:
        runs = [value for cluster in drawn for value in cluster]
        return math.fsum(runs) / len(runs)

    assert bounds(bootstrap(table, mean, FEW)) == pytest.approx(bounds(bootstrap_mean(table, FEW)), abs=1e-9)


def test_another_seed_gives_other_bounds_and_the_same_seed_the_same() -> None:
    table = {str(i): [float(i * i)] for i in range(20)}
    first, again, other = (bootstrap_mean(table, Bootstrap(seed=seed, resamples=200)) for seed in (1, 1, 2))
    assert first == again
    assert bounds(first) != bounds(other)


def test_a_higher_level_is_wider() -> None:
    table = {str(i): [float(i * i)] for i in range(20)}
    narrow, wide = (bounds(bootstrap_mean(table, Bootstrap(seed=1, level=level))) for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_what_does_not_vary_has_the_width_0() -> None:
    table = {name: [0.1] for name in "abcdefg"}
    for method in METHODS:
        assert bounds(bootstrap_mean(table, Bootstrap(seed=1, method=method))) == (0.1, 0.1)


def test_a_figure_that_a_resample_leaves_undefined_has_no_bounds_and_says_so() -> None:
    """One scenario of three with a success: many resamples have none, and the cost of a success is no number."""
    table = {"a": (1.0, 1.0), "b": (1.0, 0.0), "c": (1.0, 0.0)}
    found = bootstrap_ratio(table, Bootstrap(seed=1, resamples=1_000))
    assert (found.value, found.low, found.high) == (3.0, None, None)
    assert found.reason.startswith("the figure is undefined in ")
    assert found.reason.endswith(" of 1000 resamples")
    assert bootstrap_ratio({"a": (1.0, 0.0), "b": (1.0, 0.0)}, FEW).value is None


def test_without_anything_to_correct_by_bca_has_no_bounds() -> None:
    """The median is 2 whichever scenario is left out, and is not 2 in every resample."""
    table = dict(zip("abcde", [1.0, 2.0, 2.0, 2.0, 3.0], strict=True))
    found = bootstrap(table, lambda drawn: sorted(drawn)[2], Bootstrap(seed=1, method="bca"))
    assert (found.value, found.low, found.reason) == (2.0, None, "BCa has no bounds for clusters so much alike")
    assert bootstrap(table, lambda drawn: sorted(drawn)[2], Bootstrap(seed=1)).low == 1.0


def test_an_infinite_figure_stays_infinite_and_has_no_bounds() -> None:
    found = bootstrap({"a": 1.0, "b": 2.0}, lambda _: math.inf, FEW)
    assert (found.value, found.low, found.reason) == (math.inf, None, "the figure is infinite")


@pytest.mark.parametrize("method", METHODS)
def test_the_interval_covers_the_truth_as_often_as_it_says(method: Drawn) -> None:
    """Of 200 scenarios with 1 to 5 runs each, most of the variance between scenarios; the true mean is 0."""
    rng = np.random.default_rng(20)
    times, n = 1_000, 200
    counts = rng.integers(1, 6, (times, n))
    # The sum of a scenario's runs: its own mean once per run, and less noise around that.
    sums = counts * rng.normal(0, 1, (times, n)) + np.sqrt(counts) * rng.normal(0, 0.5, (times, n))
    covered = 0
    for sim in range(times):
        table = {f"{i:03}": (float(sums[sim, i]), float(counts[sim, i])) for i in range(n)}
        low, high = bounds(bootstrap_ratio(table, Bootstrap(seed=sim, method=method, resamples=400)))
        covered += low <= 0 <= high
    assert 0.93 <= covered / times <= 0.97


def test_of_few_scenarios_the_expanded_interval_covers_what_the_percentile_interval_misses() -> None:
    rng = np.random.default_rng(22)
    hits: dict[Drawn, int] = {"expanded": 0, "percentile": 0}
    for sim in range(800):
        table = {str(i): [float(value)] for i, value in enumerate(rng.normal(0, 1, 8))}
        for method in hits:
            low, high = bounds(bootstrap_mean(table, Bootstrap(seed=sim, method=method, resamples=400)))
            hits[method] += low <= 0 <= high
    assert hits["percentile"] / 800 < 0.91 < 0.93 < hits["expanded"] / 800 < 0.97


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=9, unique=True))
@settings(max_examples=20)
def test_the_expanded_interval_contains_the_percentile_interval(sample: list[float]) -> None:
    table = {str(i): [value] for i, value in enumerate(sample)}
    wide, narrow = (bounds(bootstrap_mean(table, Bootstrap(seed=1, method=method))) for method in METHODS[:2])
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_an_interval_over_runs_as_if_they_were_independent_is_too_narrow() -> None:
    """Why scenarios are drawn: the same 60 scenarios of 4 runs, counted as 240."""
    rng = np.random.default_rng(21)
    over_runs = over_scenarios = 0
    for sim in range(200):
        table = {
            f"{i:02}": [mean + rng.normal(0, 0.5) for _ in range(4)] for i, mean in enumerate(rng.normal(0, 1, 60))
        }
        low, high = bounds(student([value for runs in table.values() for value in runs]))
        over_runs += low <= 0 <= high
        low, high = bounds(bootstrap_mean(table, Bootstrap(seed=sim, resamples=400)))
        over_scenarios += low <= 0 <= high
    assert over_runs / 200 < 0.8
    assert over_scenarios / 200 > 0.9


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(UsageError, match="level"):
        Bootstrap(seed=1, level=level)
    with pytest.raises(UsageError, match="level"):
        wilson(1, 2, level)


def test_impossible_rates_and_too_few_resamples_are_refused() -> None:
    with pytest.raises(UsageError, match="3 of 2"):
        wilson(3, 2)
    with pytest.raises(UsageError, match="at least 100, found 99"):
        Bootstrap(seed=1, resamples=99)


def test_without_the_extra_metrics_work_and_intervals_name_it() -> None:
    """In a process that has neither numpy nor scipy."""
    program = """
import sys
sys.modules.update(dict.fromkeys(["numpy", "scipy"]))
from echelon.evals.metrics import cost, frontier, passk, recovery, routers
from echelon.evals.statistics import comparison, gate, intervals, offpolicy, paired
from echelon.protocols.errors import MissingExtraError
print(passk.pass_at_k([(4, 2)], 1), paired.holm({"a": 0.5}))
for work in (
    lambda: intervals.wilson(1, 2),
    lambda: intervals.student([1.0, 2.0]),
    lambda: intervals.bootstrap_mean({"a": [1.0], "b": [2.0]}, intervals.Bootstrap(seed=1)),
    lambda: intervals.bootstrap({"a": 1.0, "b": 2.0}, sum, intervals.Bootstrap(seed=1)),
    lambda: paired.mcnemar(1, 2),
    lambda: paired.sign_flip([1.0], seed=1),
    lambda: paired.detectable_mean([1.0, 2.0]),
):
    try:
        work()
    except MissingExtraError as error:
        print(error.extra)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == ["0.5 {'a': 0.5}", *["evals"] * 7]
