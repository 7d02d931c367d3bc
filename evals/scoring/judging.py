"""Whether those who judge are right: the reviewer about drafts, and workers about themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..metrics.calibration import BINS, Estimate, brier, expected_calibration_error
from ..metrics.calibration import reliability as table
from ..metrics.reviewer import (
    Review,
    accept_rate,
    cost_per_caught_error,
    false_accept_rate,
    false_reject_rate,
    kappa,
    tally,
)
from ..scorecard import Measured, Metric, Reliability
from ..statistics.intervals import Bootstrap
from .figure import Kind, Tasks, drawn_again, plain


def reviewing(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """What the reviewer lets pass and what it stops, against labels; what is no verdict is counted apart."""
    looks = {task: found for task, runs in tasks.items() if (found := _reviews(runs))}
    if not looks:
        return

    def over(figure: Callable[[list[Review]], float | None]) -> Callable[[Sequence[list[Review]]], float | None]:
        return lambda drawn: figure([one for reviews in drawn for one in reviews])

    every = [one for reviews in looks.values() for one in reviews]
    silent = {verdict: n for verdict, n in tally(every).items() if verdict in ("abstain", "unparseable") and n}
    note = ", ".join(f"{n} {verdict}" for verdict, n in silent.items())
    yield drawn_again(Kind("accept_rate", "reviewer", "share", "neither"), looks, over(accept_rate), how).model_copy(
        update={"note": f"{note} apart"} if note else {}
    )
    labelled = {task: found for task, found in looks.items() if any(one.should_accept is not None for one in found)}
    if not labelled:
        return
    for name, figure in (("false_accept", false_accept_rate), ("false_reject", false_reject_rate)):
        yield drawn_again(Kind(name, "reviewer", "share", "lower"), labelled, over(figure), how)
    yield plain(Kind("reviewer_kappa", "reviewer", "score", "higher"), kappa(every), len(labelled), how)
    cost = Kind("cost_per_caught_error", "reviewer", "usd", "lower")
    yield plain(cost, cost_per_caught_error(every), len(labelled), how)


def _reviews(runs: Iterable[Measured]) -> list[Review]:
    return [
        Review(verdict=one.verdict, should_accept=one.should_accept, usd=one.usage.usd)
        for run in runs
        for one in run.judged
    ]


def confidence(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """Whether workers are right as often as they say they are sure."""
    said = {task: found for task, runs in tasks.items() if (found := estimates(runs))}
    if not said:
        return

    def over(
        figure: Callable[[list[Estimate]], float | None],
    ) -> Callable[[Sequence[list[Estimate]]], float | None]:
        return lambda drawn: figure([one for found in drawn for one in found])

    yield drawn_again(Kind("brier", "calibration", "score", "lower"), said, over(brier), how)
    error = drawn_again(
        Kind("calibration_error", "calibration", "share", "lower"), said, over(expected_calibration_error), how
    )
    yield error.model_copy(update={"note": "; ".join(filter(None, (f"{BINS} bins of equal width", error.note)))})


def estimates(runs: Iterable[Measured]) -> list[Estimate]:
    """How sure workers were, where it is known whether they were right."""
    return [Estimate(one.confidence, one.right) for run in runs for one in run.sure if one.right is not None]


def reliability(runs: Iterable[Measured]) -> tuple[Reliability, ...]:
    """The reliability diagram's rows."""
    return tuple(
        Reliability(low=row.low, high=row.high, confidence=row.confidence, right=row.right, n=row.n)
        for row in table(estimates(runs))
    )
