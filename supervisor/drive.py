"""One drive of a run: from a claim to its end, or to where only people can go on."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

import anyio

from ..protocols.contracts import Calls, Clock, Listener, Model, Worker
from ..protocols.conversation import digest_of
from ..protocols.errors import DefinitionError, EchelonError, JournalError
from ..protocols.events import Answered, AnswerRefused, Cancelled, Claimed, Migrated, Parked, RunEnded, RunStarted
from ..protocols.messages import (
    NOTHING_USED,
    Answer,
    Budget,
    Failed,
    Failure,
    Handoff,
    In,
    JsonReport,
    Out,
    Waiting,
)
from ..protocols.recording import Recording
from ..protocols.storage import Store
from .answers import inbox, open_questions, verified_entries
from .clock import SystemClock
from .driver import accepted, guarded
from .hierarchy import changed, definitions
from .journal.memory import MemoryJournal
from .ledger import Account
from .log import Entry, Log
from .outcome import Outcome
from .place import Desk, Place

OnChange = Literal["refuse", "pin", "migrate"]
"""What to do when definitions have changed since the run began: refuse, go on just this once, or from now on."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run stands on beside its store."""

    models: Sequence[Model] = ()
    """For agents and planners that have none of their own, first choice first."""
    calls: Calls = Calls()
    """How patient the call layer is."""
    clock: Clock = SystemClock()
    labels: frozenset[str] = frozenset()
    """Labels of the task."""
    origin: str = ""
    """Where the worker was loaded from, e.g. `package.module:team`."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Kept with the run for whoever looks for it."""
    listening: Callable[[Sequence[Entry]], Listener] | None = None
    """Makes one more listener for every drive, given what the journal held before it; it must not raise."""
    recording: Recording | None = None
    """Stands for the world, so that the run is a replay; None: the world is touched."""


DEFAULTS = Settings()

NO_LIMITS = Budget(calls=None, depth=1_000, width=1_000_000, parallel=1_000_000, rounds=1_000)
"""Of a run that was given no budget: the workers' own hold."""


def begin(
    worker: Worker[In, Out],
    task: In,
    store: Store | None,
    budget: Budget | None,
    run_id: str | None,
    listen: Listener | None,
    settings: Settings,
) -> Drive[Out]:
    """The drive of a new run; nothing is durable yet.

    Raises:
        ShapeError: the task is not what the worker accepts.
    """
    store = store if store is not None else MemoryJournal()
    payload = worker.card.accepts.check(task)
    log = Log(run_id or f"run-{secrets.token_hex(6)}", store, settings.clock, listen)
    _have_heard(log, settings)
    started = RunStarted(
        run=log.run,
        worker=worker.card.name,
        task=worker.card.accepts.dump(payload),
        budget=budget or NO_LIMITS,
        definitions=definitions(worker),
        labels=settings.labels,
        origin=settings.origin,
        tags=dict(settings.tags),
    )
    log.write(started)
    log.write(_claim())
    return Drive(worker, started, log, store, settings, contested=run_id is not None)


async def take_up(
    worker: Worker[Any, Out],
    run_id: str,
    store: Store,
    on_change: OnChange,
    listen: Listener | None,
    settings: Settings,
) -> tuple[Drive[Out], JsonReport | None]:
    """The drive, and what the run has come to if there is nothing to drive."""
    records = await store.read(run_id)
    entries = verified_entries(run_id, records)
    started = entries[0].event
    if not isinstance(started, RunStarted):
        raise JournalError(f"run {run_id!r} does not begin with run_started but with {started.type}")
    log = Log(run_id, store, settings.clock, listen)
    log.load(entries, records[-1])
    _have_heard(log, settings)
    drive = Drive(worker, started, log, store, settings)
    last = entries[-1].event
    if isinstance(last, RunEnded):
        return drive, last.report
    now = definitions(worker)
    before = next((e.event.definitions for e in reversed(entries) if isinstance(e.event, RunStarted | Migrated)), now)
    if (changes := changed(before, now)) and on_change == "refuse":
        raise DefinitionError(run_id, changes)
    fresh = await drive.unseen()
    if isinstance(last, Parked) and not fresh:
        questions = tuple(open_questions([entry.event for entry in entries]))
        return drive, Waiting(questions=questions, usage=log.spent.get("", NOTHING_USED))
    log.write(_claim())
    if changes and on_change == "migrate":
        log.write(Migrated(changed=changes, definitions=now))
    return drive, None


