"""Replay a scenario: an ordinary run of the worker as it is now, in which the recording stands for the world.

Enter virtual time first (`evals.virtual.in_virtual_time`), so that what took a minute takes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import anyio

from ...protocols.contracts import Worker
from ...protocols.conversation import Reply, Request
from ...protocols.errors import EchelonError, MissError, UsageError
from ...protocols.events import RunStarted
from ...protocols.prices import Price
from ...supervisor.runs import Entry, Outcome, Settings, history, resume, run
from ..scenario import Scenario
from ..scenarios.redaction import Redactor
from .modes import Mode, Strict
from .outside import closed
from .people import People
from .result import Replay
from .simplify import Simplify, simplifier
from .stage import Stage
from .world import RecordedWorld

STRICT = Strict()
PLAIN = Settings()


async def replay(
    worker: Worker,
    scenario: Scenario,
    *,
    mode: Mode = STRICT,
    settings: Settings = PLAIN,
    redact: Simplify | None = None,
) -> Replay:
    """Run the worker on a scenario's task over what was recorded; nothing outside is touched, nothing is paid.

    What effects took passes on the event loop's clock; people answer as they did, and nobody waits for them.

    Args:
        worker: the team, as it was or changed.
        scenario: with the journal of a run.
        mode: what may stand for what: `Strict`, `Structural`, `Decisions` or `Reroute`.
        settings: models that the run lent, if they are others than it had; clock, labels, origin and tags are the
            recording's.
        redact: what the scenario was redacted by, so that requests can be compared with redacted ones; None: what
            redacts by default, if it was redacted at all.
    """
    if redact is None and scenario.header.redactions:
        redact = Redactor().apply
    simplify = simplifier(scenario.header.volatile, redact)
    stage = Stage(scenario, worker, [model.name for model in settings.models], simplify)
    world = RecordedWorld(stage, mode)
    started = scenario.tape.started
    if started is None:
        error = f"scenario {scenario.id!r} holds no recorded run: it does not begin with run_started"
        return Replay(scenario=scenario, mode=mode, outcome=None, entries=(), error=error, world=world)
    people = People(scenario.tape, world.may_answer)
    begun = anyio.current_time()
    outcome, error = None, ""
    try:
        with closed(world.misses.append):
            outcome = await _played(worker, started, people, _as_recorded(settings, started, stage, world))
    except MissError:
        pass  # the world has taken note of it
    except EchelonError as failed:
        error = f"scenario {scenario.id!r} cannot be replayed: {type(failed).__name__}: {failed}"
    for miss in world.misses:
        miss.__traceback__ = None  # it would keep every frame of the replay
    return Replay(
        scenario=scenario,
        mode=mode,
        outcome=outcome,
        entries=await _entries(people, started.run) if outcome is None else outcome.entries,
        misses=tuple(world.misses),
        seconds=anyio.current_time() - begun,
        error=error,
        world=world,
    )


async def _played(worker: Worker, started: RunStarted, people: People, settings: Settings) -> Outcome:
    """The run and, as often as people's answers come, its resumption."""
    task = worker.card.accepts.read(started.task)
    run_id, listen = started.run, people.listen
    outcome = await run(
        worker, task, store=people, budget=started.budget, run_id=run_id, listen=listen, settings=settings
    )
    while outcome.questions and people.come():
        outcome = await resume(worker, run_id, store=people, listen=listen, settings=settings)
    return outcome


async def _entries(people: People, run_id: str) -> Sequence[Entry]:
    """The journal of a replay that broke off; empty if it broke off before its first event."""
    return await history(people, run_id) if await people.read(run_id) else ()


def _as_recorded(settings: Settings, started: RunStarted, stage: Stage, world: RecordedWorld) -> Settings:
    """What the run stood on, over the recording."""
    return replace(
        settings,
        models=settings.models or [StandIn(name, stage.price(name)) for name in stage.lent()],
        recording=world,
        clock=RecordedClock(stage.tape.entries[0].at),
        labels=started.labels,
        origin=started.origin,
        tags=started.tags,
    )


class RecordedClock:
    """The wall clock of a replay: it begins when the recorded run did, and goes with the event loop's.

    Args:
        at: when the recorded run began, in seconds since the epoch.
    """

    def __init__(self, at: float) -> None:
        try:
            self._time = asyncio.get_running_loop().time  # asked for every event, and ten times as fast as anyio's
        except RuntimeError:
            self._time = anyio.current_time
        self._ahead = at - self._time()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._ahead + self._time()


@dataclass(frozen=True, slots=True)
class StandIn:
    """Stands for a model that the run lent and the replay was not given: known by name and price alone."""

    name: str
    price: Price

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Never asked: the recording answers.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"model {self.name!r} only stands for one that was recorded")
