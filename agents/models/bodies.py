"""Bodies of answers, read up to a limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import httpx2

MOST_BYTES = 50_000_000
"""Of one answer, as it is after any decompression."""


class TooLargeError(Exception):
    """A server sends more than anybody will read."""


def too_large(response: httpx2.Response) -> bool:
    """Whether a body says itself that it is too large."""
    said = response.headers.get("content-length", "")
    return said.isdigit() and int(said) > MOST_BYTES


async def pieces(response: httpx2.Response) -> AsyncGenerator[bytes]:
    """The body as it arrives.

    Raises:
        TooLargeError: there is more than MOST_BYTES of it.
    """
    if too_large(response):
        raise TooLargeError
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLargeError
        yield piece


async def whole(response: httpx2.Response) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: there is more than MOST_BYTES of it.
    """
    async with aclosing(pieces(response)) as arriving:
        return b"".join([piece async for piece in arriving])


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error at the limit."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self.stream:
            size += len(piece)
            if size > MOST_BYTES:
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
        if too_large(response):
            raise TooLargeError
        response.stream = _Bounded(cast("httpx2.AsyncByteStream", response.stream))
