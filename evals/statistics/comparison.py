"""Two variants on the same scenarios: what differs, how surely, and what could not have been seen.

The unit is the scenario. Its value is the mean over its repeats; a metric's difference is the mean over scenarios of
candidate minus baseline. Scenarios of one cluster, several runs of one task, are one pair in tests and are drawn
again together. A scenario that either variant has no value for, or that has an unscored repeat, is
unevaluable in that metric: it is named and left out, and nothing is put in its place.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...protocols.errors import UsageError
from .intervals import Bootstrap, Interval, bootstrap_ratio
from .paired import detectable_mean, detectable_proportion, holm, mcnemar, sign_flip

NAMED = 10
"""How many scenarios an error names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What one variant gave on one scenario."""

    task_hash: str
    """Of the input, the references and the checker: results of other tasks are not compared."""
    values: Mapping[str, Sequence[float | None]]
    """By metric, one per repeat; True and False are 1 and 0; None, or not finite, is unscored or unevaluable."""
    cluster: str = ""
    """Scenarios of one cluster are no independent pairs, and are drawn again together; "": it stands alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One metric of the candidate against the baseline's."""

    metric: str
    baseline: float | None
    candidate: float | None
    """Means over the evaluated scenarios; None: there are none."""
    difference: Interval
    """Candidate minus baseline, with its bounds from drawing scenarios again, pairs kept together."""
    test: Literal["McNemar, exact", "sign-flip, exact", "sign-flip, Monte Carlo", ""]
    """"": no test applies."""
    p: float | None
    p_holm: float | None
    """Adjusted for all metrics that were tested; None: no test applies."""
    detectable: float | None
    """Least difference that so many scenarios would have shown, power 0.8, level 0.05, not adjusted; None: unknown."""
    evaluated: tuple[str, ...]
    """Scenarios that the figures stand on, sorted."""
    unevaluable: tuple[str, ...]
    """The others that both variants have, sorted."""

    @property
    def coverage(self) -> float:
        """Share of scenarios that the figures stand on, in [0, 1]."""
        return len(self.evaluated) / (len(self.evaluated) + len(self.unevaluable))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """All metrics of two variants."""

    contrasts: tuple[Contrast, ...]
    """By metric, sorted; a metric that only some scenarios or one variant have is among them."""
    scenarios: tuple[str, ...]
    """That both variants have, sorted."""
    left_out: tuple[str, ...]
    """That only one variant has, sorted; empty unless only common ones were asked for."""


def compare(
    baseline: Mapping[str, Repeats],
    candidate: Mapping[str, Repeats],
    how: Bootstrap,
    *,
    scenarios: Literal["same", "common"] = "same",
    binary: Collection[str] | None = None,
) -> Compared:
    """Compare two variants, by scenario and for every metric.

    Where every value of a metric is 0 or 1 and there is one repeat, the test is McNemar's; otherwise it is a paired
    sign-flip permutation of the scenarios' differences, since repeats of a scenario are not independent pairs.

    Args:
        baseline: results by scenario.
        candidate: results by scenario.
        how: of the intervals; its seed is the permutation's too.
        scenarios: `same` refuses if one variant has scenarios that the other lacks; `common` leaves these out, and the
            result names them.
        binary: metrics that say yes or no; None: all whose values happen to be 0 and 1.

    Raises:
        UsageError: the variants have other scenarios, or none in common, or a scenario's task hash differs; it names
            the scenarios.
        MissingExtraError: scipy is not installed.

    Example:
        >>> before = {name: Repeats(task_hash=name, values={"success": [False]}) for name in "abc"}
        >>> after = {name: Repeats(task_hash=name, values={"success": [name != "a"]}) for name in "abc"}
        >>> found = compare(before, after, Bootstrap(seed=1)).contrasts[0]
        >>> round(found.difference.value or 0, 3), found.test, found.p_holm
        (0.667, 'McNemar, exact', 0.5)
    """
    common = sorted(baseline.keys() & candidate.keys())
    alone = sorted(baseline.keys() ^ candidate.keys())
    if alone and scenarios == "same":
        raise UsageError(
            f"a comparison: expected the same scenarios in both variants, found only in one: {_named(alone)}"
        )
    if not common:
        raise UsageError("a comparison: expected at least one scenario in both variants, found none")
    if changed := [name for name in common if baseline[name].task_hash != candidate[name].task_hash]:
        raise UsageError(f"a comparison: expected the same tasks, found other task hashes for: {_named(changed)}")
    metrics = sorted({metric for name in common for side in (baseline, candidate) for metric in side[name].values})
    both = {name: (baseline[name], candidate[name]) for name in common}
    found = [_contrast(metric, both, how, counted=binary is None or metric in binary) for metric in metrics]
    adjusted = holm({one.metric: one.p for one in found if one.p is not None})
    return Compared(
        contrasts=tuple(replace(one, p_holm=adjusted.get(one.metric)) for one in found),
        scenarios=tuple(common),
        left_out=tuple(alone),
    )


