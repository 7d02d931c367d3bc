"""A journal in memory, for tests and for programs that need no memory of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...protocols.contracts import Record, RunStatus, RunSummary
from ...protocols.errors import FencedError
from .limits import check_append, check_run, check_signal, worker_of


class MemoryJournal:
    """Keeps runs and signals as long as the object lives; nothing ever waits.

    A copy is what a crash leaves behind: take one between two appends and go on from it.
    """

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = {}
        self._summaries: dict[str, RunSummary] = {}
        self._signals: dict[str, dict[str, bytes]] = {}

    def copy(self) -> MemoryJournal:
        """A journal of its own with the same contents."""
        other = MemoryJournal()
        other._records = {run: list(records) for run, records in self._records.items()}
        other._summaries = dict(self._summaries)
        other._signals = {run: dict(signals) for run, signals in self._signals.items()}
        return other

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write the next records of one run, all or none.

        Raises:
            FencedError: the first record's seq is not the next one of its run.
            JournalError: the records are not consecutive lines of one run, or one is too long.
        """
        first, last = check_append(records), records[-1]
        held = self._records.get(first.run, [])
        if first.seq != len(held) + 1:
            raise FencedError(first.run, first.seq - 1, len(held))
        self._records.setdefault(first.run, held).extend(records)
        summary = self._summaries.get(first.run)
        if summary is None:
            worker = worker_of(first.body)
            summary = RunSummary(
                run=first.run, status=status, worker=worker, started=first.at, updated=last.at, events=last.seq
            )
        self._summaries[first.run] = replace(summary, status=status, updated=last.at, events=last.seq)

    async def read(self, run: str) -> Sequence[Record]:
        """All records of a run by seq; empty if there is no such run."""
        return list(self._records.get(check_run(run), ()))

    async def runs(self) -> Sequence[RunSummary]:
        """All runs, the most recently updated first; ties by run id."""
        return sorted(self._summaries.values(), key=lambda summary: (-summary.updated, summary.run))

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Leave a signal; False if the key is taken, and then nothing changes."""
        check_signal(run, key, body)
        signals = self._signals.setdefault(run, {})
        if key in signals:
            return False
        signals[key] = body
        return True

    async def take(self, run: str) -> Sequence[tuple[str, bytes]]:
        """All signals of a run, in the order of their arrival; they stay."""
        return list(self._signals.get(check_run(run), {}).items())
