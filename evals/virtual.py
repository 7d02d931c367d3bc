"""Virtual time: an asyncio event loop on which waiting takes no time, and the clock that goes with it."""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter

T = TypeVar("T")

EPOCH = 1_700_000_000.0
"""Where virtual clocks begin, in seconds since the epoch."""


RESOLUTION = 1e-6
"""Seconds; timers that are nearer to each other are due together."""


class StuckError(Exception):
    """Everybody waits, and there is no timer that could end it."""

    def __init__(self, tasks: list[str]) -> None:
        self.tasks = tasks
        super().__init__("everybody waits for somebody else: " + ", ".join(tasks))


class _Jump(selectors.DefaultSelector):
    """Waits for nothing but threads: with no thread under way, the time until the next timer has passed at once."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0:
            self.loop.shuffle()
            return []
        if self.loop.limiter is not None and self.loop.limiter.borrowed_tokens:
            return super().select(None)
        if timeout is None:
            raise StuckError(sorted(task.get_name() for task in asyncio.all_tasks(self.loop)))
        self.loop.elapsed += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time: if nothing is ready, the next timer is.

    Sync functions run in threads one after the other, and time stands still meanwhile, so that every schedule can be
    repeated. Sockets are never looked at.

    Args:
        seed: with a seed, what is ready at the same time runs in an order that the seed decides; None: first come,
            first served.

    Example:
        >>> loop = VirtualLoop()
        >>> loop.run(asyncio.sleep(3600.0)); loop.time()
        3600.0
        >>> loop.close()
    """

    def __init__(self, seed: object = None) -> None:
        self.elapsed = 0.0
        self.limiter: CapacityLimiter | None = None
        """Knows whether a sync function is under way in a thread; None: nothing has run yet."""
        self._order = None if seed is None else Random(f"{seed}")
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)
        # Asyncio adds its clock's resolution to the time to find what is due: 1e-9 is lost in a float after 97 days,
        # and nothing would be due ever again.
        vars(self)["_clock_resolution"] = RESOLUTION

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.elapsed

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work to its end; what it leaves under way is cancelled if it got stuck.

        Raises:
            StuckError: everybody waits, and nothing would ever happen again.
        """
        task = self.create_task(self._one_thread(work))
        try:
            return self.run_until_complete(task)
        except StuckError:
            left = asyncio.all_tasks(self)
            for one in left:
                one.cancel()
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            raise

    async def _one_thread(self, work: Coroutine[Any, Any, T]) -> T:
        self.limiter = current_default_thread_limiter()
        self.limiter.total_tokens = 1
        return await work

    def shuffle(self) -> None:
        """Put what is ready into an order of its own."""
        ready: deque[object] | None = vars(self).get("_ready")  # asyncio has no name of it for others
        if self._order is not None and ready is not None and len(ready) > 1:
            order = list(ready)
            self._order.shuffle(order)
            ready.clear()
            ready.extend(order)


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, T]], *, seed: object = None) -> T:
    """Do the work to its end on a virtual loop of its own; `seed` as for the loop.

    Raises:
        StuckError: everybody waits, and nothing would ever happen again.

    Example:
        >>> in_virtual_time(lambda: asyncio.sleep(3600.0, "done"))
        'done'
    """
    with closing(VirtualLoop(seed)) as loop:
        return loop.run(work())


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """The wall clock of a virtual loop."""

    loop: VirtualLoop

    def now(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + self.loop.elapsed
