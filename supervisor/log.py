"""A run's events while it is driven: what has happened so far, indexed, and the way into the journal."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from ..protocols.contracts import Clock, Listener
from ..protocols.conversation import Delta
from ..protocols.errors import JournalError
from ..protocols.events import (
    Answered,
    AnswerRefused,
    Asked,
    Attempted,
    Cancelled,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Happened,
    Parked,
    RunEnded,
)
from ..protocols.messages import NOTHING_USED, Answer, Question, Usage
from ..protocols.storage import Journal, Record, RunStatus
from .journal.chain import link
from .views.bill import charges

OWED = (EffectFinished, EffectFailed, Attempted, Asked)
"""What must not be lost where there is time to keep it: it was paid for, or others wait to see it."""

KEEP_SECONDS = 0.05
"""Work that took longer than this is worth a flush of its own."""

Place = tuple[str, str, int]
"""Where an effect happened: path, kind, n."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its place in the journal."""

    seq: int
    at: float
    event: Event


def above(path: str) -> list[str]:
    """The path and every place above it, the root last.

    Example:
        >>> above("/a#1/b#2")
        ['/a#1/b#2', '/a#1', '']
    """
    places = [path]
    while path:
        path = path.rpartition("/")[0]
        places.append(path)
    return places


_ATTEMPT = re.compile(r"#\d+")


def stable(path: str) -> str:
    """The place without attempts: the same for a retry and for a revision.

    Example:
        >>> stable("/pay#2/bank#1")
        '/pay/bank'
    """
    return _ATTEMPT.sub("", path)


