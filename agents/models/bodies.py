"""Bodies of answers, read up to a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Self, cast

import anyio
import httpx2

MOST_BYTES = 50_000_000
"""Of one answer, as it is after any decompression."""
DRAIN_SECONDS = 0.1
"""For what is left of a body that nobody wants: after it, the connection can be used again."""


class TooLargeError(Exception):
    """A server sends more than anybody will read."""


class Pieces:
    """The body of an answer as it arrives; `aclose` after reading, in whatever way that ended."""

    def __init__(self, response: httpx2.Response) -> None:
        if _says_too_large(response):
            raise TooLargeError
        self._arriving = response.aiter_bytes()
        self._size = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._arriving)
        self._size += len(piece)
        if self._size > MOST_BYTES:
            raise TooLargeError
        return piece

    async def aclose(self) -> None:
        """Read the rest, for a moment."""
        await _drain(self._arriving)


async def _drain(arriving: AsyncIterator[bytes]) -> None:
    """Read to the end, or be cancelled in the middle: in no other way do httpx2's generators close cleanly on trio."""
    with anyio.move_on_after(DRAIN_SECONDS):
        async for _ in arriving:
            pass


async def whole(response: httpx2.Response) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: there is more than MOST_BYTES of it.
    """
    async with aclosing(Pieces(response)) as arriving:
        return b"".join([piece async for piece in arriving])


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error at the limit."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        arriving, size = aiter(self.stream), 0
        async for piece in arriving:
            size += len(piece)
            if size > MOST_BYTES:
                await _drain(arriving)
                raise TooLargeError
            yield piece

    async def aclose(self) -> None:
        await self.stream.aclose()


async def bound_errors(response: httpx2.Response) -> None:
    """Bound the body of an error, which the SDK reads whole before we see it (a hook of the HTTP client).

    Raises:
        TooLargeError: it says itself that it is too large.
    """
    if response.status_code >= 300:
        if _says_too_large(response):
            raise TooLargeError
        response.stream = _Bounded(cast("httpx2.AsyncByteStream", response.stream))


def _says_too_large(response: httpx2.Response) -> bool:
    said = response.headers.get("content-length", "")
    return said.isdigit() and int(said) > MOST_BYTES
