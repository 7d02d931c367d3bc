"""A journal in memory, for tests and for programs that need no memory of themselves."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocols.errors import FencedError
from ...protocols.storage import Record, RunStatus, RunSummary
from .limits import check_append, check_run, check_signal, worker_of


class MemoryJournal:
    """Keeps runs and signals as long as the object lives; nothing ever waits.

    A copy is what a crash leaves behind: take one between two appends and go on from it.
    """

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = {}
        self._status: dict[str, RunStatus] = {}
        self._signals: dict[str, dict[str, bytes]] = {}
        self._signalled: list[str] = []

    def copy(self) -> MemoryJournal:
        """A journal of its own with the same contents."""
        other = MemoryJournal()
        other._records = {run: list(records) for run, records in self._records.items()}
        other._status = dict(self._status)
        other._signals = {run: dict(signals) for run, signals in self._signals.items()}
        other._signalled = list(self._signalled)
        return other

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write the next records of one run, all or none.

        Raises:
            FencedError: the first record's seq is not the next one of its run.
            JournalError: the records are not consecutive lines of one run, or one is too long.
        """
        first = check_append(records)
        held = self._records.get(first.run, [])
        if first.seq != len(held) + 1:
            raise FencedError(first.run, first.seq - 1, len(held))
        self._records.setdefault(first.run, held).extend(records)
        self._status[first.run] = status

    async def read(self, run: str) -> Sequence[Record]:
        """All records of a run by seq; empty if there is no such run."""
        return list(self._records.get(check_run(run), ()))

    async def runs(self) -> Sequence[RunSummary]:
        """All runs, the most recently updated first; ties by run id."""
        summaries = [self._summary(run, records) for run, records in self._records.items()]
        return sorted(summaries, key=lambda summary: (-summary.updated, summary.run))

    async def open(self) -> None:
        """Nobody else can write to it."""

    async def firsts(self) -> Sequence[Record]:
        """The first record of every run, by run id."""
        return [self._records[run][0] for run in sorted(self._records)]

    def _summary(self, run: str, records: list[Record]) -> RunSummary:
        first, last = records[0], records[-1]
        worker, status = worker_of(first.body), self._status[run]
        return RunSummary(run=run, status=status, worker=worker, started=first.at, updated=last.at, events=last.seq)

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Leave a signal; False if the key is taken, and then nothing changes."""
        check_signal(run, key, body)
        signals = self._signals.setdefault(run, {})
        if key in signals:
            return False
        signals[key] = body
        self._signalled.append(run)
        return True

    async def take(self, run: str) -> Sequence[tuple[str, bytes]]:
        """All signals of a run, in the order of their arrival; they stay."""
        return list(self._signals.get(check_run(run), {}).items())

    async def signalled(self, after: int) -> tuple[int, Sequence[str]]:
        """How many signals there have been, and the runs that got one after the first `after` of them, by run id."""
        return len(self._signalled), sorted(set(self._signalled[after:]))
