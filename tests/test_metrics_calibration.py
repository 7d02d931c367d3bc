"""Whether workers are right as often as they say they are sure, over bins that are stated."""

import random
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.calibration import Bin, Estimate, brier, expected_calibration_error, reliability
from echelon.protocols.errors import UsageError

sklearn_calibration: Any = import_module("sklearn.calibration")  # has no types

estimates = st.lists(st.builds(Estimate, st.floats(0, 1), st.booleans()), max_size=40)
binned = st.integers(1, 20)

HAND = [Estimate(0.875, True), Estimate(0.75, False), Estimate(0.625, True), Estimate(0.25, False), Estimate(0, False)]


def test_figures_are_those_computed_by_hand() -> None:
    """Five estimates in two bins: one holds two, none right; the other three, two right."""
    assert reliability(HAND, bins=2) == (
        Bin(low=0.0, high=0.5, confidence=0.125, right=0.0, n=2),
        Bin(low=0.5, high=1.0, confidence=0.75, right=2 / 3, n=3),
    )
    assert expected_calibration_error(HAND, bins=2) == pytest.approx(2 / 5 * 0.125 + 3 / 5 * (0.75 - 2 / 3))
    assert brier(HAND) == pytest.approx((0.125**2 + 0.75**2 + 0.375**2 + 0.25**2) / 5)


def test_a_bin_holds_its_upper_edge_and_the_first_one_zero() -> None:
    """Ten bins, unless said otherwise."""
    edges = [i / 10 for i in range(11)]
    rows = reliability([Estimate(edge, True) for edge in edges])
    assert [(row.high, row.n) for row in rows] == [(0.1, 2), *((edge, 1) for edge in edges[2:])]


def test_without_estimates_there_is_no_figure() -> None:
    """Undefined, and an empty table."""
    assert (brier([]), expected_calibration_error([]), reliability([])) == (None, None, ())


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    """A share or nothing."""
    with pytest.raises(UsageError, match=r"expected a confidence in \[0, 1\]"):
        Estimate(confidence, right=True)


def test_a_table_without_bins_is_refused() -> None:
    """One is the least."""
    with pytest.raises(UsageError, match="at least one bin, found 0"):
        reliability(HAND, bins=0)


@given(estimates, binned)
def test_each_estimate_is_in_the_bin_that_its_confidence_says(told: list[Estimate], bins: int) -> None:
    """In one, and in no other."""
    rows = reliability(told, bins)
    assert sum(row.n for row in rows) == len(told)
    assert [row.low for row in rows] == sorted(row.low for row in rows)
    for row in rows:
        inside = [one for one in told if row.low < one.confidence <= row.high or one.confidence == row.low == 0]
        assert row.n == len(inside)
        assert row.low <= row.confidence <= row.high
        assert row.right == sum(one.right for one in inside) / row.n


@given(estimates, binned, st.randoms(use_true_random=False))
def test_figures_are_shares_and_order_does_not_matter(told: list[Estimate], bins: int, chance: random.Random) -> None:
    """Of the same estimates, the same figures."""
    other = list(told)
    chance.shuffle(other)
    assert reliability(other, bins) == reliability(told, bins)
    assert expected_calibration_error(other, bins) == expected_calibration_error(told, bins)
    assert brier(other) == (pytest.approx(brier(told)) if told else None)
    assert all(figure is None or 0 <= figure <= 1 for figure in (brier(told), expected_calibration_error(told, bins)))


@given(estimates)
def test_the_brier_score_agrees_with_its_definition(told: list[Estimate]) -> None:
    """The mean squared difference; of all right or all wrong too."""
    expected = sum((one.confidence - one.right) ** 2 for one in told) / len(told) if told else None
    assert brier(told) == (None if expected is None else pytest.approx(expected))


@given(estimates, st.sampled_from([1, 2, 4, 8, 16]))
def test_the_table_agrees_with_scikit_learn(told: list[Estimate], bins: int) -> None:
    """Edges that are powers of two, since its other edges are off by rounding."""
    if told:
        right, confidence = sklearn_calibration.calibration_curve(
            [one.right for one in told], [one.confidence for one in told], n_bins=bins, pos_label=True
        )
        rows = reliability(told, bins)
        assert [row.right for row in rows] == pytest.approx(right.tolist())
        assert [row.confidence for row in rows] == pytest.approx(confidence.tolist())


@given(st.lists(st.booleans(), min_size=1))
def test_who_is_sure_and_right_has_no_error_and_who_is_sure_and_wrong_has_all(flags: list[bool]) -> None:
    """Both ends of both scales."""
    right = [Estimate(float(flag), flag) for flag in flags]
    wrong = [Estimate(float(not flag), flag) for flag in flags]
    assert (brier(right), expected_calibration_error(right)) == (0, 0)
    assert (brier(wrong), expected_calibration_error(wrong)) == (1, 1)
