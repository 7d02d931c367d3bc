"""A scorecard: all measurements of a suite summed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...protocols.conversation import digest_of
from ..metrics.routing import confusion
from ..scenario import Scenario
from ..scorecard import Confusion, Coverage, Measured, Metric, Mode, Scorecard
from ..statistics.intervals import Bootstrap
from .baselines import points, routing_figures, tried
from .delegating import choices_in, delegation, plan, routing, trajectory
from .figure import tasks_of
from .judging import confidence, reliability, reviewing
from .outcomes import cost, latency, success
from .replaying import replaying


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What was scored, and how."""

    suite: str
    variant: str
    mode: Mode
    repeats: int = 1
    seed: int = 0
    resamples: int = 2_000
    """Of every interval."""


def scorecard(scored: Scored, scenarios: Sequence[Scenario], measured: Iterable[Measured]) -> Scorecard:
    """Sum up; the same measurements give the same scorecard, in whatever order they came.

    Raises:
        MissingExtraError: numpy, scipy or scikit-learn is not installed.
    """
    told = sorted(measured, key=lambda one: (one.scenario, one.repeat))
    how = Bootstrap(seed=scored.seed, resamples=scored.resamples)
    arms = tried(scenarios, told)
    figures = [*metrics(told, how), *(routing_figures(arms, how) if arms else ())]
    matrix = confusion(choices_in(told))
    return Scorecard(
        suite=scored.suite,
        suite_digest=suite_digest(scenarios),
        variant=scored.variant,
        mode=scored.mode,
        repeats=scored.repeats,
        seed=scored.seed,
        scripted=any(one.header.source.scripted for one in scenarios),
        measured=tuple(told),
        metrics=tuple(figures),
        confusion=Confusion(labels=matrix.labels, counts=matrix.counts) if matrix.labels else None,
        points=points(arms) if arms else (),
        reliability=reliability(told),
        coverage=covered(told),
    )


def suite_digest(scenarios: Iterable[Scenario]) -> str:
    """Digest over ids and task hashes, whatever their order."""
    return digest_of(*(f"{one.id} {one.task_hash}".encode() for one in sorted(scenarios, key=lambda one: one.id)))


def metrics(measured: Sequence[Measured], how: Bootstrap) -> Iterator[Metric]:
    """All figures, family by family, in the order in which a reader asks."""
    tasks = tasks_of(measured)
    for family in (success, routing, delegation, plan, trajectory, cost, latency, reviewing, confidence):
        yield from family(tasks, how)
    yield from replaying(measured, how)


def covered(measured: Iterable[Measured]) -> Coverage:
    """The coverage of all measurements together."""
    every = [one.coverage for one in measured]
    return Coverage(
        exact=sum(one.exact for one in every),
        off_policy=sum(one.off_policy for one in every),
        assumed=sum(one.assumed for one in every),
        unevaluable=sum(one.unevaluable for one in every),
    )
