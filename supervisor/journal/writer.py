"""The one thread that writes: whatever waits goes into one transaction, and each append learns its own outcome."""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

from ...protocols.errors import BusyError, FencedError, JournalError
from ...protocols.storage import Record
from .limits import worker_of
from .lock import FileLock
from .tables import explain, open_journal
from .ticket import Ticket, ring_all

LARGE = 8 * 1024
"""Bytes above which a body is kept by its digest, outside the table of events."""

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_CHUNKS = (64, 16, 4, 1)
"""Rows per INSERT: each statement costs a switch between threads, and a few sizes keep SQLite's compiled ones few."""
_HEADS = 10_000
"""Runs whose last line is remembered at most."""
_FIND = "SELECT id, status, worker, started, events FROM run WHERE run = ?"
_BEGIN = "INSERT INTO run (run, status, worker, started, updated, events) VALUES (?, 'running', ?, ?, ?, 0)"
_GROWN = (
    "INSERT INTO run (id, run, status, worker, started, updated, events) VALUES {} "
    "ON CONFLICT (id) DO UPDATE SET updated = excluded.updated, events = excluded.events"
)
_TURNED = _GROWN + ", status = excluded.status"  # naming the status rewrites its index, a page more per commit
_EVENTS = "INSERT INTO event (run, seq, at, body, blob, digest) VALUES {}"


@dataclass(slots=True, kw_only=True)
class _Head:
    """Where a run stands."""

    id: int
    status: str
    worker: str
    started: float
    events: int


@dataclass(slots=True)
class _Rows:
    """What a transaction is going to write."""

    grown: dict[int, Row] = field(default_factory=dict[int, Row])
    turned: dict[int, Row] = field(default_factory=dict[int, Row])
    """Runs by their number: those whose status is as it was, and the others."""
    events: list[Row] = field(default_factory=list[Row])

    def touch(self, run: int) -> bool:
        """Whether something of this run is among them."""
        return run in self.grown or run in self.turned


