"""An axis with round numbers on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

SMALLEST, LARGEST = 1e-10, 1e300
"""What is nearer is one place; what is larger is as good as infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `low` to `high`, with ticks at round numbers."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where a value stands, as a share of the axis; what is beyond an end stands at the end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def axis(values: Iterable[float], most: int = 5, *, low: float | None = None, high: float | None = None) -> Axis:
    """An axis that holds all finite values, with at most `most` ticks; `low` and `high` fix an end.

    Example:
        >>> axis([0.013, 0.042], low=0.0).ticks
        (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
        >>> axis([0.55, 0.71], low=None, high=None).ticks
        (0.55, 0.6, 0.65, 0.7, 0.75)
    """
    finite = _drawable(values) or [0.0, 1.0]
    least = min(finite) if low is None else low
    greatest = max(finite) if high is None else high
    if greatest - least <= SMALLEST * max(1.0, abs(least), abs(greatest)):
        greatest = least + max(1.0, abs(least))
    step = _step((greatest - least) / most)
    first = math.floor(least / step + 1e-9) if low is None else math.ceil(least / step - 1e-9)
    last = math.ceil(greatest / step - 1e-9) if high is None else math.floor(greatest / step + 1e-9)
    ticks = tuple(_round(i * step) for i in range(first, last + 1))
    return Axis(
        low=ticks[0] if low is None else low,
        high=ticks[-1] if high is None else high,
        ticks=ticks,
    )


def symmetric(values: Iterable[float]) -> Axis:
    """An axis with zero in the middle that holds all finite values and their negatives."""
    far = max(map(abs, _drawable(values)), default=0.0) or 1.0
    end = axis([far], low=0.0).high
    return Axis(low=-end, high=end, ticks=(-end, 0.0, end))


def _drawable(values: Iterable[float]) -> list[float]:
    return [value for value in values if abs(value) < LARGEST]


def _step(least: float) -> float:
    """The next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if power * factor >= least * (1 - 1e-9))


def _round(value: float) -> float:
    return float(f"{value:.12g}") + 0.0
