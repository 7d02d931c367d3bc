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


class Watcher:
    """One who watches: what had happened before it came, then what is told.

    What is told waits in a bounded buffer. A piece of text that finds it half full is left out; an event that finds it
    full ends the watching with an error, since a gap would be worse.
    """

    def __init__(self, after: int, past: Iterable[Seen] = (), *, most: int = BUFFER) -> None:
        self._past = deque(seen for seen in past if seen.seq > after)
        self._last = after
        self._told: deque[Seen | Delta] = deque()
        self._most = most
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
        await anyio.lowlevel.checkpoint()
        while True:
            if self._past:
                return self._past.popleft()
            if self._told:
                return self._told.popleft()
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._news = anyio.Event()
            await self._news.wait()

    def recall(self, past: Iterable[Seen]) -> None:
        """Show what had happened, where it was not known yet when the watcher came."""
        self._past.extend(seen for seen in past if seen.seq > self._last)

    def tell(self, seen: Seen | Delta) -> None:
        """Show what happens."""
        if self._over:
            return
        room = self._most // 2 if isinstance(seen, Delta) else self._most
        if len(self._told) < room:
            if isinstance(seen, Delta) or seen.seq > self._last:
                self._told.append(seen)
                self._news.set()
        elif isinstance(seen, Seen):
            self._told.clear()
            self.end(JournalError(f"this watcher was let go at event {seen.seq}: it was {self._most} events behind"))

    def end(self, error: JournalError | None = None) -> None:
        """Show nothing more; what was told before is still shown."""
        if not self._over:
            self._over, self._error = True, error
            self._news.set()
