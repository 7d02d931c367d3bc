"""Watching a leg of a run to its end, for a whole answer or for a stream."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from ...conversation import Delta
from ...errors import EchelonError, JournalError, UnknownRunError
from ...events import Parked
from ..asgi import note_run
from ..legs import Leg, legs_of
from ..runs import Runs, Seen
from ..sse import COMMENT, EventStream, Sink, until_gone
from .errors import RefusedError, broken, refused_by
from .resource import Call
from .settings import Settings

logger = logging.getLogger(__name__)

Hear = Callable[[Seen | Delta], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request's answer will stand: a leg of a run."""

    run: str
    number: int = 1
    after: int = 0
    """Seq of the last event before it."""


class Stream(Protocol):
    """Turns what happens into what is sent."""

    @property
    def beat(self) -> bytes:
        """An event without content; empty: there is none."""
        ...

    def begin(self) -> bytes:
        """What comes first."""
        ...

    def take(self, seen: Seen | Delta) -> bytes:
        """What an event, or a piece of text, makes of itself."""
        ...

    def end(self, leg: Leg) -> bytes:
        """What comes last."""
        ...

    def broken(self, error: RefusedError) -> bytes:
        """What comes last if nothing more can come."""
        ...


async def quietly(seen: Seen | Delta) -> None:
    """Hear, and say nothing."""


async def follow(runs: Runs, run: str, after: int, hear: Hear) -> None:
    """Hear everything after an event until the run rests; one who could not keep up goes on where it was let go.

    The next watching begins before the last one ends: a run that is called off when nobody watches goes on. It hears
    events only: of what was said, pieces are gone.

    Raises:
        JournalError: the run cannot be read, or broke off.
    """
    last = after

    async def events_only(one: Seen | Delta) -> None:
        if isinstance(one, Seen):
            await hear(one)

    async with runs.watch(run, after=after) as told:
        try:
            async for one in told:
                last = one.seq if isinstance(one, Seen) else last
                await hear(one)
        except JournalError:
            if last == after:
                raise
            await follow(runs, run, last, events_only)


async def leg_of(runs: Runs, place: Place) -> Leg:
    """A leg as it stands; one that follows the last is about to begin.

    Raises:
        UnknownRunError: there is no such run, or it has not so many legs.
    """
    seen = await runs.events(place.run)
    legs = legs_of(place.run, seen)
    if 0 < place.number <= len(legs):
        return legs[place.number - 1]
    if place.number == len(legs) + 1 and place.after and legs[-1].progress == "waiting":
        return Leg(run=place.run, number=place.number, before=tuple(seen), seen=())
    raise UnknownRunError(place.run)


async def finished(runs: Runs, settings: Settings, place: Place, call: Call) -> Leg | None:
    """A leg that has ended; None: the client hung up before it had.

    Raises:
        RefusedError: the run cannot be read, or broke off.
    """
    note_run(call.scope, place.run)
    linger = settings.linger if call.header("x-stainless-retry-count") else 0.0
    left, failed = True, list[EchelonError]()
    async with anyio.create_task_group() as group:
        group.start_soon(until_gone, call.receive, group.cancel_scope, linger)
        try:
            await follow(runs, place.run, place.after, quietly)
        except EchelonError as error:
            failed.append(error)  # raised below as it is: the group would wrap it
        left = False
        group.cancel_scope.cancel()
    if failed:
        raise refused_by(failed[0]).begun()
    return None if left else await leg_of(runs, place)


def streamed(runs: Runs, settings: Settings, place: Place, stream: Stream, call: Call) -> EventStream:
    """A leg as a stream of events."""
    note_run(call.scope, place.run)

    async def produce(sink: Sink) -> None:
        rests = False

        async def hear(seen: Seen | Delta) -> None:
            nonlocal rests
            if not rests:  # what follows on an answer is of the next leg
                await sink.write(stream.take(seen))
            rests = rests or (isinstance(seen, Seen) and isinstance(seen.event, Parked))

        await sink.write(await _told(runs, place, stream, hear))

    beats = {"comment": COMMENT, "empty": stream.beat, "off": b""}
    return EventStream(
        produce=produce,
        beat=beats[settings.heartbeat],
        seconds=settings.seconds,
        headers=[("x-echelon-run", place.run)],
        first=stream.begin(),
    )


async def _told(runs: Runs, place: Place, stream: Stream, hear: Hear) -> bytes:
    """Tell a leg; gives what comes last."""
    try:
        await follow(runs, place.run, place.after, hear)
        return stream.end(await leg_of(runs, place))
    except EchelonError as error:
        return stream.broken(refused_by(error).begun())
    except Exception as error:
        logger.exception("the stream of run %s broke off", place.run, exc_info=error)
        return stream.broken(broken())


def said_at_once(data: bytes) -> EventStream:
    """A stream that is there already."""

    async def produce(sink: Sink) -> None:
        await sink.write(data)

    return EventStream(produce=produce, beat=b"", seconds=0.0)
