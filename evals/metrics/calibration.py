"""Whether workers are right as often as they say they are sure.

Confidence is cut into bins of equal width; with k bins, bin i holds (i/k, (i+1)/k], and the first one holds 0 too, as
in scikit-learn's calibration_curve. A figure over bins says nothing without their number, and depends on it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean
from typing import Final

from ...protocols.errors import UsageError
from .foreign import brier_score

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """How sure somebody was, and whether they were right.

    Raises:
        UsageError: the confidence is no share.
    """

    confidence: float
    """In [0, 1]."""
    right: bool

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise UsageError(f"an estimate: expected a confidence in [0, 1], found {self.confidence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One row of the reliability table: the estimates with a confidence in (low, high]."""

    low: float
    high: float
    confidence: float
    """Mean confidence."""
    right: float
    """Share of them that were right, in [0, 1]."""
    n: int
    """How many there are, >= 1."""


def brier(estimates: Sequence[Estimate]) -> float | None:
    """Mean of (confidence - right)^2, in [0, 1]; 0 is perfect; None: there are no estimates.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, for two outcomes.

    Example:
        >>> brier([Estimate(0.5, True), Estimate(1.0, True)]), brier([])
        (0.125, None)
    """
    if not estimates:
        return None
    return brier_score([one.right for one in estimates], [one.confidence for one in estimates])


def reliability(estimates: Iterable[Estimate], bins: int = BINS) -> tuple[Bin, ...]:
    """The reliability table, from low to high confidence; bins without estimates are left out.

    Raises:
        UsageError: there is not at least one bin.

    Source: Murphy and Winkler 1977, doi:10.2307/2346866.

    Example:
        >>> reliability([Estimate(0.5, True), Estimate(0.75, False), Estimate(1.0, True)], bins=2)[1]
        Bin(low=0.5, high=1.0, confidence=0.875, right=0.5, n=2)
    """
    if bins < 1:
        raise UsageError(f"a reliability table: expected at least one bin, found {bins}")
    edges = [i / bins for i in range(bins + 1)]
    held: dict[int, list[Estimate]] = {}
    for one in estimates:
        held.setdefault(bisect_left(edges, one.confidence, 1, bins), []).append(one)
    return tuple(
        Bin(
            low=edges[i - 1],
            high=edges[i],
            confidence=fmean(one.confidence for one in inside),
            right=fmean(one.right for one in inside),
            n=len(inside),
        )
        for i, inside in sorted(held.items())
    )


def expected_calibration_error(estimates: Iterable[Estimate], bins: int = BINS) -> float | None:
    """Mean distance of confidence and share right over the bins, each weighted by its estimates.

    The sum over bins of n_bin / n * |right_bin - confidence_bin|, in [0, 1]; 0 is perfect; None: there are no
    estimates.

    Raises:
        UsageError: there is not at least one bin.

    Source: Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602.

    Example:
        >>> expected_calibration_error([Estimate(0.75, True), Estimate(0.75, False)])
        0.25
    """
    table = reliability(estimates, bins)
    if not table:
        return None
    return fsum(row.n * abs(row.right - row.confidence) for row in table) / sum(row.n for row in table)