class Writer:
    """Takes tickets from any task of any loop; opens the file, and takes its lock, when the first one comes."""

    def __init__(self, path: Path, max_bytes: int | None) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._queue: SimpleQueue[Ticket | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._closed = False
        self._lock = FileLock(path)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._heads: dict[str, _Head] = {}

    def submit(self, ticket: Ticket) -> None:
        """Queue an append.

        Raises:
            JournalError: the journal was closed, or this is a fork of the process that opened it.
        """
        with self._guard:
            if self._process != os.getpid():
                raise JournalError(f"journal {self.path} was opened before this process was forked; open it anew")
            if self._closed:
                raise JournalError(f"journal {self.path} is closed; open it anew")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"journal {self.path.name}", daemon=True)
                self._thread.start()
            self._queue.put(ticket)

    def stop(self) -> threading.Thread | None:
        """Take no more tickets; the thread, which ends when it has written what waits; None: there is none."""
        with self._guard:
            if not self._closed and self._thread is not None and self._process == os.getpid():
                self._queue.put(None)
            self._closed = True
            return self._thread if self._process == os.getpid() else None

    def check_place(self) -> None:
        """Find the file that was opened still in its place.

        Raises:
            JournalError: it was moved or replaced; SQLite would go on writing to what nobody can find.
        """
        if self._identity is None:
            return
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise JournalError(
                f"journal {self.path} was removed while it was open; what was written since is lost"
            ) from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise JournalError(f"journal {self.path} was replaced while it was open; put the right file back")

    def _work(self) -> None:
        stopped = False
        while not stopped:
            item = self._queue.get()
            batch = [item] if item is not None else []
            while item is not None and not self._queue.empty():
                item = self._queue.get()
                if item is not None:
                    batch.append(item)
            stopped = item is None  # nothing is queued behind it
            if batch:
                self._settle(batch)
            if stopped:
                self._close()
            ring_all(batch)

    def _settle(self, batch: list[Ticket]) -> None:
        try:
            try:
                self._commit(batch)
            except sqlite3.IntegrityError:  # somebody wrote although the lock is ours: look at every run afresh
                self._undo()
                self._commit(batch)
        except Exception as error:  # whatever it is, nobody may be left waiting
            self._undo()
            told = explain("journal", self.path, error)
            for ticket in batch:
                ticket.error = _anew(told, error)

    def _commit(self, batch: list[Ticket]) -> None:
        self.check_place()
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        rows = _Rows()
        for ticket in batch:
            if ticket.records:  # one without any only opens the file
                self._add(connection, ticket, rows)
        _insert(connection, _GROWN, list(rows.grown.values()))
        _insert(connection, _TURNED, list(rows.turned.values()))
        _insert(connection, _EVENTS, rows.events)
        connection.execute("COMMIT")
        if len(self._heads) > _HEADS:
            self._heads.clear()

    def _add(self, connection: sqlite3.Connection, ticket: Ticket, rows: _Rows) -> None:
        first, last = ticket.records[0], ticket.records[-1]
        head = self._head(connection, first.run)
        if head is not None and first.seq != head.events + 1 and not rows.touch(head.id):
            del self._heads[first.run]  # look at the file before anyone is refused: what is remembered may be old
            head = self._head(connection, first.run)
        held = head.events if head is not None else 0
        if first.seq != held + 1:
            ticket.error = FencedError(first.run, first.seq - 1, held)
            return
        ticket.error = None
        if head is None:
            head = self._begin(connection, first)
        head.events = last.seq
        row = (head.id, first.run, ticket.status, head.worker, head.started, last.at, last.seq)
        if ticket.status != head.status or head.id in rows.turned:
            head.status = ticket.status
            rows.turned[head.id] = row
        else:
            rows.grown[head.id] = row
        for record in ticket.records:
            body: bytes | None = record.body
            blob: str | None = None
            if len(record.body) > LARGE:
                body, blob = None, sha256(record.body).hexdigest()
                connection.execute("INSERT OR IGNORE INTO blob (sha256, body) VALUES (?, ?)", (blob, record.body))
            rows.events.append((head.id, record.seq, record.at, body, blob, record.digest))

    def _head(self, connection: sqlite3.Connection, run: str) -> _Head | None:
        head = self._heads.get(run)
        if head is None:
            row = connection.execute(_FIND, (run,)).fetchone()
            if row is None:
                return None
            number, status, worker, started, events = row
            head = _Head(id=number, status=status, worker=worker, started=started, events=events)
            self._heads[run] = head
        return head

    def _begin(self, connection: sqlite3.Connection, first: Record) -> _Head:
        worker = worker_of(first.body)
        number = connection.execute(_BEGIN, (first.run, worker, first.at, first.at)).lastrowid or 0
        head = _Head(id=number, status="running", worker=worker, started=first.at, events=0)
        self._heads[first.run] = head
        return head

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            try:
                self._connection = open_journal(self.path, self._max_bytes)
            except BaseException:
                self._lock.release()
                raise
            found = self.path.stat()
            self._identity = (found.st_dev, found.st_ino)
        return self._connection

    def _undo(self) -> None:
        """Take the transaction back and forget what was remembered of the file."""
        self._heads.clear()
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.rollback()
            except sqlite3.Error:  # the connection is of no use any more; the next append opens another
                self._connection.close()
                self._connection = None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._lock.release()


def _insert(connection: sqlite3.Connection, sql: str, rows: list[Row]) -> None:
    at = 0
    for size in _CHUNKS:
        while len(rows) - at >= size:
            part = rows[at : at + size]
            connection.execute(_sized(sql, len(part[0]), size), list(chain.from_iterable(part)))
            at += size


@cache
def _sized(sql: str, columns: int, rows: int) -> str:
    line = "(" + ", ".join("?" * columns) + ")"
    return sql.format(", ".join([line] * rows))


def _anew(told: JournalError, cause: Exception) -> JournalError:
    """The same error as an object of its own: one that is raised in many tasks collects all their tracebacks."""
    fresh = BusyError(told.place, told.pid) if isinstance(told, BusyError) else JournalError(str(told))
    fresh.__cause__ = cause if cause is not told else told.__cause__
    return fresh
