"""A journal in an SQLite file: one process writes, any process may read it or leave a signal for a run.

Beside the file stand `-wal` and `-shm` (SQLite's own: a copy of the file without them is not whole; use `VACUUM INTO`),
`.lock` (the pid of the writing process) and `.inbox` (signals).
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread

from ...protocols.errors import DamagedError
from ...protocols.storage import Record, RunStatus, RunSummary
from . import inbox
from .limits import check_append, check_run, check_signal
from .tables import APPLICATION, explain, open_reader
from .ticket import Ticket
from .writer import Writer

_READ = """
    SELECT CAST(event.seq AS INTEGER), CAST(event.at AS REAL), CAST(event.digest AS TEXT),
           CAST(coalesce(blob.body, event.body) AS BLOB)
    FROM event LEFT JOIN blob ON blob.sha256 = event.blob WHERE event.run = ? ORDER BY event.seq"""
_FIRSTS = """
    SELECT run.run, CAST(event.at AS REAL), CAST(event.digest AS TEXT), CAST(coalesce(blob.body, event.body) AS BLOB)
    FROM run JOIN event ON event.run = run.id AND event.seq = 1 LEFT JOIN blob ON blob.sha256 = event.blob
    ORDER BY run.run"""
_RUNS = "SELECT run, status, worker, started, updated, events FROM run ORDER BY updated DESC, run"


class SqliteJournal:
    """A journal in the file at `path`, on asyncio and on trio.

    Nothing is opened before it is used. The first append, or `open`, takes the lock for writing and keeps it until
    `aclose`; reading and leaving signals take no lock and create no journal. With `max_bytes` the file does not grow
    beyond that size (None: as far as the disk goes).

    Example:
        >>> async def count(path: str) -> int:
        ...     async with SqliteJournal(path) as journal:
        ...         return len(await journal.runs())
        >>> anyio.run(count, "no/such/file.journal")
        0
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int | None = None) -> None:
        self.path = Path(path)
        self._writer = Writer(self.path, max_bytes)
        self._inbox = self.path.with_name(self.path.name + ".inbox")
        weakref.finalize(self, self._writer.stop)  # a journal that nobody closed gives its lock back

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write what waits, close the file and let the lock go; later appends are refused, reading is not."""
        thread = self._writer.stop()
        if thread is not None and thread.is_alive():
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(thread.join)

    async def open(self) -> None:
        """Take the lock for writing now, and not with the first append.

        Raises:
            BusyError: another process, or another journal object of this one, has the file open for writing.
            JournalError: the file cannot be opened.
        """
        ticket = Ticket((), "running")
        self._writer.submit(ticket)
        await ticket.wait()

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write the next records of one run, all or none; on return they are on the disk.

        A cancelled caller's records are written all the same; the cancellation is delivered afterwards.

        Raises:
            FencedError: the first record's seq is not the next one of its run; nothing was written.
            BusyError: another process, or another journal object of this one, has the file open for writing.
            JournalError: the records cannot be one append, or the file cannot be written; nothing was written.
        """
        check_append(records)
        ticket = Ticket(records, status)
        self._writer.submit(ticket)
        await ticket.wait()

    async def read(self, run: str) -> Sequence[Record]:
        """All records of a run by seq; empty if there is no such run. The chain is not checked.

        Raises:
            DamagedError: the file holds another number of events than it says, or a body is missing.
            JournalError: the file cannot be read, is something else, or was replaced since it was opened.
        """
        return await to_thread.run_sync(partial(self._read, check_run(run)))

    async def runs(self) -> Sequence[RunSummary]:
        """All runs, the most recently updated first; ties by run id.

        Raises:
            JournalError: the file cannot be read, is something else, or was replaced since it was opened.
        """
        return await to_thread.run_sync(self._runs)

    async def firsts(self) -> Sequence[Record]:
        """The first record of every run, by run id; the chain is not checked.

        Raises:
            DamagedError: a body is missing.
            JournalError: the file cannot be read, is something else, or was replaced since it was opened.
        """
        return await to_thread.run_sync(self._firsts)

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Leave a signal, durably; False if the key is taken, and then nothing changes.

        Raises:
            JournalError: the key or the body is not allowed, or the inbox cannot be written.
        """
        check_signal(run, key, body)
        return await to_thread.run_sync(partial(inbox.put, self._inbox, run, key, body))

    async def take(self, run: str) -> Sequence[tuple[str, bytes]]:
        """All signals of a run, in the order of their arrival; they stay.

        Raises:
            JournalError: the inbox cannot be read or is something else.
        """
        return await to_thread.run_sync(partial(inbox.take, self._inbox, check_run(run)))

    async def signalled(self, after: int) -> tuple[int, Sequence[str]]:
        """How many signals there have been, and the runs that got one after the first `after` of them, by run id.

        Raises:
            JournalError: the inbox cannot be read or is something else.
        """
        return await to_thread.run_sync(partial(inbox.signalled, self._inbox, after))

    @contextmanager
    def _reader(self) -> Generator[sqlite3.Connection | None]:
        try:
            self._writer.check_place()
            connection = open_reader(self.path, APPLICATION)
            if connection is None:
                yield None
            else:
                with closing(connection):
                    connection.execute("BEGIN")  # one view of the file for all that is read
                    yield connection
        except (sqlite3.Error, OSError) as error:
            raise explain("journal", self.path, error) from error

    def _read(self, run: str) -> list[Record]:
        with self._reader() as connection:
            if connection is None:
                return []
            head = connection.execute("SELECT id, events FROM run WHERE run = ?", (run,)).fetchone()
            if head is None:
                return []
            number, events = head
            rows = connection.execute(_READ, (number,)).fetchall()
        if len(rows) != events:
            raise DamagedError(run, len(rows), f"expected {events} events in {self.path}, found {len(rows)}")
        records: list[Record] = []
        for seq, at, digest, body in rows:
            if body is None:
                raise DamagedError(run, seq, "its body is missing")
            records.append(Record(run=run, seq=seq, at=at, body=body, digest=digest))
        return records

    def _firsts(self) -> list[Record]:
        with self._reader() as connection:
            rows = connection.execute(_FIRSTS).fetchall() if connection is not None else []
        for run, _, _, body in rows:
            if body is None:
                raise DamagedError(run, 1, "its body is missing")
        return [Record(run=run, seq=1, at=at, body=body, digest=digest) for run, at, digest, body in rows]

    def _runs(self) -> list[RunSummary]:
        with self._reader() as connection:
            rows = connection.execute(_RUNS).fetchall() if connection is not None else []
        return [
            RunSummary(run=run, status=status, worker=worker, started=started, updated=updated, events=events)
            for run, status, worker, started, updated, events in rows
        ]
