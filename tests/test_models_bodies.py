"""Bodies of answers, read up to a limit."""

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import httpx2
import pytest

from echelon.agents.models.bodies import MOST_BYTES, TooLargeError, bound_errors, whole

pytestmark = pytest.mark.anyio


class Flood(httpx2.AsyncByteStream):
    """A body without an end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await anyio.lowlevel.checkpoint()
            yield b"x" * 5_000_000


async def test_a_body_without_an_end_is_not_read_to_it() -> None:
    """Neither an answer nor an error."""
    with pytest.raises(TooLargeError):
        await whole(httpx2.Response(200, stream=Flood()))
    error = httpx2.Response(500, stream=Flood())
    await bound_errors(error)
    with pytest.raises(TooLargeError):
        await error.aread()
    with pytest.raises(TooLargeError):
        await bound_errors(httpx2.Response(500, headers={"content-length": str(MOST_BYTES + 1)}))
