"""Watching a run to its end, or to where it waits; and ordering one so that a request sent twice begins one run."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import islice

from ...conversation import Delta, digest_of
from ...errors import JournalError
from ...events import RunStarted
from ..runs import Order, Runs, Seen
from .legs import Leg, legs_of

Hear = Callable[[Seen | Delta], Awaitable[None]]

WINDOW = 900.0
"""Seconds in which a request that says it is sent again belongs to the run that it began before; OpenAI's clients wait
ten minutes for an answer, and then up to eight seconds."""

LOOKED_AT = 50
"""Runs of the same client, the latest first, among which it is looked for."""


async def quietly(seen: Seen | Delta) -> None:
    """Hear, and say nothing."""


async def follow(runs: Runs, run: str, after: int, hear: Hear) -> None:
    """Hear everything after an event until the run rests; one who could not keep up goes on where it was let go.

    The next watching begins before the last one ends: a run that is called off when nobody watches goes on.

    Raises:
        JournalError: the run cannot be read, or broke off.
    """
    last = after
    async with runs.watch(run, after=after) as told:
        try:
            async for one in told:
                last = one.seq if isinstance(one, Seen) else last
                await hear(one)
        except JournalError:
            if last == after:
                raise
            await follow(runs, run, last, hear)


async def leg_of(runs: Runs, run: str, number: int) -> Leg | None:
    """A leg of a run, as it stands; None: the run has not so many.

    Raises:
        UnknownRunError: there is no such run.
    """
    legs = legs_of(run, await runs.events(run))
    return legs[number - 1] if 0 < number <= len(legs) else None


class Retries:
    """What a request's headers and body say of whether it was sent before."""

    def __init__(self, body: bytes, key: str, count: str) -> None:
        """Take a request.

        Args:
            body: Of the request, or anything that is the same in every sending of it and in no other.
            key: Of the header `Idempotency-Key`; "": there is none.
            count: Of the header `x-stainless-retry-count`, which OpenAI's clients send; "": there is none.
        """
        self._digest = digest_of(body)[:32]
        self._key = key
        self.again = count.isdecimal() and int(count[:6]) > 0
        """Whether the client says that it has sent it before."""

    async def begin(self, runs: Runs, order: Order, now: float) -> str:
        """Begin the run of an order, unless this request has begun it before.

        An `Idempotency-Key` makes the same body the same run for good. Otherwise only what says that it is sent again
        belongs to an earlier run: whoever says the same thing twice wants two answers. A run that was called off when
        its client left is begun anew.

        Raises:
            ShapeError, UsageError, BusyError: as `Runs.begin`.
        """
        if self._key:
            return await runs.begin(replace(order, key=digest_of(self._key.encode(), self._digest.encode())))
        if self.again and (known := await self._known(runs, order, now)):
            return known
        return await runs.begin(replace(order, key=f"{self._digest}.{secrets.token_hex(8)}"))

    async def _known(self, runs: Runs, order: Order, now: float) -> str:
        """The run that an earlier sending of this request began; "": none."""
        for stands in islice(await runs.find(principal=order.principal), LOOKED_AT):
            same = (stands.team, stands.surface) == (order.team, order.surface)
            if same and stands.status != "cancelled" and stands.started >= now - WINDOW:
                first = (await runs.events(stands.run))[0].event
                key = first.tags.get("key", "") if isinstance(first, RunStarted) else ""
                if key.partition(".")[0] == self._digest:
                    return stands.run
        return ""
