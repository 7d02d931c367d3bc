"""Server-sent events as OpenAI's clients read them, and the response that sends them while its client listens.

No event ever has an `id:`: after one, OpenAI's Python client reads a comment as an event without data, and breaks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import anyio
import anyio.lowlevel

from ..messages import Json
from .asgi import Header, Receive, Scope, Send, as_body

Heartbeat = Literal["comment", "empty", "off"]
"""What is sent while nothing happens, so that nobody in between takes the connection for dead: a comment, which some
clients cannot read; an event without content, where the API has one; nothing."""

COMMENT = b": still there\n\n"
DONE = b"data: [DONE]\n\n"
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),  # no-transform: a gzip in between would hold events back
    (b"x-accel-buffering", b"no"),  # so would nginx
)


def frame(value: Json, event: str = "") -> bytes:
    r"""One event; JSON has no line breaks of its own, so that it is one line of data.

    Example:
        >>> frame({"a": "b\n"}, "x")
        b'event: x\ndata: {"a":"b\\n"}\n\n'
    """
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + as_body(value) + b"\n\n"


class Sink:
    """Where a stream is written to; frames of several tasks do not mix, and nothing follows the last one.

    A server may say by an OSError that the client is gone (ASGI 2.4): then `scope` is cancelled.
    """

    def __init__(self, send: Send, scope: anyio.CancelScope) -> None:
        self._send = send
        self._scope = scope
        self._lock = anyio.Lock(fast_acquire=True)
        self._closed = False
        self.last = anyio.current_time()
        """When something was sent, on the loop's clock."""

    async def write(self, data: bytes) -> None:
        """Send a frame, if there is anything in it; waits while the client does not read."""
        async with self._lock:
            if data and not self._closed:
                await self._sent(data, more=True)
                self.last = anyio.current_time()

    async def close(self) -> None:
        """Send nothing more."""
        async with self._lock:
            self._closed = True
            await self._sent(b"", more=False)

    async def _sent(self, data: bytes, *, more: bool) -> None:
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError:
            self._scope.cancel()
            await anyio.lowlevel.checkpoint()  # where the cancellation is met


Produce = Callable[[Sink], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """A response that is produced for as long as its client listens; one that hangs up ends the producing at once.

    The response is its own ASGI application: it listens for the end of the connection itself, on every server.
    """

    produce: Produce
    beat: bytes
    """What a heartbeat sends; empty: there is none."""
    seconds: float
    """Of silence before a heartbeat."""
    headers: Sequence[Header] = field(default=())
    first: bytes = b""
    """Sent before anything is produced, whether or not the client is still there."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, then whatever is produced."""
        more = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        with suppress(OSError):  # one who is gone by now has left too: what is produced must begin, to be left
            await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *more]})
            if self.first:
                await send({"type": "http.response.body", "body": self.first, "more_body": True})
        async with anyio.create_task_group() as group:
            sink = Sink(send, group.cancel_scope)
            group.start_soon(until_gone, receive, group.cancel_scope)
            if self.beat:
                group.start_soon(self._keep_alive, sink)
            await self.produce(sink)
            await sink.close()
            group.cancel_scope.cancel()

    async def _keep_alive(self, sink: Sink) -> None:
        while True:
            await anyio.sleep_until(sink.last + self.seconds)
            if anyio.current_time() >= sink.last + self.seconds:
                await sink.write(self.beat)


async def until_gone(receive: Receive, scope: anyio.CancelScope, linger: float = 0.0) -> None:
    """Cancel the scope when the client hangs up, `linger` seconds later."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await anyio.sleep(linger)
    scope.cancel()
