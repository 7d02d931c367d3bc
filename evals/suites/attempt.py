"""One scenario tried once: as recorded, as a replay, or live; and then judged.

Trying and judging are apart: replays take place in virtual time, and a model that judges does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...protocols.contracts import Worker
from ...protocols.errors import EchelonError, UsageError
from ...protocols.messages import Budget
from ...supervisor.runs import Entry, run
from ..replay.filling import filled
from ..replay.modes import Decisions, Mode, Strict, Structural
from ..replay.replay import replay
from ..replay.reroute import Reroute
from ..scenario import Scenario
from ..scorecard import Coverage, Measured, Replayed, Routed, Unknown
from ..scoring.measure import measure, routed
from ..scoring.scorers import Attempt, Scorer
from ..whatif.changes import change_of
from ..whatif.targets import Target
from ..whatif.trying import asked
from .job import Bench, Job

UNRECORDED = "nothing was recorded: it is a task without a run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of trying a scenario once."""

    scenario: Scenario
    repeat: int
    entries: Sequence[Entry] = ()
    broken: str = ""
    """Why there is nothing to judge; "": there is."""
    unevaluable: str = ""
    """Why the replay could not go on; "": it could."""
    replayed: Replayed | None = None
    coverage: Coverage = Coverage()
    targets: Mapping[str, Target] = field(default_factory=dict[str, Target])
    """What-if: by path of the step, how likely each worker would have been to get what was drawn."""
    unknown: tuple[Unknown, ...] = ()
    """Figures that nobody knows."""


async def attempt(scenario: Scenario, job: Job, bench: Bench, repeat: int) -> Tried:
    """Try a scenario; whatever goes wrong with it is what came of it, not an error.

    Raises:
        UsageError: the mode needs a team and there is none.
    """
    if job.mode != "live" and not scenario.entries:
        return Tried(scenario=scenario, repeat=repeat, broken=UNRECORDED)
    if job.mode == "recorded" and job.change is None:
        return Tried(scenario=scenario, repeat=repeat, entries=scenario.entries)
    worker = None if job.mode == "recorded" else _team(job, bench)
    try:
        if worker is None or (job.mode == "reroute" and job.change is not None):
            return await _asked(scenario, job, worker, repeat)
        tried = _live if job.mode == "live" else _replayed
        return await tried(scenario, job, bench, worker, repeat)
    except EchelonError as error:
        return Tried(scenario=scenario, repeat=repeat, broken=str(error))


def _team(job: Job, bench: Bench) -> Worker:
    if bench.worker is None:
        raise UsageError(f"mode {job.mode!r} needs a team: name one in the suite or with --team")
    return bench.worker


async def _asked(scenario: Scenario, job: Job, worker: Worker | None, repeat: int) -> Tried:
    """What a change would have come to; without a team, another price."""
    found = await asked(worker, scenario, change_of(job.change))
    return Tried(
        scenario=found.scenario,
        repeat=repeat,
        entries=found.entries,
        unevaluable=found.unevaluable,
        replayed=found.replayed,
        coverage=found.coverage,
        targets=found.targets,
        unknown=found.unknown,
    )


async def _live(scenario: Scenario, job: Job, bench: Bench, worker: Worker, repeat: int) -> Tried:
    budget = Budget(usd=job.usd) if job.usd is not None else None
    outcome = await run(worker, scenario.header.input, budget=budget, settings=bench.settings)
    return Tried(scenario=scenario, repeat=repeat, entries=outcome.entries)


async def _replayed(scenario: Scenario, job: Job, bench: Bench, worker: Worker, repeat: int) -> Tried:
    found = await replay(worker, scenario, mode=mode_of(job), settings=bench.settings)
    missed = found.error or (str(found.misses[0]) if found.misses else "")
    return Tried(
        scenario=scenario,
        repeat=repeat,
        entries=list(filled(found.entries, scenario.tape, found.world.told)),
        unevaluable=missed,
        replayed=found.replayed,
        coverage=found.coverage,
    )


def mode_of(job: Job) -> Mode:
    """The replay's mode that a job names.

    Raises:
        UsageError: it is no replay.
    """
    match job.mode:
        case "strict":
            return Strict()
        case "structural":
            return Structural(fields=job.tolerate)
        case "decisions":
            return Decisions()
        case "reroute":
            return Reroute()
        case _:
            raise UsageError(f"mode {job.mode!r} is no replay")


async def judged(tried: Tried, scorers: Sequence[Scorer]) -> Measured:
    """Let the scorers judge, and measure."""
    scenario = tried.scenario
    if why := tried.broken or tried.unevaluable:
        return Measured(
            scenario=scenario.id,
            repeat=tried.repeat,
            task_hash=scenario.task_hash,
            tags=scenario.header.tags,
            state="broken" if tried.broken else "unevaluable",
            why=why,
            routed=tuple(_drawn(tried)),
            replayed=tried.replayed,
            coverage=tried.coverage,
            unknown=tried.unknown,
        )
    seen = Attempt(scenario=scenario, events=[entry.event for entry in tried.entries])
    scores = [await scorer.score(seen) for scorer in scorers]
    found = measure(scenario, tried.entries, scores, repeat=tried.repeat)
    more = {"replayed": tried.replayed, "coverage": tried.coverage, "unknown": tried.unknown}
    return found.model_copy(update={"routed": tuple(_aimed(found.routed, tried.targets)), **more})


def _drawn(tried: Tried) -> Iterator[Routed]:
    """Of a run that broke off, the choices that a what-if must know to weigh it."""
    if tried.targets:
        told = routed([entry.event for entry in tried.entries], tried.scenario.reference)
        yield from (one for one in _aimed(told, tried.targets) if one.target)


def _aimed(told: Iterable[Routed], targets: Mapping[str, Target]) -> Iterator[Routed]:
    """The choices, each with how likely a changed team is to make which."""
    for one in told:
        yield one.model_copy(update={"target": targets[one.step]}) if one.step in targets else one
