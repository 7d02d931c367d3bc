"""Paired tests: exact where they can be, never too small, the same whatever is swapped."""

import math
from fractions import Fraction
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from echelon.evals.statistics.paired import SignFlip, detectable_mean, detectable_proportion, holm, mcnemar, sign_flip
from echelon.protocols.errors import UsageError

quarters = st.integers(-8, 8).map(lambda n: n / 4)


def flipped(differences: list[float], seed: int = 1) -> SignFlip:
    """Test differences of which there are some."""
    found = sign_flip(differences, seed=seed)
    assert found is not None
    return found


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_its_formula_and_does_not_care_who_is_first(b: int, c: int) -> None:
    tail = sum((Fraction(math.comb(b + c, i), 2 ** (b + c)) for i in range(min(b, c) + 1)), Fraction())
    assert mcnemar(b, c) == pytest.approx(float(min(Fraction(1), 2 * tail)))
    assert mcnemar(b, c) == mcnemar(c, b)


@given(st.lists(quarters, min_size=1, max_size=9))
def test_few_pairs_are_tried_with_all_signs(differences: list[float]) -> None:
    total = abs(sum(differences))
    flips = [abs(math.fsum(d * s for d, s in zip(differences, signs, strict=True)))
             for signs in product((-1, 1), repeat=len(differences))]  # fmt: skip
    found = flipped(differences)
    assert found.exact
    assert found.p == pytest.approx(sum(flip >= total - 1e-12 for flip in flips) / len(flips))
    assert found.differing == sum(d != 0 for d in differences)


@settings(max_examples=30)
@given(st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=8))
def test_it_is_scipys_permutation_test(differences: list[float]) -> None:
    def far(sample: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.abs(sample.sum(axis=axis)))

    theirs = stats.permutation_test(
        (differences,), far, permutation_type="samples", vectorized=True, alternative="greater", n_resamples=2**8
    )
    assert flipped(differences).p == pytest.approx(float(theirs.pvalue))


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0.1, 10))
def test_order_swapped_variants_and_another_unit_change_nothing(differences: list[float], unit: float) -> None:
    found = flipped(differences)
    assert 0 < found.p <= 1
    assert flipped(differences[::-1]) == found
    assert flipped([-d for d in differences]) == found
    assert flipped([*differences, 0.0, 0.0]) == found


def test_sums_that_cancel_tie_whatever_rounding_makes_of_them() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in floating point, and everything is at least so far from 0."""
    assert flipped([0.1, 0.2, -0.3]).p == 1.0


def test_many_pairs_are_sampled_near_the_exact_p_and_never_give_0() -> None:
    sizes = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, -13.0, -14.0, -15.0, 16.0]
    sums = np.array(list(product((-1, 1), repeat=16))) @ np.abs(sizes)
    exact = float(np.mean(np.abs(sums) >= abs(sum(sizes))))
    found = flipped(sizes)
    assert (found.exact, found.differing) == (False, 16)
    assert found.p == pytest.approx(exact, abs=0.02)
    assert flipped([1.0] * 40).p == 1 / 10_000
    assert flipped(sizes, seed=2) != found == flipped(sizes)


def test_alike_variants_are_found_different_no_more_often_than_the_level_says() -> None:
    """Of all sign patterns of the same sizes, at most a share of alpha has p <= alpha."""
    sizes = [0.5, 1.0, 1.5, 2.5, 3.5, 8.0, 100.0]
    found = [
        flipped([size * s for size, s in zip(sizes, signs, strict=True)]).p for signs in product((-1, 1), repeat=7)
    ]
    for alpha in (0.01, 0.05, 0.1, 0.25, 0.5):
        assert sum(p <= alpha for p in found) / len(found) <= alpha


def test_without_pairs_there_is_no_p_and_without_differences_it_is_1() -> None:
    assert sign_flip([], seed=1) is None
    assert flipped([0.0, 0.0]) == SignFlip(p=1.0, exact=True, differing=0)
    assert mcnemar(0, 0) == 1.0


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.floats(0, 1), max_size=6))
def test_holm_adjusts_upwards_keeps_the_order_and_stops_at_1(p: dict[str, float]) -> None:
    adjusted = holm(p)
    assert list(adjusted) == list(p)
    assert all(p[name] <= adjusted[name] <= 1 for name in p)
    assert all(adjusted[a] <= adjusted[b] for a in p for b in p if p[a] <= p[b])
    if p:
        least = min(p, key=lambda name: p[name])
        assert adjusted[least] == min(1.0, len(p) * p[least])
    assert holm(dict(reversed(p.items()))) == adjusted


def test_holm_on_the_textbook_example() -> None:
    """Four tests at level .05: only the first two are rejected."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


@given(st.integers(4, 20_000), st.floats(0, 1), st.floats(0.5, 0.99))
def test_the_detectable_proportion_solves_connors_equation(n: int, discordance: float, power: float) -> None:
    found = detectable_proportion(n, discordance, power=power)
    z_a, z_b = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(power)
    assert found is not None
    psi = max(discordance, found)
    assert 0 < found <= 1 + 1e-12
    assert z_a * math.sqrt(psi) + z_b * math.sqrt(psi - found**2) == pytest.approx(found * math.sqrt(n))


def test_more_pairs_detect_less_and_more_discordance_hides_more() -> None:
    found = [detectable_proportion(n, psi) or 1.0 for n, psi in ((800, 0.2), (200, 0.2), (200, 0.5))]
    assert found == sorted(found)
    assert detectable_proportion(3, 0.5) is None
    with pytest.raises(UsageError, match=r"\[0, 1\]"):
        detectable_proportion(10, 1.5)


@pytest.mark.parametrize("n", [8, 40])
def test_the_detectable_mean_is_found_in_four_of_five_trials(n: int) -> None:
    rng = np.random.default_rng(4)
    spread = [(-1.0) ** i for i in range(n)]
    unit = math.sqrt(n / (n - 1))  # the standard deviation of `spread`
    least = detectable_mean(spread)
    assert least is not None
    trials = rng.normal(least / unit, 1, (20_000, n))
    t = trials.mean(axis=1) / (trials.std(axis=1, ddof=1) / math.sqrt(n))
    reached = np.abs(t) > float(stats.t.ppf(0.975, n - 1))
    assert reached.sum() / len(reached) == pytest.approx(0.8, abs=0.03)


def test_without_spread_nothing_is_known_to_be_detectable() -> None:
    assert detectable_mean([]) is None
    assert detectable_mean([1.0]) is None
    assert detectable_mean([0.5, 0.5, 0.5]) is None


def test_impossible_inputs_are_refused() -> None:
    with pytest.raises(UsageError, match="-1"):
        mcnemar(-1, 2)
    with pytest.raises(UsageError, match="finite"):
        sign_flip([math.inf], seed=1)
    with pytest.raises(UsageError, match="resample"):
        sign_flip([1.0], seed=1, resamples=0)
