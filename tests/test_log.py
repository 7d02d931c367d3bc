"""The way into the journal: one writer at a time, who writes for all who wait."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from echelon.protocols.errors import JournalError
from echelon.protocols.events import Cancelled, Claimed, Parked, RunEnded
from echelon.protocols.messages import JsonReport
from echelon.protocols.storage import Record, RunStatus
from echelon.supervisor.clock import SystemClock
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.log import Log

from .builders import done, failed

pytestmark = pytest.mark.anyio


class Slow(MemoryJournal):
    """A journal that writes when it is told to, and counts how often."""

    def __init__(self, *, breaks: bool = False) -> None:
        super().__init__()
        self.goes_on = anyio.Event()
        self.batches: list[int] = []
        self._breaks = breaks

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Wait, then write or break."""
        self.batches.append(len(records))
        await self.goes_on.wait()
        if self._breaks:
            raise JournalError("the disk is full")
        await super().append(records, status)


async def flushed(log: Log, times: int, said: list[str]) -> None:
    """Write events, each waited for by a task of its own, while the first is still being written."""

    async def one() -> None:
        log.write(Claimed(owner="me"))
        try:
            await log.flush()
            said.append("durable")
        except JournalError as error:
            said.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(times):
            group.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        journal = log._journal  # pyright: ignore[reportPrivateUsage] # the one that waits
        assert isinstance(journal, Slow)
        journal.goes_on.set()


async def test_whoever_comes_first_writes_for_all_who_come_meanwhile() -> None:
    """Two appends for five events, and nobody goes on before theirs is durable."""
    journal, said = Slow(), list[str]()
    await flushed(Log("run-1", journal, SystemClock()), 5, said)
    assert said == ["durable"] * 5
    assert sum(journal.batches) == 5
    assert len(journal.batches) <= 2
    assert [record.seq for record in await journal.read("run-1")] == [1, 2, 3, 4, 5]


async def test_a_journal_that_broke_is_broken_for_all() -> None:
    """For those who waited, and for those who come later."""
    journal, said = Slow(breaks=True), list[str]()
    log = Log("run-1", journal, SystemClock())
    await flushed(log, 3, said)
    assert said == ["the disk is full"] * 3
    with pytest.raises(JournalError, match="the disk is full"):
        log.write(Claimed(owner="me"))


@pytest.mark.parametrize("report", [done(1), failed()])
async def test_the_last_event_says_how_the_run_stands(report: JsonReport) -> None:
    """So that a list of runs needs no fold."""
    journal = MemoryJournal()
    log = Log("run-1", journal, SystemClock())
    seen: list[str] = []
    for event in (Claimed(owner="me"), Parked(questions=()), Cancelled(reason="enough"), RunEnded(report=report)):
        log.write(event)
        await log.flush()
        seen.append((await journal.runs())[0].status)
    assert seen == ["running", "waiting", "cancelled", "done" if report.type == "done" else "failed"]
