"""Tests of two variants on the same scenarios, and what they could have shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING

from ...protocols.errors import UsageError
from .extra import needs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXACT_PAIRS = 14
"""Up to so many pairs that differ, all 2^n signs are tried: at most 16,384."""

CELLS = 2**20
"""Signs that are drawn at a time."""


def mcnemar(only_first: int, only_second: int) -> float:
    """Test whether two variants succeed equally often on the same scenarios: the exact p of McNemar, two-sided.

    Only scenarios count on which one succeeds and the other does not: b where only the first does, c where only the
    second does. p = min(1, 2 * sum over i <= min(b, c) of C(b+c, i) / 2^(b+c)); 1 where there are none.

    Raises:
        UsageError: a count is negative.
        MissingExtraError: scipy is not installed.

    Source: McNemar 1947, doi:10.1007/BF02295996; exact by the binomial distribution, scipy.stats.binomtest.

    Example:
        >>> mcnemar(0, 6), mcnemar(0, 0)
        (0.03125, 1.0)
    """
    if min(only_first, only_second) < 0:
        raise UsageError(f"McNemar: expected counts from 0, found {only_first} and {only_second}")
    if only_first == only_second == 0:
        return 1.0
    with needs("McNemar's test"):
        from scipy import stats
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlip:
    """Result of a paired permutation test."""

    p: float
    """Two-sided, in (0, 1]."""
    exact: bool
    """Whether all signs were tried."""
    differing: int
    """Pairs whose difference is not 0."""


def sign_flip(differences: Sequence[float], *, seed: int, resamples: int = 9_999) -> SignFlip | None:
    """Test whether paired differences are centred on 0: how often do random signs give a sum as far from it?

    Exact with up to 14 pairs that differ: the share of all sign patterns whose sum is as far from 0 as the one found.
    With more, so many patterns are drawn, and p = (as far + 1) / (drawn + 1), which is never 0 and never too small.
    Nothing is assumed but that a difference and its negative are equally likely if the variants are alike; heavy tails,
    as costs have, do no harm. The order of the differences does not matter. None: there are no pairs.

    Raises:
        UsageError: a difference is not finite, or there are no resamples.
        MissingExtraError: numpy is not installed.

    Source: Fisher 1935, The Design of Experiments, section 21; the + 1: Phipson & Smyth 2010,
    doi:10.2202/1544-6115.1585.

    Example:
        >>> sign_flip([1.0, 2.0, 3.0, 0.0], seed=1)
        SignFlip(p=0.25, exact=True, differing=3)
    """
    if resamples < 1 or not all(math.isfinite(one) for one in differences):
        raise UsageError("a sign-flip test: expected finite differences and at least 1 resample")
    if not differences:
        return None
    with needs("a permutation test"):
        import numpy as np
    sizes = sorted(abs(one) for one in differences if one)
    # Sums that would tie without rounding must tie: scipy.stats.permutation_test only lets sums tie that are near each
    # other, relative to themselves, so that 0.1 + 0.2 - 0.3 does not tie with 0.
    found = abs(math.fsum(differences)) - 1e-12 * math.fsum(sizes)
    weights = np.array(sizes, dtype=np.float64)
    if len(sizes) <= EXACT_PAIRS:
        patterns = list(product((-1, 1), repeat=len(sizes)))
        far = _as_far(np.array(patterns), weights, found)
        return SignFlip(p=far / len(patterns), exact=True, differing=len(sizes))
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // len(sizes))
    rows = (min(step, resamples - start) for start in range(0, resamples, step))
    far = sum(_as_far(2 * rng.integers(0, 2, (count, len(sizes))) - 1, weights, found) for count in rows)
    return SignFlip(p=(far + 1) / (resamples + 1), exact=False, differing=len(sizes))


def _as_far(patterns: NDArray[np.int64], weights: NDArray[np.float64], found: float) -> int:
    """Of sign patterns, one per row, how many give a sum at least so far from 0."""
    return int((abs(patterns @ weights) >= found).sum())


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjust p-values so that the chance of any false finding among all of them stays at the level (Holm's step-down).

    By ascending p, the i-th of m (from 0) becomes max over j <= i of min(1, (m - j) * p_j). In the order given.

    Source: Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6:65-70.

    Example:
        >>> holm({"success": 0.01, "cost": 0.04, "latency": 0.03})
        {'success': 0.03, 'cost': 0.06, 'latency': 0.06}
    """
    adjusted: dict[str, float] = {}
    reached = 0.0
    for i, name in enumerate(sorted(p, key=lambda name: p[name])):
        reached = max(reached, min(1.0, (len(p) - i) * p[name]))
        adjusted[name] = reached
    return {name: adjusted[name] for name in p}


def detectable_proportion(n: int, discordance: float, *, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Find the least difference of two paired proportions that McNemar's test on n pairs finds with this power.

    Solves z(1-alpha/2) * sqrt(psi) + z(power) * sqrt(psi - d^2) = d * sqrt(n) for d, where psi is the share of
    pairs on which the variants differ. It gives d = k * sqrt(psi) with k = (z_a * sqrt(n) + z_b * sqrt(n + z_b^2 -
    z_a^2)) / (n + z_b^2). As d cannot exceed psi, psi is taken to be d where it is less: then d = k^2.

    In (0, 1]; None: so few pairs, less than z_a^2, find nothing, however large.

    Raises:
        UsageError: the discordance is not in [0, 1].

    Source: Connor 1987, Sample size for testing differences in proportions for the paired-sample design,
    doi:10.2307/2531961, solved for the difference; psi at least d is ours.

    Example:
        >>> round(detectable_proportion(100, 0.2) or 0, 4), detectable_proportion(3, 0.2)
        (0.1238, None)
    """
    if not 0 <= discordance <= 1:
        raise UsageError(f"discordance: expected a share in [0, 1], found {discordance}")
    normal = NormalDist()
    z_a, z_b = normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)
    if n < z_a**2:
        return None
    k = (z_a * math.sqrt(n) + z_b * math.sqrt(n + z_b**2 - z_a**2)) / (n + z_b**2)
    return k * max(math.sqrt(discordance), k)


def detectable_mean(differences: Sequence[float], *, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Find the least mean of paired differences that a paired test on as many pairs finds with this power.

    (t(1-alpha/2, n-1) + t(power, n-1)) * s / sqrt(n), with s the standard deviation of the differences found. In
    their unit, >= 0. None: fewer than 2 pairs, or all differ by the same, so that nothing is known of the spread.

    Raises:
        MissingExtraError: scipy is not installed.

    Source: Bloom 1995, Minimum Detectable Effects, doi:10.1177/0193841X9501900504.

    Example:
        >>> round(detectable_mean([1.0, -1.0, 1.0, -1.0, 0.0]) or 0, 3), detectable_mean([1.0])
        (1.662, None)
    """
    n = len(differences)
    if n < 2 or min(differences) == max(differences):
        return None
    with needs("a minimum detectable difference"):
        from scipy import stats
    mean = math.fsum(differences) / n
    error = math.sqrt(math.fsum((one - mean) ** 2 for one in differences) / (n - 1) / n)
    return float(stats.t.ppf(1 - alpha / 2, n - 1) + stats.t.ppf(power, n - 1)) * error
