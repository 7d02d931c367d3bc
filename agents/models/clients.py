"""The openai clients of an event loop, shared by all models of the process.

This module loads the SDK, which takes half a second: it is imported at the first call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TypeAlias

import httpx2
from anyio.lowlevel import RunVar
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

from ...protocols.errors import UsageError
from .bodies import bound_errors

MOST_CONNECTIONS = 1_000
"""Of one client."""
FULL = 32
"""Calls under way with one client before another is opened: httpx2 looks at every connection of its pool twice a call,
which with 200 connections in one pool is a quarter of the CPU of a call."""
MOST_CLIENTS = 32
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 600.0
"""Without a byte; the call layer's deadline is far shorter."""

NO_KEY = (
    "no key for the model's server: pass api_key=..., or set OPENAI_API_KEY in the environment; "
    "for a server that wants none, any text will do"
)

Place: TypeAlias = "tuple[str | None, str | None]"
"""Base URL and key as they were given; None: the SDK's own default."""


@dataclass(slots=True)
class _Kept:
    """An open client."""

    client: AsyncOpenAI
    lifetime: AsyncGenerator[AsyncOpenAI]
    busy: int = 0
    """Calls under way."""


@dataclass(slots=True)
class _Shelf:
    """The clients of one server and key."""

    trust: SSLContext = field(default_factory=httpx2.create_ssl_context)
    """Made once: it takes 80 ms."""
    clients: list[_Kept] = field(default_factory=list[_Kept])


# As a ContextVar, but of the event loop: a connection belongs to the loop that opened it.
_OPEN: RunVar[dict[Place, _Shelf]] = RunVar("echelon.models.clients")


@asynccontextmanager
async def client_at(place: Place) -> AsyncGenerator[AsyncOpenAI]:
    """Lend a client of this event loop for one call: the first that is not full, so that connections are used again.

    It stays open for the next call until `close_client`, or until the event loop ends.

    Raises:
        UsageError: there is no key.
    """
    open_ = _OPEN.get(None)
    if open_ is None:
        _OPEN.set(open_ := {})
    shelf = open_.get(place)
    if shelf is None:
        shelf = open_[place] = _Shelf()
    kept = await _least_busy(place, shelf)
    kept.busy += 1
    try:
        yield kept.client
    finally:
        kept.busy -= 1


async def _least_busy(place: Place, shelf: _Shelf) -> _Kept:
    for kept in shelf.clients:
        if kept.busy < FULL:
            return kept
    if len(shelf.clients) >= MOST_CLIENTS:
        return min(shelf.clients, key=lambda kept: kept.busy)
    lifetime = _lifetime(place, shelf.trust)
    kept = _Kept(await anext(lifetime), lifetime)
    shelf.clients.append(kept)
    return kept


async def close_client(place: Place) -> None:
    """Close the clients of this event loop for a server and key, with their connections; the next call opens others."""
    open_ = _OPEN.get(None)
    shelf = open_.pop(place, None) if open_ else None
    for kept in shelf.clients if shelf else ():
        await kept.lifetime.aclose()


async def close_clients() -> None:
    """Close all clients of this event loop."""
    for place in list(_OPEN.get(None) or ()):
        await close_client(place)


async def _lifetime(place: Place, trust: SSLContext) -> AsyncGenerator[AsyncOpenAI]:
    """Open a client, and close it when the generator is closed: asyncio and trio do that at the end of the loop."""
    base_url, api_key = place
    timeout = httpx2.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS)
    limits = httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS)
    hooks = {"response": [bound_errors]}
    http = DefaultAsyncHttpxClient(timeout=timeout, limits=limits, event_hooks=hooks, verify=trust)
    try:
        client = AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout, http_client=http)
    except OpenAIError as error:
        raise UsageError(NO_KEY) from error
    try:
        yield client
    finally:
        await client.close()
