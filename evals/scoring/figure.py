"""One figure over all measurements of a suite, with the interval of drawing tasks again.

The unit that is drawn is the task, by its hash: repeats of a scenario, and recordings of the same task, are alike and
stand or fall together. What is undefined stays undefined and says why.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ..scorecard import Better, Family, Measured, Metric, Unit
from ..statistics.intervals import Bootstrap, Interval, bootstrap, bootstrap_ratio

Tasks: TypeAlias = Mapping[str, Sequence[Measured]]
"""Measurements by the hash of their task."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a figure is, whatever its value."""

    name: str
    family: Family
    unit: Unit
    better: Better


def tasks_of(measured: Iterable[Measured]) -> Tasks:
    """Measurements by the hash of their task; those that could not be run or replayed are none."""
    found: defaultdict[str, list[Measured]] = defaultdict(list)
    for one in measured:
        if one.state in ("scored", "unscored"):
            found[one.task_hash].append(one)
    return found


def mean(kind: Kind, values: Mapping[str, Sequence[float]], how: Bootstrap, note: str = "") -> Metric:
    """Mean over all runs, tasks drawn again."""
    return ratio(kind, {task: (math.fsum(found), len(found)) for task, found in values.items() if found}, how, note)


def ratio(
    kind: Kind, pairs: Mapping[str, tuple[float, float]], how: Bootstrap, note: str = "", *, of: str = ""
) -> Metric:
    """Sum of numerators over sum of denominators, each task giving both; `of`: why there may be nothing below."""
    found = bootstrap_ratio(pairs, how)
    return _told(kind, found, note or (f"undefined:{of}" if of and found.value is None else ""))


def drawn_again(
    kind: Kind, clusters: Mapping[str, T], statistic: Callable[[Sequence[T]], float | None], how: Bootstrap
) -> Metric:
    """Any statistic of what each task gives."""
    return _told(kind, bootstrap(clusters, statistic, how), "")


def _told(kind: Kind, found: Interval, note: str) -> Metric:
    parts = [note, found.reason] if found.value is not None else [note or "undefined: nothing of that kind was judged"]
    return Metric(
        name=kind.name, family=kind.family, value=found.value, low=found.low, high=found.high, level=found.level,
        n=found.n, unit=kind.unit, better=kind.better, note="; ".join(part for part in parts if part),
    )  # fmt: skip


def plain(kind: Kind, value: float | None, n: int, how: Bootstrap, note: str = "") -> Metric:
    """A figure without an interval."""
    said = note or ("" if value is not None else "undefined: nothing of that kind happened")
    return Metric(
        name=kind.name, family=kind.family, value=value, level=how.level, n=n, unit=kind.unit, better=kind.better,
        note=said,
    )  # fmt: skip
