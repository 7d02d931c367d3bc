"""What changes on a run's page, as it changes: each part as it should now be, by server-sent events.

A part is sent if it is not as it was sent last; parts that came close together are sent once. Where the connection is
lost, the browser asks again and says which event it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from ...conversation import Delta
from ...errors import JournalError
from ...events import EffectFailed, EffectFinished
from ...messages import Json
from ..asgi import App, as_body, header_of
from ..runs import Runs, Seen
from ..sse import COMMENT, EventStream, Sink
from .door import Visit
from .parts import Look, Parts, gone, parts
from .story import Story, tell

PACE = 0.5
"""Seconds between two looks at a run, so that a run with many events is not drawn at each."""
HEARTBEAT = 15.0
AGAIN = 4_000
"""Milliseconds until a browser asks again."""
TAIL = 600
"""Characters of what a model is saying that are shown."""
CLOSED: tuple[tuple[str, str], ...] = (("content-security-policy", "default-src 'none'"),)


@dataclass(slots=True)
class _Heard:
    """What was heard of a run, and whether there is more to come."""

    told: list[Seen] = field(default_factory=list[Seen])
    saying: dict[str, str] = field(default_factory=dict[str, str])
    news: anyio.Event = field(default_factory=anyio.Event)
    over: bool = False

    def take(self, heard: Seen | Delta) -> None:
        """Hear something."""
        match heard:
            case Delta():
                self.saying[heard.path] = (self.saying.get(heard.path, "") + heard.text)[-TAIL:]
            case Seen():
                self.told.append(heard)
                if isinstance(heard.event, EffectFinished | EffectFailed):
                    self.saying.pop(heard.event.path, None)
        self.news.set()


class Live:
    """Streams of changes."""

    def __init__(self, runs: Runs, now: Callable[[], float], pace: float = PACE) -> None:
        self._runs = runs
        self._now = now
        self._pace = pace

    async def stream(self, visit: Visit) -> App:
        """The changes of a run's page after the event that the page was made at."""
        stands = await visit.run(self._runs)
        seen = header_of(visit.scope, "last-event-id") or visit.query("after")
        after = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 12 else 0
        told = list(await self._runs.events(stands.run))[:after]

        async def produce(sink: Sink) -> None:
            await _Telling(self, visit.token, stands.run, told).tell(sink)

        return EventStream(produce=produce, beat=COMMENT, seconds=HEARTBEAT, headers=CLOSED)

    async def story(self, run: str, told: Sequence[Seen]) -> Story:
        """The run as it is now."""
        return tell(await self._runs.standing(run), told)

    def drawn(self, story: Story, token: str, heard: _Heard) -> Parts:
        """Its page's parts."""
        return parts(story, Look(token=token, now=self._now(), saying=dict(heard.saying)))

    async def hear(self, run: str, heard: _Heard, after: int) -> None:
        """Hear everything behind event number `after`, to the end."""
        try:
            async with self._runs.watch(run, after=after) as told:
                async for one in told:
                    heard.take(one)
        except JournalError:
            pass  # the browser comes back, and sees then what it has missed
        heard.over = True
        heard.news.set()

    async def rest(self) -> None:
        """Let some more happen."""
        await anyio.sleep(self._pace)


class _Telling:
    """One stream."""

    def __init__(self, live: Live, token: str, run: str, told: Sequence[Seen]) -> None:
        self._live = live
        self._token = token
        self._run = run
        self._heard = _Heard(told=list(told))
        self._sent: Parts = {}
        self._status = ""

    async def tell(self, sink: Sink) -> None:
        """Tell what changes until the run rests; of one that is over, that it is."""
        heard = self._heard
        await sink.write(f"retry: {AGAIN}\n\n".encode())
        after = heard.told[-1].seq if heard.told else 0
        if heard.told:
            story = await self._live.story(self._run, heard.told)
            self._sent, self._status = self._live.drawn(story, self._token, heard), ""
        async with anyio.create_task_group() as group:
            group.start_soon(self._live.hear, self._run, heard, after)
            while not heard.over:
                await heard.news.wait()
                heard.news = anyio.Event()
                if not heard.over:
                    await self._live.rest()
                if heard.told:
                    await self._look(sink)
        story = await self._live.story(self._run, heard.told)
        if story.is_over:
            await sink.write(_frame("end", "over", story.seq))

    async def _look(self, sink: Sink) -> None:
        story = await self._live.story(self._run, self._heard.told)
        made = self._live.drawn(story, self._token, self._heard)
        changes = list(_changes(self._sent, made))
        if changes:
            await sink.write(_frame("parts", changes, story.seq))
        if story.stands.status != self._status:
            await sink.write(_frame("status", f"The run is {story.stands.status}.", story.seq))
        self._sent, self._status = made, story.stands.status


def _changes(before: Parts, after: Parts) -> list[Json]:
    """Each part that is not as it was: its id, how it is now, and the id of the part before it."""
    above, found = "", list[Json]()
    for name, part in after.items():
        if before.get(name) != part:
            found.append([name, part, above])
        above = name
    return [*found, *([name, part, ""] for name, part in gone(before, after))]


def _frame(event: str, value: Json, seq: int) -> bytes:
    return f"event: {event}\nid: {seq}\ndata: ".encode() + as_body(value) + b"\n\n"