class Log:
    """Appends events in order, one writer; everything in memory is a fold over them.

    `write` never waits: it numbers the event and queues it. `flush` waits until all that was written so far is
    durable; whoever comes first writes for all who come while it is at it.
    """

    def __init__(self, run: str, journal: Journal, clock: Clock, listen: Listener | None = None) -> None:
        self.run = run
        self.entries: list[Entry] = []
        self.by_path: defaultdict[str, list[Event]] = defaultdict(list)
        self.started: dict[Place, EffectStarted] = {}
        self.starts: Counter[str] = Counter()
        """How often each write was begun, by its idempotency key."""
        self.ended: dict[Place, EffectFinished | EffectFailed] = {}
        self.writes: dict[str, EffectFinished] = {}
        self.questions: dict[str, Question] = {}
        self.answers: dict[str, Answer] = {}
        self.refused: set[str] = set()
        self.spent: defaultdict[str, Usage] = defaultdict(Usage)
        self.heads: set[str] = set()
        self.listen = listen
        self.also: Listener | None = None
        """Listens too, to whoever drives; it does not raise."""
        self._journal = journal
        self._clock = clock
        self._seq = 0
        self._digest = run
        self._pending: list[Record] = []
        self._status: RunStatus = "running"
        self._flushing: anyio.Event | None = None
        self._durable = 0
        self._broken: Exception | None = None
        self.owes = False
        """Whether something has happened in the world, or somebody was asked, that is not durable yet."""
        self.weight = 0
        """Size of the last event in bytes."""
        self._last = self._kept = clock.now()
        self._open: set[Place] = set()
        """Starts without an end, from before this drive; they are charged already."""

    def load(self, entries: Sequence[Entry], last: Record) -> None:
        """Take up what the journal already holds."""
        for entry in entries:
            self._index(entry)
        self._seq = self._durable = last.seq
        self._digest = last.digest
        self.weight = len(last.body)
        for charge in charges(entry.event for entry in entries):
            if charge.in_doubt:
                self._charge(charge.path, charge.usage)
        self._open = self.started.keys() - self.ended.keys()

    def write(self, event: Happened) -> None:
        """Append an event; durable after the next `flush`.

        Raises:
            JournalError: an earlier write of this run failed.
        """
        if self._broken is not None:
            raise self._broken
        at = self._last = self._clock.now()
        self.owes = self.owes or isinstance(event, OWED)
        self._seq += 1
        body = event.__pydantic_serializer__.to_json(event, by_alias=True)
        record = link(self.run, self._digest, self._seq, at, body)
        self._digest = record.digest
        self.weight = len(body)
        self._pending.append(record)
        self._status = status_after(event)
        entry = Entry(self._seq, at, event)  # type: ignore[arg-type] # every concrete Happened is an Event
        self._index(entry)
        self._tell(entry.event)

    async def keep(self) -> None:
        """Flush if an effect has ended, if a person was asked, or if the last flush is a while ago.

        An effect waits until those before it are durable; this is for where no effect may follow for long: before a
        function that touches nothing, and where a branch of the work ends.
        """
        if self._pending and (self.owes or self._last - self._kept > KEEP_SECONDS):
            await self.flush()

    async def flush(self) -> None:
        """Wait until everything written so far is durable.

        Raises:
            FencedError: another process drives this run.
            JournalError: the journal cannot be written.
        """
        target = self._seq
        while self._durable < target:
            if self._broken is not None:
                raise self._broken
            if self._flushing is not None:
                await self._flushing.wait()
                continue
            await self._write_out()

    async def _write_out(self) -> None:
        self._flushing = anyio.Event()
        try:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()  # a branch that begins beside this one writes in the same append
                batch, self._pending = self._pending, []
                self.owes, self._kept = False, self._last
                await self._journal.append(batch, self._status)
                self._durable = batch[-1].seq
        except JournalError as error:
            self._broken = error
            raise
        except Exception as error:
            self._broken = JournalError(f"run {self.run!r} cannot be written: {error!r}")
            raise self._broken from error
        finally:
            self._flushing.set()
            self._flushing = None

    def delta(self, path: str, text: str) -> None:
        """Pass a piece of text on to whoever listens."""
        self._tell(Delta(path, text))

    def _tell(self, seen: Event | Delta) -> None:
        """Tell the listener; one that raises is told no more, and the run goes on."""
        if self.also is not None:
            self.also(seen)
        if self.listen is None:
            return
        try:
            self.listen(seen)
        except Exception as error:
            self.listen = None
            warnings.warn(f"run {self.run!r} goes on without its listener, which raised {error!r}", stacklevel=2)

    def _charge(self, path: str, usage: Usage) -> None:
        if usage is not NOTHING_USED:
            for place in above(path):
                self.spent[place] = self.spent[place] + usage

    def _index(self, entry: Entry) -> None:
        event = entry.event
        self.entries.append(entry)
        match event:
            case EffectStarted():
                self._index_start(event)
            case EffectFinished() | EffectFailed():
                self._index_end(event)
            case Asked():
                self.questions[event.question.id] = event.question
            case Answered():
                self.answers[event.answer.question] = event.answer
            case AnswerRefused():
                self.refused.add(event.answer.question)
                self.answers.pop(event.answer.question, None)
            case _:
                self.by_path[event.path].append(event)

    def _index_start(self, event: EffectStarted) -> None:
        if event.kind == "model":
            self.heads.add(event.request["head_digest"])
        place = (event.path, event.kind, event.n)
        self.starts[event.key] += bool(event.key)
        self.started[place] = event
        self._open.discard(place)

    def _index_end(self, event: EffectFinished | EffectFailed) -> None:
        place = (event.path, event.kind, event.n)
        self.ended[place] = event
        if place not in self._open:
            self._charge(event.path, event.usage)
        self._open.discard(place)
        if isinstance(event, EffectFinished) and (started := self.started.get(place)) and started.writes:
            self.writes[started.key] = event


def in_doubt(reserved: Usage) -> Usage:
    """What a call that was cut off is taken to have cost: all it could."""
    return reserved.model_copy(update={"usd_assumed": reserved.usd}) if reserved.calls else NOTHING_USED


def status_after(event: Happened) -> RunStatus:
    """Where a run stands whose last event this is."""
    match event:
        case Parked():
            return "waiting"
        case Cancelled():
            return "cancelled"
        case RunEnded():
            return "done" if event.report.type == "done" else "failed"
        case _:
            return "running"