def _named(scenarios: Collection[str]) -> str:
    names = ", ".join(repr(name) for name in list(scenarios)[:NAMED])
    return names if len(scenarios) <= NAMED else f"{names} and {len(scenarios) - NAMED} more"


def _contrast(
    metric: str, results: Mapping[str, tuple[Repeats, Repeats]], how: Bootstrap, *, counted: bool
) -> Contrast:
    pairs = {
        name: (before, after)
        for name, (one, other) in results.items()
        if (before := _scored(one, metric)) and (after := _scored(other, metric))
    }
    means = {name: (_mean(before), _mean(after)) for name, (before, after) in pairs.items()}
    differences = {name: after - before for name, (before, after) in means.items()}
    clusters = _clusters(results, differences)
    sums = {key: (math.fsum(found), len(found)) for key, found in clusters.items()}
    each = [total * len(sums) / len(pairs) for total, _ in sums.values()]
    test, p, detectable = _test(pairs, each, how.seed, counted=counted)
    return Contrast(
        metric=metric,
        baseline=_mean([before for before, _ in means.values()]) if means else None,
        candidate=_mean([after for _, after in means.values()]) if means else None,
        difference=bootstrap_ratio(sums, how),
        test=test,
        p=p,
        p_holm=None,
        detectable=detectable,
        evaluated=tuple(pairs),
        unevaluable=tuple(name for name in results if name not in pairs),
    )


def _clusters(
    results: Mapping[str, tuple[Repeats, Repeats]], differences: Mapping[str, float]
) -> dict[str, list[float]]:
    """The differences of each cluster; a scenario that stands alone is one."""
    found: dict[str, list[float]] = {}
    for name, difference in differences.items():
        cluster = results[name][0].cluster
        found.setdefault(f" {cluster}" if cluster else name, []).append(difference)  # no scenario begins with a space
    return found


def _scored(repeats: Repeats, metric: str) -> list[float] | None:
    """The values of all repeats; None where there are none, or one of them is unscored."""
    values = repeats.values.get(metric, ())
    scored = [float(value) for value in values if value is not None and math.isfinite(value)]
    return scored if scored and len(scored) == len(values) else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _test(
    pairs: Mapping[str, tuple[list[float], list[float]]], differences: Sequence[float], seed: int, *, counted: bool
) -> tuple[Literal["McNemar, exact", "sign-flip, exact", "sign-flip, Monte Carlo", ""], float | None, float | None]:
    """Name of the test, its p, and the least difference that it would have shown; one difference per cluster."""
    alone = 0 < len(pairs) == len(differences)
    if counted and alone and all(side in ([0.0], [1.0]) for pair in pairs.values() for side in pair):
        lost, won = differences.count(-1.0), differences.count(1.0)
        return "McNemar, exact", mcnemar(lost, won), detectable_proportion(len(pairs), (lost + won) / len(pairs))
    flipped = sign_flip(differences, seed=seed)
    if flipped is None:
        return "", None, None
    name: Literal["sign-flip, exact", "sign-flip, Monte Carlo"] = (
        "sign-flip, exact" if flipped.exact else "sign-flip, Monte Carlo"
    )
    return name, flipped.p, detectable_mean(differences)
