"""Where events are kept: what a journal and an inbox must do, and the lines that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the journal: an event as stored, chained to the line before."""

    run: str
    seq: int
    """From 1, without gaps."""
    at: float
    """Seconds since the epoch."""
    body: bytes
    """The event as JSON."""
    digest: str
    """SHA-256 over the digest of the line before, seq, at and body."""


RunStatus = Literal["running", "waiting", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run as a list shows it."""

    run: str
    status: RunStatus
    worker: str
    started: float
    updated: float
    """Both in seconds since the epoch."""
    events: int


class Journal(Protocol):
    """Append-only events by run. `supervisor.journal.conformance` is the suite that every implementation must pass."""

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write the next records of one run, all or none; durable on return.

        `status` becomes the run's status. A cancelled caller does not cancel the write.

        Raises:
            FencedError: the first record's seq is not the next one of its run; nothing was written.
            JournalError: the store cannot be written; nothing was written.
        """
        ...

    async def read(self, run: str) -> Sequence[Record]:
        """All records of a run by seq; empty if there is no such run."""
        ...

    async def runs(self) -> Sequence[RunSummary]:
        """All runs, the most recently updated first; ties by run id."""
        ...


class Inbox(Protocol):
    """Signals to runs from anyone; the first one under a key wins."""

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Leave a signal, durably; False if the key is taken, and then nothing changes."""
        ...

    async def take(self, run: str) -> Sequence[tuple[str, bytes]]:
        """All signals of a run, in the order of their arrival; they stay."""
        ...


class Store(Journal, Inbox, Protocol):
    """A journal and its inbox: what a run needs to outlive its process."""


class Archive(Store, Protocol):
    """A store that one process opens for many runs."""

    async def open(self) -> None:
        """Be the only one to write, from now on and not from the first append on.

        Raises:
            BusyError: somebody else writes to it.
        """
        ...

    async def firsts(self) -> Sequence[Record]:
        """The first record of every run, by run id; the chain is not checked."""
        ...

    async def signalled(self, after: int) -> tuple[int, Sequence[str]]:
        """How many signals there have been, and the runs that got one after the first `after` of them, by run id."""
        ...
