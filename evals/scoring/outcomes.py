"""What came of runs and what they took: success, cost, time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ..metrics.cost import cost_per_success
from ..metrics.passk import pass_at_k, pass_hat_k
from ..scorecard import Measured, Metric
from ..statistics.intervals import Bootstrap
from .figure import Kind, Tasks, drawn_again, mean, plain, ratio


def success(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """Success rate over scored runs, and over several tries at each task pass@k and pass^k."""
    scored = {
        task: (sum(one.success == "yes" for one in runs), len(runs))
        for task, every in tasks.items()
        if (runs := [one for one in every if one.success != "unscored"])
    }
    unscored = sum(one.success == "unscored" for every in tasks.values() for one in every)
    note = f"{unscored} unscored runs left out" if unscored else ""
    yield ratio(Kind("success_rate", "success", "share", "higher"), scored, how, note)
    most = min((n for _, n in scored.values()), default=0)
    for k in range(1, min(most, 8) + 1):
        if most == 1:
            break
        pairs = {task: (n, c) for task, (c, n) in scored.items()}
        for name, estimate in (("pass@", pass_at_k), ("pass^", pass_hat_k)):
            yield drawn_again(Kind(f"{name}{k}", "success", "share", "higher"), pairs, _of_k(estimate, k), how)


Estimate: TypeAlias = Callable[[Sequence[tuple[int, int]], int], float | None]


def _of_k(estimate: Estimate, k: int) -> Callable[[Sequence[tuple[int, int]]], float | None]:
    return lambda drawn: estimate(drawn, k)


def cost(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """What runs cost, cached and uncached; per success over all runs; and what reviewing and repeating took of it.

    A run that called models and has no tokens is one of which nobody knows what it cost: it is left out, and said so.
    """
    known = {task: found for task, runs in tasks.items() if (found := [run for run in runs if is_known(run)])}
    lost = sum(len(runs) for runs in tasks.values()) - sum(len(runs) for runs in known.values())
    note = f"{lost} runs of unknown cost left out" if lost and known else ""
    calls = {task: [float(run.usage.calls) for run in runs] for task, runs in tasks.items()}
    yield mean(Kind("calls_per_run", "cost", "count", "lower"), calls, how)
    if not known:
        unknown = "undefined: nobody recorded what calls cost"
        for name in ("cost_per_run", "cost_per_success"):
            yield plain(Kind(name, "cost", "usd", "lower"), None, len(tasks), how, unknown)
        return
    yield mean(Kind("cost_per_run", "cost", "usd", "lower"), _usd(known), how, note)
    bare = {task: [run.usd_uncached for run in runs] for task, runs in known.items()}
    yield mean(Kind("cost_per_run_uncached", "cost", "usd", "lower"), bare, how, note)
    yield _per_success(known, how)
    for name, part in (("retry_share", _again), ("reviewer_share", _reviewing)):
        shares = {task: (math.fsum(map(part, runs)), math.fsum(map(_spent, runs))) for task, runs in known.items()}
        yield ratio(Kind(name, "cost", "share", "neither"), shares, how, of=" nothing was spent")
    tokens = {task: [float(run.usage.tokens) for run in runs] for task, runs in known.items()}
    yield mean(Kind("tokens_per_run", "cost", "count", "lower"), tokens, how, note)


def is_known(run: Measured) -> bool:
    """Whether it is known what a run cost."""
    return not run.usage.calls or bool(run.usage.tokens or run.usage.usd)


def _usd(tasks: Tasks) -> dict[str, list[float]]:
    return {task: [_spent(run) for run in runs] for task, runs in tasks.items()}


def _spent(run: Measured) -> float:
    return run.usage.usd


def _again(run: Measured) -> float:
    return run.again.usd


def _reviewing(run: Measured) -> float:
    return math.fsum(one.usage.usd for one in run.judged)


def _per_success(tasks: Tasks, how: Bootstrap) -> Metric:
    """Cost of ALL runs over successes; infinite if there is none."""
    kind = Kind("cost_per_success", "cost", "usd", "lower")
    every = [run for runs in tasks.values() for run in runs]
    said = [None if run.success == "unscored" else run.success == "yes" for run in every]
    value = cost_per_success([_spent(run) for run in every], said) if every else None
    pairs = {
        task: (math.fsum(map(_spent, runs)), float(sum(run.success == "yes" for run in runs)))
        for task, runs in tasks.items()
    }
    if value is None or not math.isfinite(value):
        note = "no run succeeded" if value is not None else "undefined: nobody has judged any run"
        return plain(kind, value, len(pairs), how, note)
    return ratio(kind, pairs, how)


def latency(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """Seconds per run on the run's clock, waits for people left out; undefined where no times were recorded."""
    seconds = {task: [run.seconds for run in runs] for task, runs in tasks.items()}
    kind = Kind("seconds_per_run", "latency", "seconds", "lower")
    if any(any(found) for found in seconds.values()):
        yield mean(kind, seconds, how)
    else:
        yield plain(kind, None, len(tasks), how, "undefined: no times were recorded")
