"""Alternating rounds: each contender in turn at each work, each time in a process of its own; then medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable

from pydantic_core import from_json

from .server import served

Figures = dict[str, float]

LINEUP: dict[str, tuple[str, ...]] = {
    "w1": ("echelon", "sdk", "httpx2"),
    "w2": ("echelon", "memory", "sdk", "httpx2"),
    "w3": ("echelon", "sdk", "httpx2"),
    "w4": ("echelon", "sdk", "httpx2"),
    "w5": ("echelon", "names", "model", "sdk", "httpx2"),
    "w6": ("echelon", "sdk", "httpx2"),
    "w8": ("echelon", "memory", "loop"),
    "w9": ("echelon", "sdk", "httpx2"),
    "w10": ("replay", "echelon"),
    "w11": ("replay",),
}
"""Who takes part in what; W7 is W2 of `echelon` less that of `memory`."""


class Samples:
    """What was measured: by contender and work, one set of figures per round."""

    def __init__(self) -> None:
        self.figures: defaultdict[str, list[Figures]] = defaultdict(list)
        """By `contender/work`."""

    def add(self, contender: str, work: str, figures: Figures) -> None:
        """Keep the figures of the next round."""
        self.figures[f"{contender}/{work}"].append(figures)

    def each(self, contender: str, work: str, figure: str) -> list[float]:
        """One figure, round by round; empty if it was not measured."""
        return [found[figure] for found in self.figures.get(f"{contender}/{work}", ())]

    def median(self, contender: str, work: str, figure: str) -> float | None:
        """The median over the rounds; None if it was not measured."""
        found = self.each(contender, work, figure)
        return statistics.median(found) if found else None

    def paired(self, work: str, figure: str, one: str, other: str, by: Callable[[float, float], float]) -> float | None:
        """The median over the rounds of what two contenders of the same round compare to; None if not measured.

        The machine is as fast for both of a round, and another in the next.
        """
        pairs = zip(self.each(one, work, figure), self.each(other, work, figure), strict=False)
        found = [by(*pair) for pair in pairs]
        return statistics.median(found) if found else None


def measure(contender: str, work: str, origin: str, scale: float) -> Figures:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.one", contender, work, "--url", origin, "--scale", str(scale)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = from_json(said)
    return figures


def sampled(works: list[str], rounds: int, scale: float, tell: Callable[[str], None]) -> Samples:
    """All contenders at these works; `tell` hears what is under way."""
    samples = Samples()
    with served() as origin:
        for number in range(1, rounds + 1):
            for work in works:
                for contender in LINEUP[work]:
                    tell(f"round {number} of {rounds}: {work} {contender}")
                    samples.add(contender, work, measure(contender, work, origin, scale))
    return samples
