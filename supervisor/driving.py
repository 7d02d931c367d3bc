"""Runs under way: one drive each, as many at once as are allowed, whatever becomes of any of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import anyio

from ..protocols.errors import CrowdedError, JournalError
from ..protocols.events import Cancelled, EffectFailed, EffectFinished, Event, RunEnded
from ..protocols.gateway.runs import Tally
from ..protocols.messages import NOTHING_USED, Budget
from ..protocols.storage import Archive, RunStatus
from .answers import verified_entries
from .drive import NO_LIMITS, Drive, OnChange, Settings, take_up
from .live import Live
from .log import Log, status_after
from .register import Register
from .roster import Roster
from .standing import standing

logger = logging.getLogger(__name__)


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


USUAL = Limits()


class Drives:
    """Drives runs in the background; enter it, and leave it in the same task.

    What is under way at the end is left as a crash would leave it.
    """

    def __init__(self, roster: Roster, register: Register, store: Archive, settings: Settings, limits: Limits) -> None:
        self.live: dict[str, Live] = {}
        """By the run's id."""
        self.closing = False
        """Whether nothing more is begun."""
        self._roster = roster
        self._register = register
        self._store = store
        self._settings = settings
        self._limits = limits
        self._slots = anyio.Semaphore(limits.runs)
        self._turned: Counter[RunStatus] = Counter()
        self._spent = NOTHING_USED
        self._left = False

    async def __aenter__(self) -> Self:
        """Begin to drive, and to listen for answers."""
        self._ears = anyio.CancelScope()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._listen)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every drive."""
        self.leave()
        await self._group.__aexit__(None, None, None)

    @property
    def tally(self) -> Tally:
        """What has been done so far."""
        limit = 0 if self.closing else self._limits.runs
        return Tally(active=len(self.live), limit=limit, turned=dict(self._turned), usage=self._spent)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, give what is under way some time, and leave the rest for later."""
        self.closing = True
        with anyio.move_on_after(seconds):
            for live in list(self.live.values()):
                await live.over.wait()
        self.leave()

    def leave(self) -> None:
        """End every drive as a crash would: nothing is called off."""
        self.closing = self._left = True
        self._ears.cancel()
        for live in list(self.live.values()):
            live.leave_off()

    @contextmanager
    def slot(self) -> Generator[None]:
        """Room for one more run, which is given back if the block fails.

        Raises:
            CrowdedError: there is none, or nothing more is begun.
        """
        if self.closing:
            raise CrowdedError(0)
        try:
            self._slots.acquire_nowait()
        except anyio.WouldBlock:
            raise CrowdedError(self._limits.runs) from None
        try:
            yield
        except BaseException:
            self._slots.release()
            raise

    def begin(self, run: str, drive: Drive[Any]) -> None:
        """Go on with a run that has just been written, in a slot that was taken for it."""
        self._turned["running"] += 1
        live = self.take_up(run)
        live.holds_slot = True
        live.load(drive)

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
            last, runs = await self._store.signalled(mark) if self._register.parked else (mark, ())
        except JournalError as error:
            logger.error("the inbox cannot be read: %s", error)  # noqa: TRY400 - it says who, what and why
            return mark
        for run in runs:
            if (live := self.live.get(run)) is not None:
                live.again = True
            elif run in self._register.parked:
                self.take_up(run)
        return last

    def take_up(self, run: str) -> Live:
        """Drive a run in the background; where there is nothing to do, it comes to rest again."""
        live = self.live[run] = Live(run, self._register.origin(run), self._notice)
        self._register.wake(run)
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
        del self.live[live.run]
        if not live.entries:
            return
        waits = status_after(live.entries[-1].event) == "waiting" and live.reason is None
        (self._register.parked.add if waits else self._register.parked.discard)(live.run)
        if live.drive is not None and broken is None and live.reason is None and not self._left:
            stands = standing(live.run, live.origin, live.entries)  # the next turn of its thread asks for it
            self._register.remember(stands, live.drive.log.weight, self._register.changes)

    def _notice(self, event: Event) -> None:
        if isinstance(event, EffectFinished | EffectFailed):
            self._spent = self._spent + event.usage
        if (status := status_after(event)) != "running":
            self._turned[status] += 1
