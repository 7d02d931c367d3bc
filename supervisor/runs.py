"""Runs: begin one, watch it, resume it, answer what it asks."""

from __future__ import annotations

import math
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic

import anyio

from ..protocols.contracts import Listener, Worker
from ..protocols.conversation import Delta
from ..protocols.errors import JournalError
from ..protocols.events import Event
from ..protocols.messages import Budget, Failed, Failure, In, Out
from ..protocols.storage import Store
from .answers import answer, history, open_questions
from .drive import DEFAULTS, Drive, OnChange, Settings, begin, take_up
from .hierarchy import definitions, members
from .journal.memory import MemoryJournal
from .log import Entry
from .outcome import Outcome
from .views.bill import bill

__all__ = [
    "Entry",
    "MemoryJournal",
    "OnChange",
    "Outcome",
    "Run",
    "Settings",
    "answer",
    "definitions",
    "history",
    "members",
    "open_questions",
    "resume",
    "run",
    "start",
]


async def run(
    worker: Worker[In, Out],
    task: In,
    *,
    store: Store | None = None,
    budget: Budget | None = None,
    run_id: str | None = None,
    listen: Listener | None = None,
    settings: Settings = DEFAULTS,
) -> Outcome[Out]:
    """Give a task to a worker and wait until it has ended, or only people can go on.

    Args:
        worker: any worker; most often a supervisor.
        task: an instance of what the worker accepts, or JSON for it.
        store: where the events go; None: memory, so that the run cannot outlive this process.
        budget: limits of the whole run, beside those of the worker; None: only the worker's.
        run_id: up to 64 letters, digits, `-` and `_`; None: a fresh one.
        listen: told of every event as it is written, and of every piece of text as models say it.
        settings: models to inherit, patience, clock, labels.

    Raises:
        ShapeError: the task is not what the worker accepts.
        FencedError: there is a run of that id already.
        JournalError: the store cannot be written.
    """
    drive = begin(worker, task, store, budget, run_id, listen, settings)
    return await drive.go()


async def resume(
    worker: Worker[Any, Out],
    run_id: str,
    *,
    store: Store,
    on_change: OnChange = "refuse",
    listen: Listener | None = None,
    settings: Settings = DEFAULTS,
) -> Outcome[Out]:
    """Take a run up where it stopped: after a crash, a cancellation, or an answer.

    A run that has ended is not driven again; its outcome is read from the journal.

    Raises:
        UnknownRunError: there is no such run.
        DefinitionError: definitions have changed since, and `on_change` is `refuse`.
        DamagedError: the journal of the run is damaged.
        FencedError: another process drives it.
    """
    drive, report = await take_up(worker, run_id, store, on_change, listen, settings)
    if report is not None:
        return drive.outcome(report)
    return await drive.go()


class Run(Generic[Out]):
    """A run under way: iterate over it to see what happens, then ask for its outcome."""

    def __init__(self, run_id: str, cancel: anyio.CancelScope) -> None:
        self.id = run_id
        self._send, self._receive = anyio.create_memory_object_stream[Event | Delta](math.inf)
        self._over = anyio.Event()
        self._outcome: Outcome[Out] | None = None
        self._error: Exception | None = None
        self._scope = cancel

    def __aiter__(self) -> AsyncIterator[Event | Delta]:
        """Events as they are written, and pieces of text as models say them, until nothing more can happen."""
        return self

    async def __anext__(self) -> Event | Delta:
        """The next one that nobody has seen."""
        try:
            return await self._receive.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise StopAsyncIteration from None

    def hear(self, seen: Event | Delta) -> None:
        """Pass on to whoever iterates; nobody has to."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._send.send_nowait(seen)

    async def follow(self, drive: Drive[Out]) -> None:
        """Drive to the end of it."""
        try:
            with self._scope:
                self._outcome = await drive.go()
            if self._scope.cancelled_caught:
                failure = Failure(kind="cancelled", message="the run was called off")
                usage = bill(entry.event for entry in drive.log.entries).total
                self._outcome = drive.outcome(Failed(failure=failure, usage=usage))
        except Exception as error:
            self._error = error
        finally:
            self._send.close()
            self._over.set()

    async def outcome(self) -> Outcome[Out]:
        """Wait for the end of the drive.

        Raises:
            FencedError: there is a run of that id already.
            JournalError: the store cannot be written.
        """
        await self._over.wait()
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            raise JournalError(f"run {self.id!r} broke off: the block that started it was left")
        return self._outcome

    def close(self) -> None:
        """Show nothing more."""
        self._send.close()
        self._receive.close()

    def cancel(self) -> None:
        """Call the run off: everything under way ends at once, and the journal says so."""
        self._scope.cancel()


@asynccontextmanager
async def start(
    worker: Worker[In, Out],
    task: In,
    *,
    store: Store | None = None,
    budget: Budget | None = None,
    run_id: str | None = None,
    settings: Settings = DEFAULTS,
) -> AsyncGenerator[Run[Out]]:
    """Begin a run and watch it; leaving the block cancels what is still under way.

    Raises:
        ShapeError: the task is not what the worker accepts.
    """
    scope = anyio.CancelScope()
    under_way: Run[Out] = Run(run_id or f"run-{secrets.token_hex(6)}", scope)
    raised: Exception | None = None
    try:
        drive = begin(worker, task, store, budget, under_way.id, under_way.hear, settings)
        async with anyio.create_task_group() as group:
            group.start_soon(under_way.follow, drive)
            try:
                yield under_way
            except Exception as error:
                raised = error  # raised below as it is: the group would wrap it
            group.cancel_scope.cancel()
    finally:
        under_way.close()
    if raised is not None:
        raise raised
