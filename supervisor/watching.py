"""Those who watch a run: each gets every event once and in order, however slow it is, and none slows the run down."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable

import anyio
import anyio.lowlevel

from ..protocols.conversation import Delta
from ..protocols.errors import JournalError
from ..protocols.gateway.runs import Seen

BUFFER = 1_024
"""Events and pieces of text that a watcher may be behind; pieces of text are left out when half of it is full."""
JOINED = 2_048
"""Characters of a piece of text, beyond which no other is joined to it."""


class Watcher:
    """One who watches: sees what had happened before it came, then what is told.

    What is told waits in a bounded buffer. A piece of text that comes while the one before it waits is joined to it, so
    that whoever is slow has fewer of them to send. A piece that finds the buffer half full is left out; an event that
    finds it full ends the watching with an error, since a gap would be worse.
    """

    def __init__(self, after: int, *, most: int = BUFFER) -> None:
        """Watch from the event behind number `after` on."""
        self._last = after
        self._most = most
        self._queue: deque[tuple[Seen | Delta, bool]] = deque()
        self._behind = 0
        """How many of the queue were told."""
        self._news = anyio.Event()
        self._over = False
        self._error: JournalError | None = None

    def __aiter__(self) -> AsyncIterator[Seen | Delta]:
        """What it has not seen yet, in order."""
        return self

    async def __anext__(self) -> Seen | Delta:
        """The next one.

        Raises:
            JournalError: it was let go because it did not read, or the run broke off.
        """
        if self._queue:
            await anyio.lowlevel.checkpoint()  # whoever waits gives way to others anyway
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._news = anyio.Event()
            await self._news.wait()
        shown, told = self._queue.popleft()
        self._behind -= told
        return shown

    def recall(self, past: Iterable[Seen]) -> None:
        """Show what has happened already; it is at hand anyway, so it may be any number."""
        for seen in past:
            if seen.seq > self._last:
                self._last = seen.seq
                self._queue.append((seen, False))
        self._news.set()

    def tell(self, shown: Seen | Delta) -> None:
        """Show what happens."""
        room = self._most // 2 if isinstance(shown, Delta) else self._most
        if self._over or (isinstance(shown, Seen) and shown.seq <= self._last):
            return
        if isinstance(shown, Delta) and self._joins(shown):
            return
        if self._behind < room:
            self._last = self._last if isinstance(shown, Delta) else shown.seq
            self._queue.append((shown, True))
            self._behind += 1
            self._news.set()
        elif isinstance(shown, Seen):
            self._queue.clear()
            self.end(JournalError(f"this watcher was let go at event {shown.seq}: it was {self._most} events behind"))

    def _joins(self, piece: Delta) -> bool:
        """Join a piece of text to the one that waits before it, if there is one of the same place with room."""
        before, told = self._queue[-1] if self._queue else (None, False)
        if not isinstance(before, Delta) or before.path != piece.path or len(before.text) + len(piece.text) > JOINED:
            return False
        self._queue[-1] = (Delta(before.path, before.text + piece.text), told)
        return True

    def end(self, error: JournalError | None = None) -> None:
        """Show nothing more; what was told before is still shown."""
        if not self._over:
            self._over, self._error = True, error
            self._news.set()
