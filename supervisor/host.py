"""Hosts the runs of some teams on one store: begins them, drives them, parks them, and takes them up after a crash.

1. `begin` writes the run's first events, durably, and then drives it in the background, whoever watches.
2. A run that waits for people is parked: it costs no task. An answer, given here or left in the inbox by any other
   process, has it driven again. An answer that arrives while a drive ends has it driven once more.
3. One drive per run at a time; the store's fence holds against everybody else.
4. At its start a host takes up what a crash left under way, and finds what waits; only runs that a host began, of teams
   that it has.
5. At its end it waits for a while, and leaves the rest as a crash would leave it: to be taken up by the next.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio
import anyio.lowlevel

from ..protocols.contracts import Card, Worker
from ..protocols.conversation import Delta, digest_of
from ..protocols.errors import AnswerError, JournalError
from ..protocols.events import Cancelled
from ..protocols.gateway.runs import Order, Seen, Standing, Tally
from ..protocols.messages import Answer, Json
from ..protocols.storage import Archive, RunStatus
from .answers import answer, history, verified_entries
from .drive import DEFAULTS, Settings, begin
from .driving import USUAL, Drives, Limits
from .live import seen
from .log import Entry
from .register import Register
from .roster import Roster
from .standing import Origin, standing, tags_of
from .watching import Watcher

__all__ = ["Host", "Limits"]

logger = logging.getLogger(__name__)


class Host:
    """Implements `Runs`; enter it, and leave it in the same task.

    Args:
        teams: workers by the name under which they are served.
        store: where their runs are kept; nobody else may write to it meanwhile.
        settings: models to inherit, patience, clock; labels of every task.
        limits: what is allowed.
        origins: where each team was loaded from, by name, for a later resume by command.
    """

    def __init__(
        self,
        teams: Mapping[str, Worker],
        store: Archive,
        settings: Settings = DEFAULTS,
        limits: Limits = USUAL,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._roster = Roster(teams)
        self._store = store
        self._settings = settings
        self._limits = limits
        self._loaded_from = dict(origins or {})
        self._register = Register()
        self._drives = Drives(self._roster, self._register, store, settings, limits)
        self._beginning: dict[str, anyio.Event] = {}

    @property
    def teams(self) -> Mapping[str, Card]:
        """The served teams by name, in the order in which they were named."""
        return self._roster.cards

    @property
    def tally(self) -> Tally:
        """What has been done since this host began."""
        return self._drives.tally

    async def __aenter__(self) -> Self:
        """Find the runs of these teams, and take up those that were under way.

        Raises:
            BusyError: another process writes to the store.
        """
        await self._store.open()
        for first in await self._store.firsts():
            origin = Origin.of(first)
            if origin is not None and origin.team in self._roster.cards:
                self._register.enter(first.run, origin)
        summaries = await self._store.runs()
        await self._drives.__aenter__()
        for summary in summaries:
            if summary.run in self._register and summary.status == "waiting":
                self._register.parked.add(summary.run)
            elif summary.run in self._register and summary.status == "running":
                self._drives.take_up(summary.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for what is under way, as long as the limits say; after an error, not at all."""
        try:
            await self.drain(self._limits.drain if error is None else 0.0)
        finally:
            await self._drives.__aexit__(kind, error, traceback)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, give what is under way some time, and leave the rest to the next host."""
        await self._drives.drain(seconds)

    async def begin(self, order: Order) -> str:
        """Begin the run of an order, durably, and give its id; a known order's run is given as it is."""
        run = _id_of(order)
        while (other := self._beginning.get(run)) is not None:
            await other.wait()
        if run in self._register:
            return run
        worker, task = self._roster.assign(order.team, order.task)
        settings = replace(self._settings, tags=tags_of(order), origin=self._loaded_from.get(order.team, ""))
        self._beginning[run] = anyio.Event()
        try:
            with self._drives.slot():
                drive = begin(worker, task, self._store, self._limits.budget, run, None, settings)
                with anyio.CancelScope(shield=True):  # what is written must be driven, even if the caller hangs up
                    await drive.log.flush()
        finally:
            self._beginning.pop(run).set()
        self._register.enter(run, Origin.from_order(order, worker.card.name, drive.log.entries[0].at))
        self._drives.begin(run, drive)
        return run

    @asynccontextmanager
    async def watch(self, run_id: str, *, after: int = 0) -> AsyncGenerator[AsyncIterator[Seen | Delta]]:
        """Every event with a higher seq, from the journal and then as they are written, with text between."""
        self._register.origin(run_id)
        if run_id not in self._drives.live:
            past = seen(await history(self._store, run_id))
            if run_id not in self._drives.live:  # nor was it taken up meanwhile
                watcher = Watcher(after)
                watcher.recall(past)
                watcher.end()
                yield watcher
                return
        live = self._drives.live[run_id]
        watcher = live.attach(after)
        try:
            yield watcher
        finally:
            live.leave(watcher)

    async def standing(self, run_id: str) -> Standing:
        """How a run stands, as journalled."""
        origin, live = self._register.origin(run_id), self._drives.live.get(run_id)
        given = frozenset(live.given) if live is not None else frozenset[str]()
        if live is not None and live.entries:
            return standing(run_id, origin, live.entries, given)
        if live is None and (known := self._register.recalled(run_id)) is not None:
            return known
        changes = self._register.changes
        records = await self._store.read(run_id)
        found = standing(run_id, origin, verified_entries(run_id, records), given)
        if live is None:
            self._register.remember(found, len(records[-1].body), changes)
        return found

    async def find(
        self, *, thread: str = "", principal: str = "", status: RunStatus | None = None
    ) -> Sequence[Standing]:
        """Runs of this host's teams, the most recently updated first; ones that cannot be read are left out."""
        found: list[Standing] = []
        for run in self._register.candidates(thread, status, self._drives.live):
            if principal not in ("", self._register.origin(run).principal):
                continue
            try:
                stands = await self.standing(run)
            except JournalError as error:
                logger.warning("run %s cannot be shown: %s", run, error)
                continue
            if status in (None, stands.status):
                found.append(stands)
        return sorted(found, key=lambda stands: (-stands.updated, stands.run))

    async def events(self, run_id: str) -> Sequence[Seen]:
        """Everything that has happened so far."""
        self._register.origin(run_id)
        return seen(await self._entries(run_id))

    async def answer(
        self, run_id: str, question_id: str, *, approved: bool, by: str, value: Json = None, note: str = ""
    ) -> Answer:
        """Take a person's answer, durably, once, and let the run go on in the background.

        A value that is not of the asked shape is not taken, and neither is any answer to a run that could not go on
        with it: the question stays open.
        """
        origin = self._register.origin(run_id)
        events = [entry.event for entry in await self._entries(run_id)]
        if isinstance(events[-1], Cancelled):
            raise AnswerError(f"run {run_id!r} was called off: {events[-1].reason}")
        self._roster.check_answer(origin, events, question_id, approved=approved, value=value)
        try:
            given = await answer(self._store, run_id, question_id, approved=approved, by=by, value=value, note=note)
        finally:  # an answer that is taken must wake the run, even if the caller hangs up meanwhile
            if not self._drives.closing:
                live = self._drives.live.get(run_id) or self._drives.take_up(run_id)
                live.again = True
        if run_id in self._drives.live:
            self._drives.live[run_id].given.add(question_id)
        return given

    async def cancel(self, run_id: str, *, reason: str) -> None:
        """Call a run off, and wait until the journal says so; one that is over stays as it is."""
        live = self._drives.live.get(run_id)
        if live is None and (await self.standing(run_id)).status in ("running", "waiting"):
            live = self._drives.live.get(run_id) or self._drives.take_up(run_id)
        if live is not None:
            live.call_off(reason)
            await live.over.wait()

    async def audit(self, *, principal: str = "") -> Mapping[str, str]:
        """Read the journal of every run anew: what is wrong with each, by its id; "": its chain is intact."""
        found: dict[str, str] = {}
        for run in self._register.candidates("", None, ()):
            if principal in ("", self._register.origin(run).principal):
                try:
                    await history(self._store, run)
                except JournalError as error:
                    found[run] = str(error)
                else:
                    found[run] = ""
                await anyio.lowlevel.checkpoint()  # others are served between two runs
        return found

    async def _entries(self, run: str) -> Sequence[Entry]:
        live = self._drives.live.get(run)
        return (live.entries if live is not None else ()) or await history(self._store, run)


def _id_of(order: Order) -> str:
    """The run of an order: with a key always the same, else a fresh one."""
    if not order.key:
        return f"run-{secrets.token_hex(12)}"
    return "run-" + digest_of(order.principal.encode(), order.team.encode(), order.key.encode())[:24]