def _have_heard(log: Log, settings: Settings) -> None:
    if settings.listening is not None:
        log.also = settings.listening(log.entries)


def _claim() -> Claimed:
    return Claimed(owner=f"pid {os.getpid()} {secrets.token_hex(4)}")


class Drive(Generic[Out]):
    """One drive of one run: from a claim to its end, or to where only people can go on."""

    def __init__(
        self,
        worker: Worker[Any, Out],
        started: RunStarted,
        log: Log,
        store: Store,
        settings: Settings,
        *,
        contested: bool = True,
    ) -> None:
        """Take the run; where nobody else can know its id, it is claimed with its first effect, not before."""
        self._worker = worker
        self._started = started
        self.log = log
        self._store = store
        self._desk = Desk(log, settings.clock, settings.calls, settings.recording)
        self._models = settings.models
        self._contested = contested
        self.called_off: str | None = "cancelled from outside"
        """What the journal says of a cancellation; None: nothing, so that the run is left as a crash would leave it."""

    async def go(self) -> Outcome[Out]:
        """Drive; a cancellation is written down before it passes, in the words of `called_off`."""
        try:
            if self._contested:
                await self.log.flush()
            report = await self._work()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                over = isinstance(self.log.entries[-1].event, RunEnded)
                if self.called_off is not None and not over:
                    self.log.write(Cancelled(reason=self.called_off))
                await self.log.flush()
            raise
        except EchelonError:
            with suppress(JournalError):  # what happened before the run broke off is worth keeping
                await self.log.flush()
            raise
        return self.outcome(report)

    def outcome(self, report: JsonReport) -> Outcome[Out]:
        """What the run has come to."""
        return Outcome(run=self.log.run, report=report, card=self._worker.card, entries=self.log.entries)

    async def unseen(self) -> list[Answer]:
        """Answers in the inbox that the journal does not hold; a run that has asked nothing need not look."""
        if not self.log.questions:
            return []
        answers = await inbox(self._store, self.log.run)
        known = self.log.answers.keys() | self.log.refused
        return [given for given in answers if given.question not in known]

    async def _work(self) -> JsonReport:
        while True:
            await self._take_answers()
            report = await guarded(self._hand_over())
            if not isinstance(report, Waiting):
                self.log.write(RunEnded(report=report))
                break
            if not await self.unseen():
                self.log.write(Parked(questions=tuple(question.id for question in report.questions)))
                break
        await self.log.flush()
        return report

    async def _hand_over(self) -> JsonReport:
        budget, labels = self._started.budget, self._started.labels
        account = Account("", budget, None, self.log.spent.get("", NOTHING_USED))
        place = Place(self._desk, "", budget, account, self._models, labels)
        task = self._worker.card.accepts.read(self._started.task)
        key = digest_of(self.log.run.encode())
        card = self._worker.card
        handoff: Handoff[Any] = Handoff(to=card.name, payload=task, budget=budget, labels=labels, key=key)
        seconds = None if card.depth else budget.seconds  # a supervisor minds its time, and keeps what is finished
        with anyio.move_on_after(seconds):
            return accepted(await guarded(self._worker.work(handoff, place)), card, None, place.spent)
        failure = Failure(kind="timeout", message=f"{card.name} was not done in {seconds:g} s")
        return Failed(failure=failure, usage=place.spent)

    async def _take_answers(self) -> None:
        for given in await self.unseen():
            if given.question in self.log.questions:
                self.log.write(Answered(path=self.log.questions[given.question].path, answer=given))
            else:
                self.log.write(AnswerRefused(answer=given, reason="this run has not asked that question"))
