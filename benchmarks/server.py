"""A loopback server that costs as little as it can: `python -m benchmarks.server` prints its port and serves.

`/50/v1/chat/completions` answers after 50 ms; `GET /counts` tells the calls and prompt tokens since it was last asked.
The library's own loopback server can do far more, and so takes more of the CPU that the contenders share with it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pydantic_core import from_json, to_json

from .script import completion

BYTES_PER_TOKEN = 4
COUNTED = ("messages", "tools", "response_format")


def prompt_tokens(body: bytes) -> int:
    """The one rule for all contenders: bytes of what the model reads, as compact JSON, by four, rounded up.

    Example:
        >>> prompt_tokens(b'{"model": "m", "messages": ["12345678"]}')
        7
    """
    request: dict[str, Any] = from_json(body)
    read = to_json({name: request[name] for name in COUNTED if name in request})
    return -(-len(read) // BYTES_PER_TOKEN)


class Counts:
    """Calls and their prompt tokens; shared by all connections."""

    def __init__(self) -> None:
        self.calls = 0
        self.tokens = 0

    def take(self) -> bytes:
        """What was counted, from now on counted anew."""
        said = to_json({"calls": self.calls, "tokens": self.tokens})
        self.calls = self.tokens = 0
        return said


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection; one request at a time."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checkers
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received = b""
        target = head.split(b" ", 2)[1]
        if target == b"/counts":
            self._send(self._counts.take())
            return
        self._counts.calls += 1
        seconds = int(target.split(b"/", 2)[1]) / 1_000
        if not seconds:  # W6 and the works that measure CPU
            self._counts.tokens += prompt_tokens(body)
        answer = completion(body)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._send, answer)
        else:
            self._send(answer)

    def _send(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def serve() -> None:
    """Serve on a free port of the loopback, until killed."""
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(counts), "127.0.0.1", 0, backlog=1_024
    )  # fmt: skip
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def served() -> Generator[str]:
    """A server in a process of its own; gives its origin."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checkers
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve())
