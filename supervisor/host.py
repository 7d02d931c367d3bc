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
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import anyio

from ..protocols.contracts import Card, Worker
from ..protocols.conversation import Delta, digest_of
from ..protocols.errors import AnswerError, CrowdedError, JournalError, UnknownRunError
from ..protocols.events import Cancelled, EffectFailed, EffectFinished, Event, RunEnded
from ..protocols.gateway.runs import Order, Seen, Standing, Tally
from ..protocols.messages import NOTHING_USED, Answer, Budget, Json
from ..protocols.storage import Archive, RunStatus
from .answers import answer, history, verified_entries
from .drive import DEFAULTS, NO_LIMITS, OnChange, Settings, begin, take_up
from .live import Live, seen
from .log import Entry, Log, status_after
from .roster import Roster
from .standing import Origin, standing, tags_of
from .watching import Watcher

logger = logging.getLogger(__name__)

KEPT = 4_096
"""Standings of runs at rest that are remembered at most."""
KEPT_BYTES = 16 * 1024
"""Of a run's last event, beyond which its standing is not remembered."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a host allows."""

    runs: int = 32
    """Driven at the same moment; an order beyond is refused, an answered run waits for its turn."""
    budget: Budget = NO_LIMITS.model_copy(update={"seconds": 3_600.0})
    """Of each run, beside those of its team."""
    drain: float = 20.0
    """Seconds that runs under way are given when the host ends."""
    listen: float | None = 2.0
    """Seconds between looks at the inbox for answers that other processes left; None: only one, at the start."""
    on_change: OnChange = "refuse"
    """What becomes of runs whose team's definitions have changed since they began."""


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
        limits: Limits = Limits(),
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._roster = Roster(teams)
        self._store = store
        self._settings = settings
        self._limits = limits
        self._loaded_from = dict(origins or {})
        self._origins: dict[str, Origin] = {}
        """Who asked for each run, by its id: all that is kept of a run at rest."""
        self._threads: defaultdict[str, list[str]] = defaultdict(list)
        """The runs of each thread, the first one first."""
        self._parked: set[str] = set()
        self._live: dict[str, Live] = {}
        self._beginning: dict[str, anyio.Event] = {}
        self._standings: dict[str, Standing] = {}
        self._admissions = 0
        self._slots = anyio.Semaphore(limits.runs)
        self._turned: Counter[RunStatus] = Counter()
        self._spent = NOTHING_USED
        self._closing = self._left = False

    @property
    def teams(self) -> Mapping[str, Card]:
        """The served teams by name, in the order in which they were named."""
        return self._roster.cards

    @property
    def tally(self) -> Tally:
        """What has been done since this host began."""
        limit = 0 if self._closing else self._limits.runs
        return Tally(active=len(self._live), limit=limit, turned=dict(self._turned), usage=self._spent)

    async def __aenter__(self) -> Self:
        """Find the runs of these teams, and take up those that were under way.

        Raises:
            BusyError: another process writes to the store.
        """
        await self._store.open()
        for first in await self._store.firsts():
            origin = Origin.of(first)
            if origin is not None and origin.team in self._roster.cards:
                self._register(first.run, origin)
        summaries = await self._store.runs()
        self._ears = anyio.CancelScope()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        for summary in summaries:
            if summary.run in self._origins and summary.status == "waiting":
                self._parked.add(summary.run)
            elif summary.run in self._origins and summary.status == "running":
                self._enlist(summary.run)
        self._group.start_soon(self._listen)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for what is under way, as long as the limits say; after an error, not at all."""
        try:
            await self.drain(self._limits.drain if error is None else 0.0)
        finally:
            self._leave()
            await self._group.__aexit__(None, None, None)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, give what is under way some time, and leave the rest to the next host."""
        self._closing = True
        with anyio.move_on_after(seconds):
            for live in list(self._live.values()):
                await live.over.wait()
        self._leave()

    def _leave(self) -> None:
        """End every drive as a crash would: nothing is called off."""
        self._closing = self._left = True
        self._ears.cancel()
        for live in list(self._live.values()):
            live.leave_off()

    async def begin(self, order: Order) -> str:
        """Begin the run of an order, durably, and give its id; a known order's run is given as it is."""
        run = _id_of(order)
        while (other := self._beginning.get(run)) is not None:
            await other.wait()
        if run in self._origins:
            return run
        worker, task = self._roster.assign(order.team, order.task)
        settings = replace(self._settings, tags=tags_of(order), origin=self._loaded_from.get(order.team, ""))
        self._take_slot()
        self._beginning[run] = anyio.Event()
        try:
            drive = begin(worker, task, self._store, self._limits.budget, run, None, settings)
            with anyio.CancelScope(shield=True):  # what is written must be driven, even if the caller hangs up
                await drive.log.flush()
        except BaseException:
            self._slots.release()
            raise
        finally:
            self._beginning.pop(run).set()
        self._register(run, Origin.from_order(order, worker.card.name, drive.log.entries[0].at))
        self._turned["running"] += 1
        live = self._enlist(run)
        live.holds_slot = True
        live.load(drive)
        return run

    def _take_slot(self) -> None:
        """Raise CrowdedError unless one more run may be driven."""
        if self._closing:
            raise CrowdedError(0)
        try:
            self._slots.acquire_nowait()
        except anyio.WouldBlock:
            raise CrowdedError(self._limits.runs) from None

    @asynccontextmanager
    async def watch(self, run_id: str, *, after: int = 0) -> AsyncGenerator[AsyncIterator[Seen | Delta]]:
        """Every event with a higher seq, from the journal and then as they are written, with text between."""
        self._origin(run_id)
        if run_id not in self._live:
            past = seen(await history(self._store, run_id))
            if run_id not in self._live:  # nor was it taken up meanwhile
                watcher = Watcher(after)
                watcher.recall(past)
                watcher.end()
                yield watcher
                return
        live = self._live[run_id]
        watcher = live.attach(after)
        try:
            yield watcher
        finally:
            live.leave(watcher)

    async def standing(self, run_id: str) -> Standing:
        """How a run stands, as journalled."""
        origin = self._origin(run_id)
        live = self._live.get(run_id)
        if live is not None and live.entries:
            return standing(run_id, origin, live.entries, frozenset(live.given))
        if live is None and (kept := self._standings.get(run_id)) is not None:
            return kept
        mark = self._admissions
        records = await self._store.read(run_id)
        given = frozenset(live.given) if live is not None else frozenset[str]()
        found = standing(run_id, origin, verified_entries(run_id, records), given)
        if live is None and mark == self._admissions and len(records[-1].body) <= KEPT_BYTES:
            self._standings[run_id] = found
            if len(self._standings) > KEPT:
                self._standings.pop(next(iter(self._standings)))
        return found

    async def find(
        self, *, thread: str = "", principal: str = "", status: RunStatus | None = None
    ) -> Sequence[Standing]:
        """Runs of this host's teams, the most recently updated first; ones that cannot be read are left out."""
        found: list[Standing] = []
        for run in self._candidates(thread, status):
            if principal not in ("", self._origins[run].principal):
                continue
            try:
                stands = await self.standing(run)
            except JournalError as error:
                logger.warning("run %s cannot be shown: %s", run, error)
                continue
            if status in (None, stands.status):
                found.append(stands)
        return sorted(found, key=lambda stands: (-stands.updated, stands.run))

    def _candidates(self, thread: str, status: RunStatus | None) -> Sequence[str]:
        """Runs that may be what is looked for, without a look at their events."""
        if thread:
            return tuple(self._threads.get(thread, ()))
        return tuple(self._parked | self._live.keys()) if status == "waiting" else tuple(self._origins)

    async def events(self, run_id: str) -> Sequence[Seen]:
        """Everything that has happened so far."""
        self._origin(run_id)
        return seen(await self._entries(run_id))

    async def answer(
        self, run_id: str, question_id: str, *, approved: bool, by: str, value: Json = None, note: str = ""
    ) -> Answer:
        """Take a person's answer, durably, once, and let the run go on in the background.

        A value that is not of the asked shape is not taken, and neither is any answer to a run that could not go on
        with it: the question stays open.
        """
        origin = self._origin(run_id)
        events = [entry.event for entry in await self._entries(run_id)]
        if isinstance(events[-1], Cancelled):
            raise AnswerError(f"run {run_id!r} was called off: {events[-1].reason}")
        self._roster.check_answer(origin, events, question_id, approved=approved, value=value)
        try:
            given = await answer(self._store, run_id, question_id, approved=approved, by=by, value=value, note=note)
        finally:  # an answer that is taken must wake the run, even if the caller hangs up meanwhile
            if not self._closing:
                live = self._live.get(run_id) or self._enlist(run_id)
                live.again = True
        if run_id in self._live:
            self._live[run_id].given.add(question_id)
        return given

    async def cancel(self, run_id: str, *, reason: str) -> None:
        """Call a run off, and wait until the journal says so; one that is over stays as it is."""
        live = self._live.get(run_id)
        if live is None and (await self.standing(run_id)).status in ("running", "waiting"):
            live = self._live.get(run_id) or self._enlist(run_id)
        if live is not None:
            live.call_off(reason)
            await live.over.wait()

    def _register(self, run: str, origin: Origin) -> None:
        self._origins[run] = origin
        if origin.thread:
            self._threads[origin.thread].append(run)

    def _origin(self, run: str) -> Origin:
        if run not in self._origins:
            raise UnknownRunError(run)
        return self._origins[run]

    async def _entries(self, run: str) -> Sequence[Entry]:
        live = self._live.get(run)
        return (live.entries if live is not None else ()) or await history(self._store, run)

    async def _listen(self) -> None:
        """Wake parked runs whose answers were left by other processes, or before this host began."""
        mark, seconds = 0, self._limits.listen
        with self._ears:
            while True:
                mark = await self._wake(mark)
                if seconds is None:
                    return
                await anyio.sleep(seconds)

    async def _wake(self, mark: int) -> int:
        """Take up what got an answer after signal number `mark`; gives the number of the last one."""
        try:
            last, runs = await self._store.signalled(mark) if self._parked else (mark, ())
        except JournalError as error:
            logger.error("the inbox cannot be read: %s", error)  # noqa: TRY400 - it says who, what and why
            return mark
        for run in runs:
            if (live := self._live.get(run)) is not None:
                live.again = True
            elif run in self._parked:
                self._enlist(run)
        return last

    def _enlist(self, run: str) -> Live:
        """Drive a run in the background; where there is nothing to do, it comes to rest again."""
        live = self._live[run] = Live(run, self._origins[run], self._notice)
        self._admissions += 1
        self._standings.pop(run, None)
        self._group.start_soon(self._follow, live)
        if self._left:
            live.leave_off()
        return live

    async def _follow(self, live: Live) -> None:
        """Drive a run until it rests; whatever becomes of it, the other runs go on."""
        broken: JournalError | None = None
        try:
            with live.scope:
                if not live.holds_slot:
                    await self._slots.acquire()
                    live.holds_slot = True
                await self._drive(live)
            if live.reason is not None:
                await self._write_off(live, live.reason)
        except Exception as error:
            logger.exception("run %s broke off", live.run, exc_info=error)
            broken = JournalError(f"run {live.run!r} broke off; the server's log says why")
            broken.__cause__ = error
        finally:
            self._rest(live, broken)

    async def _drive(self, live: Live) -> None:
        worker = self._roster.worker(live.origin)
        while True:
            drive = live.drive
            if drive is None or live.again:
                live.again = False
                drive, report = await take_up(
                    worker, live.run, self._store, self._limits.on_change, None, self._settings
                )
                live.load(drive)
                if report is not None:
                    return
            await drive.go()
            live.release()
            if not live.again:
                return

    async def _write_off(self, live: Live, reason: str) -> None:
        """See to it that the journal says that a run was called off, unless it is over."""
        with anyio.CancelScope(shield=True):
            records = await self._store.read(live.run)
            log = Log(live.run, self._store, self._settings.clock)
            log.load(verified_entries(live.run, records), records[-1])
            if not isinstance(log.entries[-1].event, RunEnded | Cancelled):
                log.write(Cancelled(reason=reason))
                await log.flush()
                self._notice(log.entries[-1].event)
            live.recall(log.entries)

    def _rest(self, live: Live, broken: JournalError | None) -> None:
        if live.holds_slot:
            self._slots.release()
        live.end(broken)
        del self._live[live.run]
        if live.entries:
            waits = status_after(live.entries[-1].event) == "waiting" and live.reason is None
            (self._parked.add if waits else self._parked.discard)(live.run)

    def _notice(self, event: Event) -> None:
        if isinstance(event, EffectFinished | EffectFailed):
            self._spent = self._spent + event.usage
        if (status := status_after(event)) != "running":
            self._turned[status] += 1


def _id_of(order: Order) -> str:
    """The run of an order: with a key always the same, else a fresh one."""
    if not order.key:
        return f"run-{secrets.token_hex(12)}"
    return "run-" + digest_of(order.principal.encode(), order.team.encode(), order.key.encode())[:24]
