"""A mean that is undefined where there is nothing to take it of."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean


def mean(figures: Iterable[float]) -> float | None:
    """The mean, the same in any order; of yes and no, the share of yes; None: there are no figures.

    Example:
        >>> mean([True, False]), mean([])
        (0.5, None)
    """
    found = list(figures)
    return fmean(found) if found else None
