"""One openai client per server, key and event loop, shared by all models of the process.

This module loads the SDK, which takes half a second: it is imported at the first call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TypeAlias

import httpx2
from anyio.lowlevel import RunVar
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

from ...protocols.errors import UsageError
from .bodies import bound_errors

MOST_CONNECTIONS = 1_000
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 600.0
"""Without a byte; the call layer's deadline is far shorter."""

Place: TypeAlias = "tuple[str | None, str | None]"
"""Base URL and key as they were given; None: the SDK's own default."""

# As a ContextVar, but of the event loop: a connection belongs to the loop that opened it.
_OPEN: RunVar[dict[Place, tuple[AsyncOpenAI, AsyncGenerator[AsyncOpenAI]]]] = RunVar("echelon.models.clients")


async def client_at(place: Place) -> AsyncOpenAI:
    """The client of this event loop for a server and key; opened on first use.

    It is closed by `close_client`, or with the event loop.

    Raises:
        UsageError: there is no key.
    """
    open_ = _OPEN.get(None)
    if open_ is None:
        _OPEN.set(open_ := {})
    kept = open_.get(place)
    if kept is None:
        lifetime = _lifetime(place)
        kept = open_[place] = (await anext(lifetime), lifetime)
    return kept[0]


async def close_client(place: Place) -> None:
    """Close the client of this event loop for a server and key, with its connections; the next use opens another."""
    open_ = _OPEN.get(None)
    kept = open_.pop(place, None) if open_ else None
    if kept is not None:
        await kept[1].aclose()


async def close_clients() -> None:
    """Close all clients of this event loop."""
    for place in list(_OPEN.get(None) or ()):
        await close_client(place)


async def _lifetime(place: Place) -> AsyncGenerator[AsyncOpenAI]:
    """Open a client, and close it when the generator is closed: asyncio and trio do that at the end of the loop."""
    client = _client(place)
    try:
        yield client
    finally:
        await client.close()


def _client(place: Place) -> AsyncOpenAI:
    base_url, api_key = place
    timeout = httpx2.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS)
    limits = httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS)
    http = DefaultAsyncHttpxClient(timeout=timeout, limits=limits, event_hooks={"response": [bound_errors]})
    try:
        return AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout, http_client=http)
    except OpenAIError as error:
        message = (
            "no key for the model's server: pass api_key=..., or set OPENAI_API_KEY in the environment; "
            "for a server that wants none, any text will do"
        )
        raise UsageError(message) from error
