"""One scenario tried once: as recorded, as a replay, or live; and then judged.

Trying and judging are apart: replays take place in virtual time, and a model that judges does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...protocols.contracts import Worker
from ...protocols.errors import EchelonError, UsageError
from ...protocols.messages import Budget
from ...supervisor.runs import Entry, run
from ..replay.modes import Decisions, Mode, Strict, Structural
from ..replay.replay import replay
from ..replay.reroute import Reroute
from ..scenario import Scenario
from ..scorecard import Coverage, Measured, Replayed
from ..scoring.measure import measure
from ..scoring.scorers import Attempt, Scorer
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


async def attempt(scenario: Scenario, job: Job, bench: Bench, repeat: int) -> Tried:
    """Try a scenario; whatever goes wrong with it is what came of it, not an error.

    Raises:
        UsageError: the mode needs a team and there is none.
    """
    if job.mode != "live" and not scenario.entries:
        return Tried(scenario=scenario, repeat=repeat, broken=UNRECORDED)
    if job.mode == "recorded":
        return Tried(scenario=scenario, repeat=repeat, entries=scenario.entries)
    if bench.worker is None:
        raise UsageError(f"mode {job.mode!r} needs a team: name one in the suite or with --team")
    try:
        tried = _live if job.mode == "live" else _replayed
        return await tried(scenario, job, bench, bench.worker, repeat)
    except EchelonError as error:
        return Tried(scenario=scenario, repeat=repeat, broken=str(error))


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
        entries=found.entries,
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
            replayed=tried.replayed,
            coverage=tried.coverage,
        )
    seen = Attempt(scenario=scenario, events=[entry.event for entry in tried.entries])
    scores = [await scorer.score(seen) for scorer in scorers]
    found = measure(scenario, tried.entries, scores, repeat=tried.repeat)
    return found.model_copy(update={"replayed": tried.replayed, "coverage": tried.coverage})
